// Two claims about Modbus acquisition. The simulated devices run in a child process, so that all CPU time and
// memory told here are the client's own.
//
//   bench_modbus rate [--cpus same|split|free] [--seconds S] [--rounds N] [--points N]
//     Registers a second of driver and pipeline reading as fast as they can, against a bare libmodbus loop
//     that sends the same requests to the same server. The two take turns; medians are compared. Target: >=
//     0.9.
//
//   bench_modbus devices [--cpus …] [--devices N] [--points N] [--seconds S]
//     CPU, private memory and threads of N devices in one task, each read every second.
//
// Client and server are pinned to one CPU (same), to CPU 0 and 1 (split), or not at all (free).
#include <fmt/format.h>
#include <modbus/modbus.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <csignal>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>
#include <thread>

#include "tests/simulator/modbus/modbus_simulator.h"
#include "worker/device_loop.h"
#include "worker/drivers/driver.h"
#include "worker/drivers/read_plan.h"
#include "worker/pipeline.h"

namespace {

using namespace fieldwarden;
using SteadyClock = std::chrono::steady_clock;

constexpr unsigned kFloatsPerRequest = 62;  // 124 of 125 registers

[[noreturn]] void give_up(const std::string& why) {
    fmt::print(stderr, "bench_modbus: {}\n", why);
    std::exit(1);
}

void pin_to(int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0) give_up("cannot pin to a CPU");
}

// Simulated devices in a child process; gone with this object, or with this process.
class Server {
  public:
    Server(unsigned devices, bool static_values, const std::string& cpus) {
        int pipe_ends[2];
        if (pipe(pipe_ends) != 0) give_up("pipe");
        child_ = fork();
        if (child_ < 0) give_up("fork");
        if (child_ == 0) serve(devices, static_values, cpus, pipe_ends[1]);
        close(pipe_ends[1]);
        ports_.resize(devices);
        const auto size = static_cast<ssize_t>(devices * sizeof(std::uint16_t));
        if (::read(pipe_ends[0], ports_.data(), static_cast<std::size_t>(size)) != size)
            give_up("the simulator did not start");
        close(pipe_ends[0]);
    }
    ~Server() {
        kill(child_, SIGKILL);
        waitpid(child_, nullptr, 0);
    }
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;
    [[nodiscard]] std::uint16_t port(std::size_t device = 0) const { return ports_[device]; }

  private:
    [[noreturn]] static void serve(unsigned devices, bool static_values, const std::string& cpus, int out) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (cpus != "free") pin_to(cpus == "split" ? 1 : 0);
        simulator::modbus::SimulatorOptions options;
        options.ports.assign(devices, 0);
        options.static_values = static_values;
        simulator::modbus::ModbusSimulator simulator{options};
        if (const auto started = simulator.start(); !started) give_up(started.error().message);
        const auto& ports = simulator.ports();
        if (write(out, ports.data(), ports.size() * sizeof(ports[0])) < 0) _exit(1);
        for (;;) pause();
    }
    pid_t child_ = -1;
    std::vector<std::uint16_t> ports_;
};

DeviceConfig device_of(std::uint16_t port, unsigned points) {
    DeviceConfig device;
    device.device_code = fmt::format("BENCH_{}", port);
    device.address = fmt::format("127.0.0.1:{}", port);
    for (unsigned i = 0; i < points; ++i) {
        PointConfig point;
        point.id = i + 1;
        point.point_code = fmt::format("P{}", i);
        point.address = fmt::format("hr:{}", 2 + 2 * i);
        point.data_type = {BaseType::kFloat32, 0};
        device.points.push_back(point);
    }
    return device;
}

double seconds_since(SteadyClock::time_point start) {
    return std::chrono::duration<double>(SteadyClock::now() - start).count();
}

// Registers a second of a loop of modbus_read_registers and nothing else.
double bare_rate(modbus_t* context, unsigned points, double seconds) {
    std::array<std::uint16_t, 125> registers{};
    std::uint64_t read = 0;
    const auto start = SteadyClock::now();
    while (seconds_since(start) < seconds) {
        for (unsigned first = 0; first < points; first += kFloatsPerRequest) {
            const int count = static_cast<int>(2 * std::min(kFloatsPerRequest, points - first));
            if (modbus_read_registers(context, static_cast<int>(2 + 2 * first), count, registers.data()) !=
                count)
                give_up("the bare loop failed");
            read += static_cast<std::uint64_t>(count);
        }
    }
    return static_cast<double>(read) / seconds_since(start);
}

