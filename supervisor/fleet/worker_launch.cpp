#include "supervisor/fleet/worker_launch.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <string_view>

#include "common/data_paths.h"
#include "proto/wire.h"
#include "supervisor/plant/schema.h"

namespace fieldwarden::supervisor {

namespace {

constexpr std::size_t kTailBytes = 4096;
// PGPASSWORD is that of our store: a worker would offer it to every PostgreSQL that is a sink.
constexpr std::array<std::string_view, 7> kOursAlone{
    "FIELDWARDEN_", "NOTIFY_SOCKET", "WATCHDOG_", "LISTEN_", "INVOCATION_ID", "JOURNAL_STREAM", "PGPASSWORD"};

std::map<std::string, std::string> inherited_environment() {
    std::map<std::string, std::string> kept;
    for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
        const std::string_view text = *entry;
        const auto equals = text.find('=');
        if (equals == std::string_view::npos || equals == 0) continue;
        if (std::ranges::any_of(kOursAlone, [&](auto ours) { return text.starts_with(ours); })) continue;
        kept.emplace(text.substr(0, equals), text.substr(equals + 1));
    }
    return kept;
}

// Crash output may be anything: control characters would spoil a terminal that shows the log. (What is not
// UTF-8 is replaced where JSON is made.)
std::string printable(std::string text) {
    for (auto& c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if ((byte < 0x20 && c != '\n' && c != '\t') || byte == 0x7f) c = ' ';
    }
    return text;
}

}  // namespace

std::string worker_program(const WorkerSettings& settings) {
    if (!settings.program.empty()) return settings.program;
    std::error_code error;
    const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
    return error ? "fieldwarden-worker" : (self.parent_path() / "fieldwarden-worker").string();
}

WorkerLaunch::WorkerLaunch(const Settings& settings, std::string endpoint)
    : program_(worker_program(settings.worker)),
      data_dir_(settings.server.data_dir),
      environment_(inherited_environment()) {
    environment_[proto::kEnvControl] = std::move(endpoint);
    environment_[proto::kEnvDataDir] = data_dir_;
}

LaunchSpec WorkerLaunch::spec(const std::string& launch_key, const std::string& task_code,
                              std::int64_t session_id) const {
    LaunchSpec spec;
    spec.program = program_;
    spec.environment = environment_;
    spec.environment[proto::kEnvLaunchKey] = launch_key;
    if (!task_code.empty()) {
        spec.environment[proto::kEnvTask] = task_code;
        spec.environment[proto::kEnvSession] = std::to_string(session_id);
    }
    spec.crash_file = crash_file(task_code);
    return spec;
}

LaunchSpec WorkerLaunch::spare(const std::string& launch_key) const {
    auto launch = spec(launch_key, {}, 0);
    launch.environment[proto::kEnvTask] = std::string(kLongestCode, proto::kSpareTask);
    return launch;
}

std::string WorkerLaunch::crash_file(const std::string& task_code) const {
    return fieldwarden::crash_file(data_dir_, task_code);
}

std::uint64_t file_size_of(const std::string& path) {
    struct stat info {};
    return stat(path.c_str(), &info) == 0 ? static_cast<std::uint64_t>(info.st_size) : 0;
}

std::string tail_of(const std::string& path, std::uint64_t offset) {
    const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (file < 0) return {};
    const auto size = file_size_of(path);
    // A file that is shorter than that was cut meanwhile: all it holds is newer.
    const auto written_before = offset <= size ? offset : 0;
    const auto begin = std::max(written_before, size > kTailBytes ? size - kTailBytes : 0);
    std::string text(kTailBytes, '\0');
    const auto got = pread(file, text.data(), text.size(), static_cast<off_t>(begin));
    close(file);
    text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
    return printable(std::move(text));
}

bool LaunchGate::admit(MonoTime now) {
    const double burst = std::max(1.0, rate_ / 2.0);
    if (tokens_ < 0) {
        tokens_ = burst;
    } else {
        const auto elapsed = std::chrono::duration<double>(now - filled_at_).count();
        tokens_ = std::min(burst, tokens_ + elapsed * rate_);
    }
    filled_at_ = now;
    if (tokens_ < 1.0) return false;
    tokens_ -= 1.0;
    return true;
}

}  // namespace fieldwarden::supervisor
