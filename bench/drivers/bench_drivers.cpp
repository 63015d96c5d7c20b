// Points a second and processor time per million points of every driver, against the plainest client of its
// protocol on the same server. The server runs in a child process, so that all time told here is the client's
// own; driver and plain client take turns, and the median of the turns' ratios counts.
//
//   bench_drivers [--cpus same|split|free] [--seconds S] [--rounds N] [--points N] [--only NAME]
//
// The driver decodes every value and hands out samples with time and quality; the plain client receives the
// bytes and looks at none of them. A server that sends by itself sends a burst to one side's points at a
// time, so that each turn has its own traffic. Client and server are pinned to one CPU (same), to CPU 0 and 1
// (split), or not at all (free).
#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <nlohmann/json.hpp>
#include <numeric>

#include "bench/drivers/rows.h"
#include "worker/drivers/driver.h"

namespace {

using namespace fieldwarden;
using SteadyClock = std::chrono::steady_clock;

using RowsOfProtocol = std::vector<bench::Row> (*)();
constexpr RowsOfProtocol kProtocols[] = {
    bench::modbus_rows,
    bench::mc_rows,
    bench::opcua_rows,
    bench::mqtt_rows,
};

[[noreturn]] void give_up(const std::string& why) {
    fmt::print(stderr, "bench_drivers: {}\n", why);
    std::exit(1);
}

void pin_to(int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0) give_up("cannot pin to a CPU");
}

// A row's server in a child process; gone with this object, or with this process.
class Server {
  public:
    Server(const bench::Row& row, const std::string& cpus, unsigned points) {
        int ends[2];
        int orders[2];
        // Closed in whatever the server starts: the end of the address is the end of the pipe.
        if (pipe2(ends, O_CLOEXEC) != 0 || pipe2(orders, O_CLOEXEC) != 0) give_up("pipe");
        child_ = fork();
        if (child_ < 0) give_up("fork");
        if (child_ == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            if (cpus != "free") pin_to(cpus == "split" ? 1 : 0);
            const auto address = row.serve(points);
            if (address.empty() || write(ends[1], address.data(), address.size()) < 0) _exit(1);
            close(ends[1]);
            for (bench::Side side{}; read(orders[0], &side, sizeof side) > 0;) row.send(side, points);
            for (;;) pause();
        }
        close(ends[1]);
        close(orders[0]);
        orders_ = orders[1];
        std::array<char, 256> buffer{};
        for (ssize_t got = 0; (got = read(ends[0], buffer.data(), buffer.size())) > 0;)
            address_.append(buffer.data(), static_cast<std::size_t>(got));
        close(ends[0]);
        if (address_.empty()) give_up(row.name + ": the server did not start");
    }
    ~Server() {
        kill(child_, SIGKILL);
        waitpid(child_, nullptr, 0);
        close(orders_);
    }
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;
    [[nodiscard]] const std::string& address() const { return address_; }
    void send(bench::Side side) const {
        if (write(orders_, &side, sizeof side) != sizeof side) give_up("the server is gone");
    }

  private:
    pid_t child_ = -1;
    int orders_ = -1;
    std::string address_;
};

double cpu_seconds() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

struct Turn {
    double points_per_second = 0;
    double cpu_per_million = 0;
};

template <class Read>
Turn take_turn(double seconds, std::size_t values, Read read) {
    const double cpu = cpu_seconds();
    const auto begun = SteadyClock::now();
    std::uint64_t count = 0;
    double elapsed = 0;
    do {
        read();
        count += values;
        elapsed = std::chrono::duration<double>(SteadyClock::now() - begun).count();
    } while (elapsed < seconds);
    const auto total = static_cast<double>(count);
    return {total / elapsed, (cpu_seconds() - cpu) / total * 1e6};
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
    std::string only;
};

void check_good(const bench::Row& row, const SampleBatch& samples) {
    const bool good = std::all_of(samples.begin(), samples.end(),
                                  [](const auto& sample) { return sample.quality == Quality::kGood; });
    if (!good) give_up(row.name + ": a sample was not good");
}