// Registers a second of driver and pipeline, every value decoded, judged and ready for delivery.
double our_rate(worker::Driver& driver, const DeviceConfig& device, double seconds) {
    std::vector<std::uint32_t> due(device.points.size());
    std::iota(due.begin(), due.end(), 0U);
    worker::Pipeline pipeline{device.points};
    std::vector<worker::Pipeline::Change> changes;
    SampleBatch samples;
    std::uint64_t read = 0;
    const auto start = SteadyClock::now();
    while (seconds_since(start) < seconds) {
        samples.clear();
        if (!driver.read(due, samples)) give_up("the driver failed");
        pipeline.convert(due, samples);
        pipeline.filter(due, samples, changes);
        if (samples.size() != due.size() || !changes.empty()) give_up("a sample was not good");
        read += 2 * due.size();
    }
    return static_cast<double>(read) / seconds_since(start);
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

struct Arguments {
    std::string cpus = "same";
    double seconds = 0.1;
    unsigned rounds = 41;
    unsigned points = 620;
    unsigned devices = 100;
};

nlohmann::json rate(const Arguments& arguments) {
    const Server server{1, true, arguments.cpus};
    if (arguments.cpus != "free") pin_to(0);
    const auto device = device_of(server.port(), arguments.points);
    const auto driver = std::move(worker::make_driver(device).value());
    if (const auto connected = driver->connect(); !connected) give_up(connected.error().message);
    const std::unique_ptr<modbus_t, decltype(&modbus_free)> bare{modbus_new_tcp("127.0.0.1", server.port()),
                                                                 modbus_free};
    if (modbus_connect(bare.get()) != 0) give_up("the bare loop cannot connect");

    std::vector<double> ours, floors, ratios;
    for (unsigned round = 0; round < arguments.rounds; ++round) {
        floors.push_back(bare_rate(bare.get(), arguments.points, arguments.seconds));
        ours.push_back(our_rate(*driver, device, arguments.seconds));
        ratios.push_back(ours.back() / floors.back());
    }
    modbus_close(bare.get());
    return {{"benchmark", "modbus_rate"},
            {"cpus", arguments.cpus},
            {"float_points", arguments.points},
            {"registers_per_second", median(ours)},
            {"bare_libmodbus_registers_per_second", median(floors)},
            {"ratio", median(ratios)},
            {"target_ratio", 0.9}};
}

double cpu_seconds() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double private_mb() {
    std::ifstream statm{"/proc/self/statm"};
    std::int64_t size = 0, resident = 0, shared = 0;
    statm >> size >> resident >> shared;
    return static_cast<double>((resident - shared) * sysconf(_SC_PAGESIZE)) / 1e6;
}

unsigned threads() {
    std::ifstream status{"/proc/self/status"};
    for (std::string line; std::getline(status, line);) {
        if (line.starts_with("Threads:")) return static_cast<unsigned>(std::stoul(line.substr(8)));
    }
    return 0;
}

nlohmann::json devices(const Arguments& arguments) {
    const Server server{arguments.devices, false, arguments.cpus};
    if (arguments.cpus != "free") pin_to(0);
    std::atomic<std::uint64_t> good = 0, bad = 0;
    const double memory_before = private_mb();
    std::vector<std::unique_ptr<worker::DeviceLoop>> loops;
    for (unsigned i = 0; i < arguments.devices; ++i) {
        worker::DeviceEvents events;
        events.on_samples = [&](SampleBatch&& samples) {
            for (const auto& sample : samples) ++(sample.quality == Quality::kGood ? good : bad);
        };
        loops.push_back(std::make_unique<worker::DeviceLoop>(
            device_of(server.port(i), arguments.points), std::chrono::milliseconds{1000}, std::move(events),
            worker::make_driver, system_clock()));
        if (const auto started = loops.back()->start(false); !started) give_up(started.error().message);
    }
    std::this_thread::sleep_for(std::chrono::seconds{2});
    const double cpu_before = cpu_seconds();
    const auto good_before = good.load();
    const auto start = SteadyClock::now();
    std::this_thread::sleep_for(std::chrono::duration<double>{arguments.seconds});
    const double elapsed = seconds_since(start);
    const double cpu = (cpu_seconds() - cpu_before) / elapsed;
    const double points = static_cast<double>(good - good_before) / elapsed;
    nlohmann::json result{{"benchmark", "modbus_devices"},
                          {"cpus", arguments.cpus},
                          {"devices", arguments.devices},
                          {"float_points_per_device", arguments.points},
                          {"period_ms", 1000},
                          {"points_per_second", points},
                          {"bad_samples", bad.load()},
                          {"cpu_cores", cpu},
                          {"private_mb", private_mb() - memory_before},
                          {"threads", threads()}};
    std::uint64_t missed = 0;
    for (const auto& loop : loops) missed += loop->snapshot().missed_cycles;
    result["missed_cycles"] = missed;
    for (auto& loop : loops) loop->stop();
    return result;
}

}  // namespace

int main(int argc, char** argv) {
    Arguments arguments;
    CLI::App app{"Modbus acquisition, measured."};
    app.require_subcommand(1);
    const auto add_common = [&](CLI::App* verb) {
        verb->add_option("--cpus", arguments.cpus)->check(CLI::IsMember({"same", "split", "free"}));
        verb->add_option("--seconds", arguments.seconds, "of one turn, or of the measurement of devices");
        verb->add_option("--points", arguments.points)->check(CLI::Range(1, 14000));
        return verb;
    };
    auto* rate_verb = add_common(app.add_subcommand("rate", "registers a second against bare libmodbus"));
    rate_verb->add_option("--rounds", arguments.rounds)->check(CLI::Range(1, 1000));
    auto* devices_verb = add_common(app.add_subcommand("devices", "cost of many devices in one task"));
    devices_verb->add_option("--devices", arguments.devices)->check(CLI::Range(1, 900));
    CLI11_PARSE(app, argc, argv);
    if (devices_verb->parsed() && devices_verb->count("--seconds") == 0) arguments.seconds = 5;
    const auto result = rate_verb->parsed() ? rate(arguments) : devices(arguments);
    fmt::print("{}\n", result.dump(2));
    return 0;
}
