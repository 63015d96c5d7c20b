// 100,000 float points a second over 10 tasks, each a worker process that reads a simulated Modbus device of
// 10,000 floats once a second, spools every sample durably and stores it in the embedded history.
//
// Reports processor time and proportional memory of all workers and of this program, which stands in for the
// supervisor; the simulator runs in a process of its own and is not counted.
//
//   bench_throughput [SECONDS [TASKS [POINTS_PER_TASK [PERIOD_MS]]]]
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "common/data_paths.h"
#include "common/history/history_reader.h"
#include "proto/wire.h"
#include "tests/simulator/modbus/modbus_simulator.h"
#include "tests/unit/proto/wire_socket.h"

namespace {

using namespace fieldwarden;
using namespace std::chrono_literals;
using Steady = std::chrono::steady_clock;

constexpr double kTargetCores = 0.25;
constexpr double kTargetMegabytes = 100;

// The simulator in a child process; its ports come back through a pipe.
pid_t start_simulator(std::size_t devices, std::vector<std::uint16_t>& ports) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) std::abort();
    const pid_t pid = ::fork();
    if (pid == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        simulator::modbus::SimulatorOptions options;
        options.ports.assign(devices, 0);
        simulator::modbus::ModbusSimulator simulator{options};
        if (!simulator.start()) ::_exit(1);
        const auto& given = simulator.ports();
        const auto size = static_cast<ssize_t>(given.size() * sizeof(given[0]));
        if (::write(ends[1], given.data(), static_cast<std::size_t>(size)) != size) ::_exit(1);
        for (;;) ::pause();
    }
    ::close(ends[1]);
    ports.resize(devices);
    const auto size = static_cast<ssize_t>(devices * sizeof(ports[0]));
    if (::read(ends[0], ports.data(), static_cast<std::size_t>(size)) != size) std::abort();
    ::close(ends[0]);
    return pid;
}

TaskConfig make_task(int number, std::uint16_t port, int points, std::chrono::milliseconds period) {
    TaskConfig task;
    task.task_code = fmt::format("BENCH_{:02}", number);
    task.revision = 1;
    task.period = period;
    DeviceConfig device;
    device.device_code = fmt::format("DEV_{:02}", number);
    device.device_name = fmt::format("Device {}", number);
    device.site_code = "SITE";
    device.protocol = Protocol::kModbusTcp;
    device.address = fmt::format("127.0.0.1:{}", port);
    for (int i = 0; i < points; ++i) {
        PointConfig point;
        point.id = static_cast<PointId>(number * 1'000'000 + i + 1);
        point.point_code = fmt::format("P{:02}_{:05}", number, i);
        point.address = fmt::format("hr:{}", 2 + 2 * i);
        point.data_type = {BaseType::kFloat32, 0};
        device.points.push_back(std::move(point));
    }
    task.devices.push_back(std::move(device));
    return task;
}

