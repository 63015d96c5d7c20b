// Our side of bench/sinks: scans through spool, flusher and sink into a real store. Prints one JSON object.
//
//   bench_sinks drain --type T --url U [--option K=V…] --first EPOCH_S …   as fast as the store takes them
//   bench_sinks latency --type T --url U [--option K=V…] --seconds S …     at the devices' own pace
//   bench_sinks content --type postgres|influxdb --to FOLDER …             the same rows for a bare client
//   bench_sinks floor --type kafka|mqtt --url U …                          the same rows sent by one,
//   bench_sinks floor --type history [--url keyed] --to FOLDER …           or written by SQLite: floors.h
//
// `drain` measures from an append until the sink's cursor has passed the last record, on a connection that
// has delivered one scan. `latency` measures from a sample's time until the store has acknowledged it. The
// spool is on disk with its default fsync window.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "bench/sinks/floors.h"
#include "bench/sinks/plant.h"
#include "worker/flusher.h"
#include "worker/spool.h"

namespace {

using namespace fieldwarden;
using namespace std::chrono_literals;
using Steady = std::chrono::steady_clock;

constexpr auto kPatience = 120s;

[[noreturn]] void give_up(const std::string& why) {
    fmt::print(stderr, "bench_sinks: {}\n", why);
    std::exit(1);
}

struct Arguments {
    SinkConfig sink;
    std::vector<std::string> options;
    bench::Plant plant;
    std::int64_t first = 1'790'000'000;
    double seconds = 10;
    std::string folder = "/tmp";
    std::string topic = "fieldwarden.points";
    std::size_t lines = 5'000;
};

// Notes for every sample how long after its time the sink has answered that it is stored.
class TimedSink : public worker::Sink {
  public:
    TimedSink(std::unique_ptr<worker::Sink> inner, std::vector<double>& ages, std::mutex& mutex)
        : inner_(std::move(inner)), ages_(ages), mutex_(mutex) {}
    Status open() override { return inner_->open(); }
    worker::DeliveryOutcome deliver(const worker::DeliveryBatch& batch) override {
        auto outcome = inner_->deliver(batch);
        const auto now = system_clock().utc_now();
        const std::lock_guard lock{mutex_};
        for (std::size_t i = 0; i < outcome.verdicts.size(); ++i) {
            if (outcome.verdicts[i] != worker::Verdict::kAccepted) continue;
            for (const auto& sample : batch.records[i].samples)
                ages_.push_back(std::chrono::duration<double, std::milli>(now - sample.time).count());
        }
        return outcome;
    }
    [[nodiscard]] bool knows_directory(std::uint64_t version) const override {
        return inner_->knows_directory(version);
    }
    [[nodiscard]] Limits limits() const override { return inner_->limits(); }
    Result<std::string> probe() override { return inner_->probe(); }
    void interrupt() override { inner_->interrupt(); }

  private:
    std::unique_ptr<worker::Sink> inner_;
    std::vector<double>& ages_;
    std::mutex& mutex_;
};

// A spool with one sink behind it, in a folder of its own that goes with it.
class Line {
  public:
    explicit Line(const Arguments& arguments) {
        folder_ = arguments.folder + "/fw-bench-sinks-XXXXXX";
        if (::mkdtemp(folder_.data()) == nullptr) give_up("cannot make " + folder_);
        worker::SpoolOptions options;
        options.directory = folder_ + "/spool";
        auto opened = worker::Spool::open(std::move(options), worker::real_file_system(), system_clock());
        if (!opened) give_up(opened.error().message);
        spool_ = std::move(*opened);
        const auto code = arguments.sink.sink_code;
        if (!spool_->set_directory(arguments.plant.directory()) || !spool_->set_sinks({code}))
            give_up("the spool cannot be set up");
        auto config = arguments.sink;
        for (const auto& option : arguments.options) {
            const auto equals = option.find('=');
            if (equals == std::string::npos) give_up("no KEY=VALUE: " + option);
            config.options[option.substr(0, equals)] = option.substr(equals + 1);
        }
        // A name of its own in every run: stores that keep a cursor begin anew.
        const auto task = fmt::format("BENCH_{}", system_clock().utc_now().time_since_epoch().count());
        auto sink = worker::make_sink(config, {folder_, task, {}, {}});
        if (!sink) give_up(sink.error().message);
        worker::FlusherOptions flushing;
        flushing.sink_code = code;
        flushing.dead_letters_path = folder_ + "/dead.jsonl";
        flushing.log = [](proto::LogLevel, const std::string& line) { fmt::print(stderr, "{}\n", line); };
        flusher_ = std::make_unique<worker::Flusher>(
            std::move(flushing), std::make_unique<TimedSink>(std::move(*sink), ages_, mutex_),
            spool_->reader(code), system_clock());
    }
    ~Line() {
        flusher_.reset();
        spool_.reset();
        std::filesystem::remove_all(folder_);
    }
    Line(const Line&) = delete;
    Line& operator=(const Line&) = delete;

