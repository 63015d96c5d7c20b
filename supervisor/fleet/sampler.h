// What a worker costs: CPU share since the last sample and private memory.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>

#include "common/clock.h"

namespace fieldwarden::supervisor {

struct ResourceUsage {
    double cpu_percent = 0;  // of one core; 0 in the first sample
    double memory_mb = 0;    // private, MiB
};

// One per process. Reads two files of /proc, about 15 µs: the supervisor samples each worker every few
// seconds, at its heartbeat, so that the samples of a large fleet spread by themselves.
class ResourceSampler {
  public:
    // nullopt when the process is gone.
    std::optional<ResourceUsage> sample(pid_t pid, MonoTime now);

  private:
    std::uint64_t last_ticks_ = 0;
    std::optional<MonoTime> last_at_;
};

}  // namespace fieldwarden::supervisor
