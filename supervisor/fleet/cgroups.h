// Cgroups: one control group (cgroup v2) per task under a directory this program may fill, for limits that
// hold whatever a worker does: memory that includes the page cache it dirties, and processor time.
//
// Source: Documentation/admin-guide/cgroup-v2.rst of the Linux kernel (memory.max, cpu.max, cgroup.procs).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/result.h"

namespace fieldwarden::supervisor {

struct GroupLimits {
    std::uint64_t memory_bytes = 0;  // 0: none
    std::uint32_t cpu_percent = 0;   // of one core; 0: none
};

class Cgroups {
  public:
    // Checks that `root` is a cgroup v2 directory that can be filled and switches its controllers on for its
    // children. The error says what is missing and how to give it.
    static Result<Cgroups> open(const std::string& root);

    // Makes or changes the task's group and moves the process into it.
    Status place(const std::string& task_code, std::int64_t pid, const GroupLimits& limits);
    // After the task's last process has gone. A group that still has members stays.
    void remove(const std::string& task_code);
    // How often the kernel has killed a process of this group for its memory limit.
    [[nodiscard]] std::optional<std::uint64_t> memory_kills(const std::string& task_code) const;

  private:
    explicit Cgroups(std::string root) : root_(std::move(root)) {}
    [[nodiscard]] std::string group(const std::string& task_code) const;

    std::string root_;
};

}  // namespace fieldwarden::supervisor