    void start() { flusher_->start(); }
    void append(const SampleBatch& samples) {
        if (auto done = spool_->append(samples); !done) give_up(done.error().message);
    }
    // Until everything appended is stored.
    void finish(std::uint64_t rows) {
        const auto deadline = Steady::now() + kPatience;
        for (;;) {
            const auto stats = flusher_->stats();
            if (stats.pending == 0 && stats.delivered == rows) return;
            if (stats.dead != 0) give_up("refused: " + stats.dead_reason);
            if (Steady::now() > deadline) give_up("not all was delivered: " + stats.last_error);
            std::this_thread::sleep_for(500us);
        }
    }
    std::vector<double> ages() {
        const std::lock_guard lock{mutex_};
        return ages_;
    }

  private:
    std::string folder_;
    std::mutex mutex_;
    std::vector<double> ages_;
    std::unique_ptr<worker::Spool> spool_;
    std::unique_ptr<worker::Flusher> flusher_;
};

nlohmann::json told(std::uint64_t rows, double seconds) {
    return {{"rows", rows}, {"seconds", seconds}, {"rows_per_second", static_cast<double>(rows) / seconds}};
}

nlohmann::json drain(const Arguments& arguments) {
    const auto& plant = arguments.plant;
    // What a device read is there before it is spooled.
    std::vector<SampleBatch> scans;
    for (unsigned number = 0; number < plant.scans; ++number) {
        for (unsigned device = 0; device < plant.devices; ++device)
            scans.push_back(plant.scan(device, number, plant.time_of(device, number)));
    }
    Line line{arguments};
    line.start();
    line.append(plant.scan(0, 0, plant.first - 1s));
    line.finish(plant.points);
    const auto begun = Steady::now();
    for (const auto& scan : scans) line.append(scan);
    line.finish(plant.rows() + plant.points);
    return told(plant.rows(), std::chrono::duration<double>(Steady::now() - begun).count());
}

nlohmann::json latency(const Arguments& arguments) {
    const auto& plant = arguments.plant;
    constexpr auto kPeriod = std::chrono::microseconds{1s};
    // The first second is spent on connections and tables, and is not counted.
    const auto scans = static_cast<unsigned>(arguments.seconds) + 1;
    Line line{arguments};
    line.start();
    const auto begun = Steady::now();
    for (unsigned number = 0; number < scans; ++number) {
        for (unsigned device = 0; device < plant.devices; ++device) {
            std::this_thread::sleep_until(begun + kPeriod * number + kPeriod * device / plant.devices);
            line.append(plant.scan(device, number, system_clock().utc_now()));
        }
    }
    line.finish(std::uint64_t{plant.devices} * plant.points * scans);
    auto ages = line.ages();
    ages.erase(ages.begin(), ages.begin() + static_cast<std::ptrdiff_t>(plant.devices * plant.points));
    std::sort(ages.begin(), ages.end());
    const auto at = [&](double share) {
        return ages[static_cast<std::size_t>(share * static_cast<double>(ages.size() - 1))];
    };
    return {{"samples", ages.size()},
            {"points_per_second", std::uint64_t{plant.devices} * plant.points},
            {"p50_ms", at(0.5)},
            {"p99_ms", at(0.99)},
            {"max_ms", ages.back()}};
}

}  // namespace

int main(int argc, char** argv) {
    Arguments arguments;
    CLI::App app{"Rows a second and latency of the sinks."};
    app.require_subcommand(1);
    auto& sink = arguments.sink;
    sink.sink_code = "bench";
    app.add_option("--type", sink.type)->required();
    app.add_option("--url", sink.url, "of the store; for the floors in their own client's form");
    app.add_option("--option", arguments.options, "KEY=VALUE of the sink");
    app.add_option("--devices", arguments.plant.devices);
    app.add_option("--points", arguments.plant.points, "of each device");
    app.add_option("--scans", arguments.plant.scans, "of each device");
    app.add_option("--first", arguments.first, "time of the first scan, seconds since 1970");
    app.add_option("--seconds", arguments.seconds);
    app.add_option("--to", arguments.folder, "folder for the spool or the content");
    app.add_option("--topic", arguments.topic);
    app.add_option("--lines", arguments.lines, "of one body");
    app.fallthrough();
    auto* drains = app.add_subcommand("drain");
    auto* delays = app.add_subcommand("latency");
    auto* writes = app.add_subcommand("content");
    auto* floors = app.add_subcommand("floor");
    CLI11_PARSE(app, argc, argv);
    auto& plant = arguments.plant;
    plant.first = UtcTime{std::chrono::seconds{arguments.first}};
    nlohmann::json result;
    if (drains->parsed()) result = drain(arguments);
    if (delays->parsed()) result = latency(arguments);
    if (writes->parsed()) {
        if (sink.type == "postgres") bench::write_rows(plant, arguments.folder);
        if (sink.type == "influxdb") bench::write_lines(plant, arguments.folder, sink.url, arguments.lines);
        result = {{"rows", plant.rows()}};
    }
    if (floors->parsed()) {
        if (sink.type == "kafka")
            result = told(plant.rows(), bench::send_to_kafka(plant, sink.url, arguments.topic));
        if (sink.type == "mqtt") result = told(plant.rows(), bench::send_to_mqtt(plant, sink.url));
        if (sink.type == "history") {
            const bool keyed = sink.url == "keyed";
            result = told(plant.rows(), bench::write_to_sqlite(plant, arguments.folder, keyed));
        }
    }
    fmt::print("{}\n", result.dump(2));
    return 0;
}