double cpu_seconds(pid_t pid) {
    std::ifstream file{fmt::format("/proc/{}/stat", pid)};
    std::string line;
    std::getline(file, line);
    std::istringstream fields{line.substr(line.rfind(')') + 2)};
    std::string field;
    double ticks = 0;
    for (int number = 3; number <= 15 && fields >> field; ++number) {
        if (number >= 14) ticks += std::atof(field.c_str());
    }
    return ticks / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

double pss_megabytes(pid_t pid) {
    std::ifstream file{fmt::format("/proc/{}/smaps_rollup", pid)};
    std::string word;
    while (file >> word) {
        if (word != "Pss:") continue;
        double kilobytes = 0;
        file >> kilobytes;
        return kilobytes / 1024;
    }
    return 0;
}

struct Worker {
    TaskConfig task;
    pid_t pid = -1;
    proto::WireSocket socket;
    bool ready = false;
    proto::Heartbeat beat;
};

class Fleet {
  public:
    explicit Fleet(const std::string& data_dir)
        : data_dir_(data_dir), listener_(make_directories(data_dir + "/run") ? control_socket() : "") {
        if (listener_.fd() < 0) std::abort();
    }
    ~Fleet() {
        for (auto& [key, worker] : workers) {
            if (::waitpid(worker.pid, nullptr, WNOHANG) == worker.pid) continue;
            ::kill(worker.pid, SIGKILL);
            ::waitpid(worker.pid, nullptr, 0);
        }
    }
    void launch(TaskConfig task) {
        const auto key = fmt::format("bench-{}", workers.size());
        std::vector<std::string> texts{fmt::format("{}={}", proto::kEnvLaunchKey, key),
                                       fmt::format("{}={}", proto::kEnvControl, control_socket()),
                                       fmt::format("{}={}", proto::kEnvDataDir, data_dir_),
                                       fmt::format("{}={}", proto::kEnvTask, task.task_code)};
        std::vector<char*> env;
        for (auto& text : texts) env.push_back(text.data());
        env.push_back(nullptr);
        std::string program = FIELDWARDEN_WORKER;
        char* argv[] = {program.data(), nullptr};
        Worker worker;
        worker.task = std::move(task);
        if (::posix_spawn(&worker.pid, program.c_str(), nullptr, nullptr, argv, env.data()) != 0)
            std::abort();
        workers.emplace(key, std::move(worker));
    }
    void run_until(
        Steady::time_point end, const std::function<bool()>& done = [] { return false; }) {
        while (!done() && Steady::now() < end) {
            std::vector<pollfd> waits{{listener_.fd(), POLLIN, 0}};
            for (const auto& stranger : strangers_) waits.push_back({stranger.fd(), POLLIN, 0});
            for (const auto& [key, worker] : workers) waits.push_back({worker.socket.fd(), POLLIN, 0});
            ::poll(waits.data(), waits.size(), 50);
            read_all();
        }
    }
    std::map<std::string, Worker> workers;

  private:
    [[nodiscard]] std::string control_socket() const { return data_dir_ + "/run/control.sock"; }

    void read_all() {
        while (auto socket = listener_.accept()) strangers_.push_back(std::move(*socket));
        for (auto& stranger : strangers_) {
            const auto message = stranger.receive();
            const auto* hello = message ? std::get_if<proto::Hello>(&*message) : nullptr;
            if (hello == nullptr) continue;
            auto& worker = workers.at(hello->launch_key);
            worker.socket = std::move(stranger);
            proto::Welcome welcome;
            welcome.config = worker.task;
            worker.socket.send(welcome);
        }
        std::erase_if(strangers_, [](const auto& socket) { return !socket.is_open(); });
        for (auto& [key, worker] : workers) {
            while (const auto message = worker.socket.receive()) {
                if (const auto* beat = std::get_if<proto::Heartbeat>(&*message)) {
                    worker.beat = *beat;
                    worker.socket.send(proto::BeatAck{beat->seq});
                }
                if (std::holds_alternative<proto::Ready>(*message)) worker.ready = true;
            }
        }
    }

    std::string data_dir_;
    proto::WireListener listener_;
    std::vector<proto::WireSocket> strangers_;
};

struct Totals {
    double cpu = 0;
    double own_cpu = 0;
    std::uint64_t read = 0;
    std::uint64_t delivered = 0;
    std::uint64_t missed = 0;
};

Totals totals(const Fleet& fleet) {
    Totals total;
    for (const auto& [key, worker] : fleet.workers) {
        total.cpu += cpu_seconds(worker.pid);
        total.read += worker.beat.points_good;
        total.delivered += worker.beat.points_delivered;
        total.missed += worker.beat.missed_cycles;
    }
    total.own_cpu = cpu_seconds(::getpid());
    return total;
}

}  // namespace

