#include "bench/sinks/floors.h"

#include <MQTTAsync.h>
#include <fmt/format.h>
#include <librdkafka/rdkafka.h>

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <mutex>
#include <vector>

#include "common/gzip.h"
#include "worker/sinks/influxdb/line_protocol.h"
#include "worker/sinks/kafka/messages.h"
#include "worker/sinks/mqtt/topic_template.h"
#include "worker/sinks/sample_json.h"

namespace fieldwarden::bench {

namespace {

using Steady = std::chrono::steady_clock;

[[noreturn]] void give_up(const std::string& why) {
    fmt::print(stderr, "bench_sinks: {}\n", why);
    std::exit(1);
}

double seconds_since(Steady::time_point begun) {
    return std::chrono::duration<double>(Steady::now() - begun).count();
}

// Every scan in the order in which our pipeline spools them.
void for_each_scan(const Plant& plant, const std::function<void(const SampleBatch&, std::uint64_t)>& take) {
    std::uint64_t seq = 1;
    for (unsigned number = 0; number < plant.scans; ++number) {
        for (unsigned device = 0; device < plant.devices; ++device)
            take(plant.scan(device, number, plant.time_of(device, number)), seq++);
    }
}

struct Mqtt {
    std::mutex mutex;
    std::condition_variable changed;
    bool connected = false;
    std::size_t answered = 0;
};

}  // namespace

void write_rows(const Plant& plant, const std::string& folder) {
    std::ofstream file{folder + "/rows.tsv", std::ios::binary};
    const auto directory = plant.directory();
    std::string text;
    for_each_scan(plant, [&](const SampleBatch& samples, std::uint64_t) {
        text.clear();
        for (const auto& sample : samples) {
            const auto& point = directory.at(sample.point);
            worker::append_time_micros(text, sample.time);
            fmt::format_to(std::back_inserter(text), "\t{}\t{}\t{}\t{}\t\\N\t0\n", point.site_code,
                           point.device_code, point.point_code, std::get<double>(sample.value));
        }
        file << text;
    });
    if (!file.flush()) give_up("cannot write " + folder + "/rows.tsv");
}

void write_lines(const Plant& plant, const std::string& folder, const std::string& url, std::size_t lines) {
    worker::influxdb::LineEncoder encoder{"points"};
    const auto directory = plant.directory();
    const worker::DeliveryBatch who{{}, &directory, 1};
    std::ofstream plain{folder + "/plain.conf"};
    std::ofstream packed{folder + "/packed.conf"};
    std::string body;
    std::size_t count = 0;
    int bodies = 0;
    const auto write = [&] {
        if (body.empty()) return;
        const auto request = [&](std::ofstream& conf, const std::string& name, const std::string& content,
                                 std::string_view header) {
            std::ofstream{folder + "/" + name, std::ios::binary} << content;
            if (bodies > 0) conf << "next\n";
            conf << "url = \"" << url << "\"\ndata-binary = \"@" << folder << "/" << name
                 << "\"\nheader = \"Content-Type: text/plain; charset=utf-8\"\n"
                 << header << "silent\nshow-error\nfail\noutput = \"/dev/null\"\n";
        };
        request(plain, fmt::format("plain.{}", bodies), body, "");
        request(packed, fmt::format("packed.{}", bodies), gzipped(body),
                "header = \"Content-Encoding: gzip\"\n");
        ++bodies;
        body.clear();
        count = 0;
    };
    for_each_scan(plant, [&](const SampleBatch& samples, std::uint64_t) {
        for (const auto& sample : samples) {
            if (!encoder.append(body, who, sample)) give_up("a sample without a line");
            if (++count == lines) write();
        }
    });
    write();
    if (!plain.flush() || !packed.flush()) give_up("cannot write to " + folder);
}

double send_to_kafka(const Plant& plant, const std::string& brokers, const std::string& topic) {
    std::vector<worker::kafka::Message> messages;
    worker::kafka::MessageWriter writer;
    const auto directory = plant.directory();
    for_each_scan(plant, [&](const SampleBatch& samples, std::uint64_t seq) {
        const worker::DeliveryRecord record{seq, {}, samples};
        if (!writer.append(messages, {{&record, 1}, &directory, 1}, 0, false))
            give_up("a sample without a message");
    });
    std::array<char, 512> why{};
    auto* conf = rd_kafka_conf_new();
    const auto set = [&](const char* name, const char* value) {
        if (rd_kafka_conf_set(conf, name, value, why.data(), why.size()) != RD_KAFKA_CONF_OK)
            give_up(why.data());
    };
    set("bootstrap.servers", brokers.c_str());
    set("enable.idempotence", "true");
    set("compression.type", "lz4");
    set("linger.ms", "2");
    set("queue.buffering.max.kbytes", "65536");
    static std::atomic<std::size_t> stored = 0;
    stored = 0;
    rd_kafka_conf_set_dr_msg_cb(conf, [](rd_kafka_t*, const rd_kafka_message_t* message, void*) {
        if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) ++stored;
    });
    const auto begun = Steady::now();
    auto* client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why.data(), why.size());
    if (client == nullptr) give_up(why.data());
    std::size_t sent = 0;
    for (const auto& message : messages) {
        const auto seq = std::to_string(message.seq);
        const auto n = std::to_string(message.n);
        for (;;) {
            const auto error = rd_kafka_producev(
                client, RD_KAFKA_V_TOPIC(topic.c_str()),
                RD_KAFKA_V_KEY(message.key.data(), message.key.size()),
                RD_KAFKA_V_VALUE(const_cast<char*>(message.value.data()), message.value.size()),
                RD_KAFKA_V_HEADER("task", "BENCH", 5), RD_KAFKA_V_HEADER("seq", seq.data(), seq.size()),
                RD_KAFKA_V_HEADER("n", n.data(), n.size()), RD_KAFKA_V_TIMESTAMP(message.time_ms),
                RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
            if (error == RD_KAFKA_RESP_ERR_NO_ERROR) break;
            if (error != RD_KAFKA_RESP_ERR__QUEUE_FULL) give_up(rd_kafka_err2str(error));
            rd_kafka_poll(client, 20);
        }
        if (++sent % 256 == 0) rd_kafka_poll(client, 0);
    }
    if (rd_kafka_flush(client, 60'000) != RD_KAFKA_RESP_ERR_NO_ERROR || stored != messages.size())
        give_up("not every message was acknowledged");
    const double seconds = seconds_since(begun);
    rd_kafka_destroy(client);
    return seconds;
}

double send_to_mqtt(const Plant& plant, const std::string& uri) {
    constexpr std::size_t kWindow = 100;
    struct Ready {
        std::string topic;
        std::string payload;
    };
    std::vector<Ready> messages;
    worker::SampleJson json;
    const auto directory = plant.directory();
    const worker::DeliveryBatch who{{}, &directory, 1};
    for_each_scan(plant, [&](const SampleBatch& samples, std::uint64_t) {
        for (const auto& sample : samples) {
            const auto& point = directory.at(sample.point);
            auto& message = messages.emplace_back();
            message.topic =
                worker::mqtt::fill_topic("fieldwarden/{site}/{device}/{point}",
                                         {point.site_code, point.device_code, point.point_code, {}, {}});
            json.append(message.payload, who, sample);
        }
    });
    Mqtt state;
    MQTTAsync client = nullptr;
    if (MQTTAsync_create(&client, uri.c_str(), "bench-floor", MQTTCLIENT_PERSISTENCE_NONE, nullptr) != 0)
        give_up("paho does not begin");
    MQTTAsync_connectOptions options = MQTTAsync_connectOptions_initializer;
    options.maxInflight = static_cast<int>(kWindow);
    options.context = &state;
    options.onSuccess = [](void* context, MQTTAsync_successData*) {
        auto& its = *static_cast<Mqtt*>(context);
        const std::lock_guard lock{its.mutex};
        its.connected = true;
        its.changed.notify_all();
    };
    options.onFailure = [](void*, MQTTAsync_failureData*) { give_up("no connection to the broker"); };
    if (MQTTAsync_connect(client, &options) != MQTTASYNC_SUCCESS) give_up("no connection to the broker");
    std::unique_lock lock{state.mutex};
    state.changed.wait(lock, [&] { return state.connected; });
    const auto begun = Steady::now();
    for (std::size_t i = 0; i < messages.size(); ++i) {
        state.changed.wait(lock, [&] { return i < state.answered + kWindow; });
        lock.unlock();
        MQTTAsync_responseOptions response = MQTTAsync_responseOptions_initializer;
        response.context = &state;
        response.onSuccess = [](void* context, MQTTAsync_successData*) {
            auto& its = *static_cast<Mqtt*>(context);
            const std::lock_guard guard{its.mutex};
            ++its.answered;
            its.changed.notify_all();
        };
        response.onFailure = [](void*, MQTTAsync_failureData*) { give_up("a message was lost"); };
        const auto& message = messages[i];
        if (MQTTAsync_send(client, message.topic.c_str(), static_cast<int>(message.payload.size()),
                           message.payload.data(), 1, 0, &response) != MQTTASYNC_SUCCESS)
            give_up("a message was not taken");
        lock.lock();
    }
    state.changed.wait(lock, [&] { return state.answered == messages.size(); });
    const double seconds = seconds_since(begun);
    lock.unlock();
    MQTTAsync_destroy(&client);
    return seconds;
}

}  // namespace fieldwarden::bench
