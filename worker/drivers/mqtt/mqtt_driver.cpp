#include "worker/drivers/mqtt/mqtt_driver.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "worker/drivers/mqtt/topic.h"

namespace fieldwarden::worker::mqtt {

namespace {

constexpr std::size_t kMostUnsubscribed = 1000;

MonoTime mono_now() {
    return system_clock().mono_now();
}

nlohmann::json json_of(const Value& raw) {
    return std::visit(
        [](const auto& value) -> nlohmann::json {
            if constexpr (std::is_same_v<std::decay_t<decltype(value)>, std::monostate>) {
                return nullptr;
            } else {
                return value;
            }
        },
        raw);
}

std::string dumped(const nlohmann::json& json) {
    return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string topic_of_write(const Settings& settings, const Point& point) {
    constexpr std::string_view kPlace = "{topic}";
    if (settings.write_topic.empty()) return point.address.topic;
    auto topic = settings.write_topic;
    if (const auto at = topic.find(kPlace); at != std::string::npos)
        topic.replace(at, kPlace.size(), point.address.topic);
    return topic;
}

}  // namespace

Result<std::unique_ptr<Driver>> make_mqtt(const DeviceConfig& config) {
    auto settings = read_settings(config);
    if (!settings) return settings.error();
    return std::unique_ptr<Driver>{std::make_unique<MqttDriver>(std::move(*settings))};
}

Result<std::string> write_payload(const Settings& settings, const Point& point, const Value& raw) {
    switch (settings.write_payload) {
        case WritePayload::kPlain:
            if (point.address.is_json && settings.write_topic.empty()) {
                return make_error(
                    ErrorKind::kInvalidArgument,
                    fmt::format(
                        "{} is part of a JSON message, which a plain value would replace for everybody "
                        "who reads it; set option write_topic, or write_payload=member",
                        format_mqtt_address(point.address)));
            }
            if (const auto* text = std::get_if<std::string>(&raw)) return *text;
            return dumped(json_of(raw));
        case WritePayload::kValue:
            return dumped({{"value", json_of(raw)}});
        case WritePayload::kMember: {
            auto json = json_of(raw);
            const auto& pointer = point.address.pointer;
            if (pointer.empty()) return dumped({{"value", std::move(json)}});
            for (auto part = pointer.rbegin(); part != pointer.rend(); ++part)
                json = nlohmann::json{{*part, std::move(json)}};
            return dumped(json);
        }
    }
    return make_error(ErrorKind::kInternal, "unknown write_payload");
}

MqttDriver::MqttDriver(Settings settings)
    : settings_(std::move(settings)),
      table_(settings_),
      inbox_(settings_.queue_size, [this](const std::string& topic) { return table_.points_of(topic); }) {}

Status MqttDriver::connect() {
    moved();
    const auto refuse = [&](const Error& error) {
        failed_step_ = ConnectStep::kConnect;
        return error;
    };
    if (inbox_.interrupted())
        return refuse(broker_error(settings_, ErrorKind::kUnavailable, "connecting was interrupted"));
    session_ = std::make_unique<Session>(settings_, inbox_, activity_);
    ++stats_.requests;
    auto status = session_->connect();
    moved();
    if (!status) {
        failed_step_ = session_->failed_step();
        if (status.error().kind == ErrorKind::kTimeout) ++stats_.timeouts;
        session_.reset();
    }
    return status;
}

void MqttDriver::disconnect() {
    session_.reset();
    subscribed_ = false;
    inbox_.reset();
}

std::optional<Error> MqttDriver::broken() const {
    if (inbox_.interrupted())
        return broker_error(settings_, ErrorKind::kUnavailable, "waiting for messages was interrupted");
    if (session_ == nullptr) return broker_error(settings_, ErrorKind::kUnavailable, "not connected");
    if (auto why = inbox_.lost()) return broker_error(settings_, ErrorKind::kUnavailable, *why);
    return std::nullopt;
}

Status MqttDriver::subscribe(std::span<const std::chrono::milliseconds>) {
    if (auto error = broken()) return *error;
    if (subscribed_) return {};
    failed_step_ = ConnectStep::kRead;
    table_.begin_connection();
    const auto began = mono_now();
    std::vector<std::string> refused;
    ++stats_.requests;
    const auto status = session_->subscribe(settings_.filters, refused);
    moved();
    if (!status) {
        if (status.error().kind == ErrorKind::kTimeout) ++stats_.timeouts;
        return status;
    }
    const auto took = mono_now() - began;
    stats_.response_times.add(took);
    stats_.last_response_ms = std::chrono::duration<double, std::milli>(took).count();
    for (const auto& filter : settings_.filters) stats_.bytes_sent += filter.size();

    const auto now = system_clock().utc_now();
    table_.watch(mono_now());
    if (session_->was_present() && settings_.qos > 0) table_.resume(now, pending_);
    for (std::size_t i = 0; i < refused.size(); ++i) {
        if (refused[i].empty()) continue;
        ++stats_.exceptions;
        stats_.last_refusal =
            fmt::format("the broker refuses the subscription to '{}': {}", settings_.filters[i], refused[i]);
        for (std::uint32_t point = 0; point < settings_.points.size(); ++point) {
            const auto& topic = settings_.points[point].address.topic;
            if (!matches(settings_.filters[i], topic)) continue;
            bool reachable = false;
            for (std::size_t other = 0; other < refused.size(); ++other) {
                reachable = reachable || (refused[other].empty() && !settings_.filters_are_topics &&
                                          matches(settings_.filters[other], topic));
            }
            if (!reachable) table_.refuse(point, now, pending_);
        }
    }
    subscribed_ = true;
    return {};
}

void MqttDriver::process() {
    auto messages = inbox_.take();
    const auto before = pending_.samples.size();
    for (const auto& message : messages) {
        if (table_.points_of(message.topic) == 0) {
            drop_old_subscription(message.topic);
            continue;
        }
        table_.apply(message, pending_);
    }
    process_silence();
    stats_.updates += pending_.samples.size() - before;
    stats_.overflowed = inbox_.overflowed();
    stats_.bytes_received = inbox_.bytes_received();
    stats_.broken_answers = table_.undecodable;
    if (!table_.last_refusal.empty()) stats_.last_refusal = std::exchange(table_.last_refusal, {});
}

void MqttDriver::process_silence() {
    if (subscribed_) table_.go_stale(mono_now(), system_clock().utc_now(), pending_);
}

// The session at the broker outlives a change of the configuration, and with it the subscriptions to topics
// that no point has any more.
void MqttDriver::drop_old_subscription(const std::string& topic) {
    if (!settings_.filters_are_topics || session_ == nullptr) return;
    if (unsubscribed_.size() >= kMostUnsubscribed || !unsubscribed_.insert(topic).second) return;
    session_->unsubscribe(topic);
}

Status MqttDriver::take(std::chrono::milliseconds wait, std::vector<std::uint32_t>& which, SampleBatch& out) {
    moved();
    stats_.last_refusal.clear();
    if (pending_.samples.empty() && !broken()) {
        auto deadline = mono_now() + wait;
        if (const auto stale = table_.next_stale()) deadline = std::min(deadline, *stale);
        inbox_.wait(deadline);
    }
    // What came before the connection broke is taken all the same.
    auto error = broken();
    process();
    which.insert(which.end(), pending_.which.begin(), pending_.which.end());
    out.insert(out.end(), std::make_move_iterator(pending_.samples.begin()),
               std::make_move_iterator(pending_.samples.end()));
    pending_ = {};
    if (!error) return {};
    failed_step_ = ConnectStep::kRead;
    if (session_ != nullptr && !inbox_.interrupted()) ++stats_.lost_connections;
    return *error;
}

Status MqttDriver::read(std::span<const std::uint32_t> due, SampleBatch& out) {
    moved();
    stats_.last_refusal.clear();
    Status status;
    if (!subscribed_) {
        status = subscribe({});
        const auto deadline = mono_now() + settings_.timeout;
        const auto waiting = [&] {
            return std::any_of(due.begin(), due.end(), [&](auto point) { return !table_.has_spoken(point); });
        };
        while (status && !broken() && waiting() && mono_now() < deadline) {
            inbox_.wait(deadline);
            process();
        }
    } else {
        process();
    }
    if (status) {
        if (auto error = broken()) status = *error;
    }
    const auto now = system_clock().utc_now();
    for (const auto point : due) {
        if (status) {
            out.push_back(table_.last(point, now));
            if (!table_.has_spoken(point) && stats_.last_refusal.empty()) {
                stats_.last_refusal =
                    fmt::format("no message has come on topic {} yet", settings_.points[point].address.topic);
            }
        } else {
            out.push_back({.point = settings_.points[point].id,
                           .quality = Quality::kBad,
                           .code = QualityCode::kDisconnected,
                           .time = now,
                           .value = {}});
        }
    }
    if (!status) failed_step_ = ConnectStep::kRead;
    return status;
}

Status MqttDriver::write(std::uint32_t point, const Value& raw) {
    moved();
    if (auto error = broken()) return *error;
    const auto& target = settings_.points[point];
    const auto payload = write_payload(settings_, target, raw);
    if (!payload) return payload.error();
    const auto topic = topic_of_write(settings_, target);
    ++stats_.requests;
    const auto began = mono_now();
    const auto status = session_->publish(topic, *payload);
    moved();
    if (status) {
        stats_.bytes_sent += topic.size() + payload->size();
        stats_.response_times.add(mono_now() - began);
    } else if (status.error().kind == ErrorKind::kTimeout) {
        ++stats_.timeouts;
    }
    return status;
}

void MqttDriver::interrupt() {
    inbox_.interrupt();
}

void MqttDriver::wake() {
    inbox_.wake();
}

std::optional<UtcTime> MqttDriver::confirmed_at() const {
    return inbox_.last_arrival();
}

}  // namespace fieldwarden::worker::mqtt