// What a driver is asked for, or sent, in one go.
class OurSide {
  public:
    OurSide(const bench::Row& row, const Server& server, worker::Driver& driver, unsigned points)
        : row_(row), server_(server), driver_(driver), due_(points) {
        std::iota(due_.begin(), due_.end(), 0U);
        if (!row.send) return;
        const std::vector<std::chrono::milliseconds> periods(points, std::chrono::milliseconds{10});
        if (const auto done = driver.push_source()->subscribe(periods); !done) give_up(done.error().message);
        // The first values of all points are nobody's turn.
        while (take(std::chrono::milliseconds{500}) > 0) {
        }
    }
    void read_all() {
        if (!row_.send) return read();
        server_.send(bench::Side::kDriver);
        for (std::size_t got = 0; got < due_.size() * row_.values;) {
            const auto more = take(std::chrono::seconds{10});
            if (more == 0) give_up(row_.name + ": values are missing");
            got += more;
        }
    }

  private:
    void read() {
        samples_.clear();
        if (const auto status = driver_.read(due_, samples_); !status) give_up(status.error().message);
        if (samples_.size() != due_.size()) give_up(row_.name + ": samples are missing");
        check_good(row_, samples_);
    }
    std::size_t take(std::chrono::milliseconds wait) {
        samples_.clear();
        which_.clear();
        if (const auto status = driver_.push_source()->take(wait, which_, samples_); !status)
            give_up(status.error().message);
        check_good(row_, samples_);
        return samples_.size();
    }

    const bench::Row& row_;
    const Server& server_;
    worker::Driver& driver_;
    std::vector<std::uint32_t> due_;
    std::vector<std::uint32_t> which_;
    SampleBatch samples_;
};

nlohmann::json compare(const bench::Row& row, const Arguments& arguments) {
    const Server server{row, arguments.cpus, arguments.points};
    if (arguments.cpus != "free") pin_to(0);
    auto made = worker::make_driver(row.device(server.address(), arguments.points));
    if (!made) give_up(made.error().message);
    auto& driver = **made;
    if (const auto connected = driver.connect(); !connected) give_up(connected.error().message);
    const auto plain = row.plain(server.address(), arguments.points);

    OurSide our_side{row, server, driver, arguments.points};
    const auto read_plain = [&] {
        if (row.send) server.send(bench::Side::kPlain);
        if (!plain->read_all()) give_up(row.name + ": the plain client failed");
    };
    const auto values = std::size_t{arguments.points} * row.values;

    std::vector<double> ours, floor, ratio, our_cpu, floor_cpu, cpu_ratio;
    for (unsigned round = 0; round < arguments.rounds; ++round) {
        const auto bare = take_turn(arguments.seconds, values, read_plain);
        const auto driven = take_turn(arguments.seconds, values, [&] { our_side.read_all(); });
        floor.push_back(bare.points_per_second);
        ours.push_back(driven.points_per_second);
        ratio.push_back(driven.points_per_second / bare.points_per_second);
        floor_cpu.push_back(bare.cpu_per_million);
        our_cpu.push_back(driven.cpu_per_million);
        cpu_ratio.push_back(driven.cpu_per_million / bare.cpu_per_million);
    }
    driver.disconnect();
    return {{"name", row.name},
            {"points", arguments.points},
            {"points_per_second", median(ours)},
            {"plain_points_per_second", median(floor)},
            {"ratio", median(ratio)},
            {"cpu_seconds_per_million_points", median(our_cpu)},
            {"plain_cpu_seconds_per_million_points", median(floor_cpu)},
            {"cpu_ratio", median(cpu_ratio)}};
}

}  // namespace

int main(int argc, char** argv) {
    Arguments arguments;
    CLI::App app{"Drivers against the plainest clients of their protocols."};
    app.add_option("--cpus", arguments.cpus)->check(CLI::IsMember({"same", "split", "free"}));
    app.add_option("--seconds", arguments.seconds, "of one turn");
    app.add_option("--rounds", arguments.rounds)->check(CLI::Range(1, 1000));
    app.add_option("--points", arguments.points)->check(CLI::Range(1, 14000));
    app.add_option("--only", arguments.only, "the row of this name");
    CLI11_PARSE(app, argc, argv);
    nlohmann::json rows = nlohmann::json::array();
    for (const auto rows_of : kProtocols) {
        for (const auto& row : rows_of()) {
            if (arguments.only.empty() || arguments.only == row.name) rows.push_back(compare(row, arguments));
        }
    }
    fmt::print("{}\n", nlohmann::json{{"cpus", arguments.cpus}, {"rows", rows}}.dump(2));
    return 0;
}
