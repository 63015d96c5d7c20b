// What /proc says about a process. Every read is one small file; nothing is cached.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.h"

namespace fieldwarden::supervisor {

struct ProcStat {
    char state = '?';
    std::uint64_t cpu_ticks = 0;    // user + system
    std::uint64_t start_ticks = 0;  // since boot
};
// Field numbers of proc(5); the command name may hold spaces and parentheses.
std::optional<ProcStat> parse_proc_stat(std::string_view text);
std::optional<ProcStat> read_proc_stat(pid_t pid);
// Start ticks of a process that is not a zombie's leftover of another: nullopt when there is no such process.
std::optional<std::uint64_t> start_ticks_of(pid_t pid);

// Resident memory that is not shared with other processes, in bytes (statm: resident - shared).
std::optional<std::uint64_t> private_bytes(pid_t pid);
std::uint32_t open_descriptors();  // of this process
// Of another process of ours; nullopt when it is gone. About a microsecond per descriptor.
std::optional<std::uint32_t> open_descriptors_of(pid_t pid);

// The system calls of these names; the headers of glibc 2.36 cannot be used from C++.
int open_pidfd(pid_t pid);  // -1 and errno
void signal_pidfd(int pidfd, int signal_number);

MonoTime mono_of_ticks(std::uint64_t ticks_since_boot);
double ticks_per_second();

// Processes of this user whose environment has `name=value`: workers that no process table knows.
std::vector<pid_t> processes_with_environment(std::string_view name, std::string_view value);
// The value of a variable in a process's environment.
std::optional<std::string> environment_of(pid_t pid, std::string_view name);

}  // namespace fieldwarden::supervisor
