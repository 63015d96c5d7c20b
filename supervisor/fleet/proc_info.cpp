#include "supervisor/fleet/proc_info.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <charconv>
#include <ctime>

namespace fieldwarden::supervisor {

namespace {

std::optional<std::string> read_file(const std::string& path, std::size_t most) {
    const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) return std::nullopt;
    std::string text;
    char buffer[4096];
    ssize_t got = 0;
    while (text.size() < most && (got = read(file, buffer, sizeof buffer)) > 0) {
        text.append(buffer, static_cast<std::size_t>(got));
    }
    close(file);
    if (got < 0) return std::nullopt;
    return text;
}

std::optional<std::uint64_t> number(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end == text.data()) return std::nullopt;
    return value;
}

// Splits off the next blank-separated word.
std::string_view next_word(std::string_view& text) {
    const auto begin = text.find_first_not_of(" \n");
    if (begin == std::string_view::npos) return text = {};
    text.remove_prefix(begin);
    const auto length = std::min(text.find_first_of(" \n"), text.size());
    const auto word = text.substr(0, length);
    text.remove_prefix(length);
    return word;
}

template <class Visit>
void for_each_pid(Visit visit) {
    DIR* directory = opendir("/proc");
    if (directory == nullptr) return;
    while (const dirent* entry = readdir(directory)) {
        if (const auto pid = number(entry->d_name)) visit(static_cast<pid_t>(*pid));
    }
    closedir(directory);
}

}  // namespace

std::optional<ProcStat> parse_proc_stat(std::string_view text) {
    const auto name_end = text.rfind(')');
    if (name_end == std::string_view::npos) return std::nullopt;
    auto rest = text.substr(name_end + 1);
    ProcStat stat;
    std::uint64_t user = 0;
    std::uint64_t system = 0;
    for (int field = 3; field <= 22; ++field) {
        const auto word = next_word(rest);
        if (word.empty()) return std::nullopt;
        if (field == 3) {
            stat.state = word.front();
        } else if (field == 14 || field == 15 || field == 22) {
            const auto value = number(word);
            if (!value) return std::nullopt;
            (field == 14 ? user : field == 15 ? system : stat.start_ticks) = *value;
        }
    }
    stat.cpu_ticks = user + system;
    return stat;
}

std::optional<ProcStat> read_proc_stat(pid_t pid) {
    const auto text = read_file(fmt::format("/proc/{}/stat", pid), 4096);
    return text ? parse_proc_stat(*text) : std::nullopt;
}

std::optional<std::uint64_t> start_ticks_of(pid_t pid) {
    const auto stat = read_proc_stat(pid);
    return stat ? std::optional{stat->start_ticks} : std::nullopt;
}

std::optional<std::uint64_t> private_bytes(pid_t pid) {
    const auto text = read_file(fmt::format("/proc/{}/statm", pid), 256);
    if (!text) return std::nullopt;
    std::string_view rest = *text;
    next_word(rest);  // size
    const auto resident = number(next_word(rest));
    const auto shared = number(next_word(rest));
    if (!resident || !shared) return std::nullopt;
    static const auto page = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
    return (*resident - std::min(*resident, *shared)) * page;
}

namespace {

std::optional<std::uint32_t> entries_of(const std::string& path) {
    DIR* directory = opendir(path.c_str());
    if (directory == nullptr) return std::nullopt;
    std::uint32_t count = 0;
    while (const dirent* entry = readdir(directory)) {
        if (entry->d_name[0] != '.') ++count;
    }
    closedir(directory);
    return count;
}

}  // namespace

std::uint32_t open_descriptors() {
    const auto count = entries_of("/proc/self/fd").value_or(0);
    return count > 0 ? count - 1 : 0;  // without the one that reads the directory
}

std::optional<std::uint32_t> open_descriptors_of(pid_t pid) {
    return entries_of("/proc/" + std::to_string(pid) + "/fd");
}

int open_pidfd(pid_t pid) {
    return static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
}

void signal_pidfd(int pidfd, int signal_number) {
    syscall(SYS_pidfd_send_signal, pidfd, signal_number, nullptr, 0);
}

double ticks_per_second() {
    static const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
    return ticks;
}

MonoTime mono_of_ticks(std::uint64_t ticks_since_boot) {
    // Start ticks count CLOCK_BOOTTIME; the difference between the two clocks is time spent suspended.
    timespec boot{};
    clock_gettime(CLOCK_BOOTTIME, &boot);
    const auto boot_now = std::chrono::seconds{boot.tv_sec} + std::chrono::nanoseconds{boot.tv_nsec};
    const auto started = std::chrono::duration_cast<std::chrono::nanoseconds>(
        std::chrono::duration<double>{static_cast<double>(ticks_since_boot) / ticks_per_second()});
    return std::chrono::steady_clock::now() - (boot_now - started);
}

std::optional<std::string> environment_of(pid_t pid, std::string_view name) {
    const auto text = read_file(fmt::format("/proc/{}/environ", pid), 256 * 1024);
    if (!text) return std::nullopt;
    std::string_view rest = *text;
    while (!rest.empty()) {
        const auto length = std::min(rest.find('\0'), rest.size());
        const auto entry = rest.substr(0, length);
        if (entry.size() > name.size() && entry.starts_with(name) && entry[name.size()] == '=') {
            return std::string{entry.substr(name.size() + 1)};
        }
        rest.remove_prefix(std::min(length + 1, rest.size()));
    }
    return std::nullopt;
}

std::vector<pid_t> processes_with_environment(std::string_view name, std::string_view value) {
    std::vector<pid_t> found;
    for_each_pid([&](pid_t pid) {
        if (environment_of(pid, name) == value) found.push_back(pid);
    });
    return found;
}

}  // namespace fieldwarden::supervisor
