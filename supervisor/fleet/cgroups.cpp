#include "supervisor/fleet/cgroups.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <sstream>
#include <string_view>

namespace fieldwarden::supervisor {

namespace {

constexpr std::uint32_t kCpuPeriodMicros = 100'000;

// One write(2), as the kernel wants it. Never creates: in a cgroup every file is there already.
Status write_file(const std::string& path, const std::string& text) {
    const int file = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
    if (file < 0) return make_error(ErrorKind::kIo, fmt::format("{}: {}", path, errno_text(errno)));
    const auto written = ::write(file, text.data(), text.size());
    const int error = errno;
    ::close(file);
    if (written == static_cast<ssize_t>(text.size())) return {};
    return make_error(ErrorKind::kIo,
                      fmt::format("{}: cannot write '{}': {}", path, text, errno_text(error)));
}

std::string read_file(const std::string& path) {
    std::ifstream file{path};
    std::stringstream text;
    text << file.rdbuf();
    return std::move(text).str();
}

bool has_word(const std::string& text, std::string_view word) {
    std::istringstream words{text};
    std::string each;
    while (words >> each) {
        if (each == word) return true;
    }
    return false;
}

}  // namespace

Result<Cgroups> Cgroups::open(const std::string& root) {
    const auto refused = [&](const std::string& why) {
        return make_error(ErrorKind::kIo, fmt::format("worker.cgroup_root {}: {}", root, why));
    };
    if (::access((root + "/cgroup.controllers").c_str(), R_OK) != 0) {
        return refused("this is no cgroup v2 directory (it has no readable cgroup.controllers)");
    }
    const auto available = read_file(root + "/cgroup.controllers");
    for (const auto* controller : {"memory", "cpu"}) {
        if (!has_word(available, controller)) {
            return refused(fmt::format("the controller '{}' is not delegated to it (it has: {})", controller,
                                       available.empty() ? "none" : available));
        }
        if (const auto on = write_file(root + "/cgroup.subtree_control", fmt::format("+{}", controller));
            !on) {
            return refused(
                fmt::format("the controller '{}' cannot be switched on: {}; the directory must be "
                            "writable for this user and have no processes of its own",
                            controller, on.error().message));
        }
    }
    return Cgroups{root};
}

std::string Cgroups::group(const std::string& task_code) const {
    return root_ + "/task-" + task_code;
}

Status Cgroups::place(const std::string& task_code, std::int64_t pid, const GroupLimits& limits) {
    const auto path = group(task_code);
    if (::mkdir(path.c_str(), 0755) != 0 && errno != EEXIST) {
        return make_error(ErrorKind::kIo, fmt::format("cannot make {}: {}", path, errno_text(errno)));
    }
    const auto memory = limits.memory_bytes == 0 ? "max" : std::to_string(limits.memory_bytes);
    if (auto set = write_file(path + "/memory.max", memory); !set) return set;
    const auto quota = limits.cpu_percent == 0
                           ? "max"
                           : std::to_string(std::uint64_t{limits.cpu_percent} * kCpuPeriodMicros / 100);
    if (auto set = write_file(path + "/cpu.max", fmt::format("{} {}", quota, kCpuPeriodMicros)); !set) {
        return set;
    }
    return write_file(path + "/cgroup.procs", std::to_string(pid));
}

void Cgroups::remove(const std::string& task_code) {
    ::rmdir(group(task_code).c_str());
}

std::optional<std::uint64_t> Cgroups::memory_kills(const std::string& task_code) const {
    std::istringstream events{read_file(group(task_code) + "/memory.events")};
    std::string name;
    std::uint64_t count = 0;
    while (events >> name >> count) {
        if (name == "oom_kill") return count;
    }
    return std::nullopt;
}

}  // namespace fieldwarden::supervisor
