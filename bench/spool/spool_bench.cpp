// Spool append against bare write + fdatasync of the same bytes in the same groups, on the same disk, in the
// same run. The spool's share on top: encoding, checksums, sequence numbers, the lock, the copy kept until
// the sync.
//
//   bench_spool [DIRECTORY [ROUNDS]]
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <vector>

#include "common/sample_block.h"
#include "worker/spool.h"

namespace {

using namespace fieldwarden;
using Steady = std::chrono::steady_clock;

constexpr int kSamples = 1'000;  // floats in a scan
constexpr int kScansPerGroup = 10;

SampleBatch scan() {
    SampleBatch samples;
    const auto now = system_clock().utc_now();
    for (int i = 0; i < kSamples; ++i) {
        samples.push_back({static_cast<PointId>(i + 1), Quality::kGood, QualityCode::kNone, now,
                           static_cast<double>(static_cast<float>(i) * 1.5F)});
    }
    return samples;
}

double seconds(Steady::duration duration) {
    return std::chrono::duration<double>(duration).count();
}

double cpu_seconds() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto of = [](const timeval& t) {
        return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
    };
    return of(usage.ru_utime) + of(usage.ru_stime);
}

struct Figures {
    double wall = 0;
    double cpu = 0;
};

Figures bare(const std::string& path, const Bytes& block, int groups) {
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) std::abort();
    const auto started = Steady::now();
    const double cpu = cpu_seconds();
    for (int group = 0; group < groups; ++group) {
        for (int i = 0; i < kScansPerGroup; ++i) {
            if (::write(fd, block.data(), block.size()) != static_cast<ssize_t>(block.size())) std::abort();
        }
        if (::fdatasync(fd) != 0) std::abort();
    }
    const Figures figures{seconds(Steady::now() - started), cpu_seconds() - cpu};
    ::close(fd);
    ::unlink(path.c_str());
    return figures;
}

Figures spooled(const std::string& directory, const SampleBatch& samples, int groups) {
    worker::SpoolOptions options;
    options.directory = directory;
    options.background_sync = false;
    auto spool = worker::Spool::open(options, worker::real_file_system(), system_clock());
    if (!spool || !(*spool)->set_directory(worker::PointDirectory{}) || !(*spool)->set_sinks({"history"})) {
        std::abort();
    }
    const auto started = Steady::now();
    const double cpu = cpu_seconds();
    for (int group = 0; group < groups; ++group) {
        for (int i = 0; i < kScansPerGroup; ++i) {
            if (!(*spool)->append(samples)) std::abort();
        }
        if (!(*spool)->sync()) std::abort();
    }
    const Figures figures{seconds(Steady::now() - started), cpu_seconds() - cpu};
    spool->reset();
    std::filesystem::remove_all(directory);
    return figures;
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
    std::string directory = argc > 1 ? argv[1] : "/tmp/fw-bench-spool-XXXXXX";
    if (argc <= 1 && ::mkdtemp(directory.data()) == nullptr) return 1;
    const int rounds = argc > 2 ? std::atoi(argv[2]) : 7;
    constexpr int kGroups = 100;
    const auto samples = scan();
    Bytes block;
    encode_sample_block(samples, block);

    std::vector<double> ratios;
    std::vector<double> spool_rates;
    std::vector<double> bare_rates;
    std::vector<double> cpu_ns;
    constexpr double kTotal = static_cast<double>(kGroups) * kScansPerGroup * kSamples;
    for (int round = 0; round < rounds; ++round) {
        // In turns, so that both meet the same disk.
        const auto floor = bare(directory + "/bare", block, kGroups);
        const auto ours = spooled(directory + "/spool", samples, kGroups);
        bare_rates.push_back(kTotal / floor.wall);
        spool_rates.push_back(kTotal / ours.wall);
        ratios.push_back(floor.wall / ours.wall);
        cpu_ns.push_back((ours.cpu - floor.cpu) * 1e9 / kTotal);
    }
    if (argc <= 1) std::filesystem::remove_all(directory);
    const nlohmann::json result{
        {"benchmark", "spool"},
        {"claim", "spool append against bare write + fdatasync of the same bytes in the same groups"},
        {"bytes_per_group", block.size() * kScansPerGroup},
        {"samples_per_group", kSamples * kScansPerGroup},
        {"spool_samples_per_second", median(spool_rates)},
        {"bare_samples_per_second", median(bare_rates)},
        {"ratio", median(ratios)},
        {"extra_cpu_ns_per_sample", median(cpu_ns)},
        {"rounds", rounds}};
    fmt::print("{}\n", result.dump(2));
    return 0;
}