int main(int argc, char** argv) {
    const auto number = [&](int index, int fallback) {
        return argc > index ? std::atoi(argv[index]) : fallback;
    };
    const int duration = number(1, 30);
    const int tasks = number(2, 10);
    const int points = number(3, 10'000);
    const std::chrono::milliseconds period{number(4, 1'000)};
    std::string data_dir = "/tmp/fw-bench-throughput-XXXXXX";
    if (::mkdtemp(data_dir.data()) == nullptr) return 1;
    std::vector<std::uint16_t> ports;
    const pid_t simulator = start_simulator(static_cast<std::size_t>(tasks), ports);
    nlohmann::json result;
    {
        Fleet fleet{data_dir};
        for (int i = 0; i < tasks; ++i)
            fleet.launch(make_task(i, ports[static_cast<std::size_t>(i)], points, period));
        const auto all_deliver = [&] {
            for (const auto& [key, worker] : fleet.workers) {
                if (worker.beat.points_delivered == 0) return false;
            }
            return true;
        };
        fleet.run_until(Steady::now() + 60s, all_deliver);
        const auto before = totals(fleet);
        const auto started = Steady::now();
        fleet.run_until(started + std::chrono::seconds{duration});
        const auto after = totals(fleet);
        const double seconds = std::chrono::duration<double>(Steady::now() - started).count();
        double pss = 0;
        for (const auto& [key, worker] : fleet.workers) pss += pss_megabytes(worker.pid);
        const double own_pss = pss_megabytes(::getpid());
        const double cores = (after.cpu - before.cpu) / seconds;
        const double own_cores = (after.own_cpu - before.own_cpu) / seconds;
        const double expected =
            static_cast<double>(tasks) * points * 1000 / static_cast<double>(period.count());

        for (auto& [key, worker] : fleet.workers) worker.socket.send(proto::Stop{10s});
        std::uint64_t dropped = 0;
        for (const auto& [key, worker] : fleet.workers) dropped += worker.beat.spool_dropped;
        fleet.run_until(Steady::now() + 15s, [&] {
            for (auto& [key, worker] : fleet.workers) {
                if (worker.pid > 0 && ::kill(worker.pid, 0) == 0 &&
                    ::waitpid(worker.pid, nullptr, WNOHANG) == 0)
                    return false;
            }
            return true;
        });
        // What a user gets back out: the last minute of one point of the last task.
        HistoryQuery query;
        query.point_codes = {fmt::format("P{:02}_{:05}", tasks - 1, points / 2)};
        const auto query_started = Steady::now();
        const auto found = query_history(data_dir, fmt::format("BENCH_{:02}", tasks - 1), query);
        const double query_ms =
            std::chrono::duration<double, std::milli>(Steady::now() - query_started).count();
        std::uintmax_t disk = 0;
        for (const auto& entry : std::filesystem::recursive_directory_iterator(data_dir)) {
            if (entry.is_regular_file()) disk += entry.file_size();
        }
        result = {{"benchmark", "throughput"},
                  {"claim",
                   "100,000 float points a second over 10 tasks with spool and history: under a quarter of "
                   "one core and 100 MB"},
                  {"tasks", tasks},
                  {"points_per_task", points},
                  {"period_ms", period.count()},
                  {"seconds", seconds},
                  {"points_per_second_wanted", expected},
                  {"points_per_second_read", static_cast<double>(after.read - before.read) / seconds},
                  {"points_per_second_in_history",
                   static_cast<double>(after.delivered - before.delivered) / seconds},
                  {"missed_cycles", after.missed - before.missed},
                  {"samples_dropped", dropped},
                  {"cores", cores + own_cores},
                  {"cores_workers", cores},
                  {"cores_supervisor_stand_in", own_cores},
                  {"cores_target", kTargetCores},
                  {"cores_ratio", (cores + own_cores) / kTargetCores},
                  {"pss_mb", pss + own_pss},
                  {"pss_mb_workers", pss},
                  {"pss_mb_target", kTargetMegabytes},
                  {"history_samples_of_one_point", found ? found->size() : 0},
                  {"history_query_ms", query_ms},
                  {"disk_mb", static_cast<double>(disk) / 1e6},
                  {"met", cores + own_cores < kTargetCores && pss + own_pss < kTargetMegabytes}};
    }
    ::kill(simulator, SIGKILL);
    ::waitpid(simulator, nullptr, 0);
    std::filesystem::remove_all(data_dir);
    fmt::print("{}\n", result.dump(2));
    return 0;
}
