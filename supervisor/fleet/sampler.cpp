#include "supervisor/fleet/sampler.h"

#include "supervisor/fleet/proc_info.h"

namespace fieldwarden::supervisor {

std::optional<ResourceUsage> ResourceSampler::sample(pid_t pid, MonoTime now) {
    const auto stat = read_proc_stat(pid);
    const auto memory = private_bytes(pid);
    if (!stat || !memory) return std::nullopt;
    ResourceUsage usage;
    usage.memory_mb = static_cast<double>(*memory) / (1024.0 * 1024.0);
    if (last_at_ && now > *last_at_ && stat->cpu_ticks >= last_ticks_) {
        const auto elapsed = std::chrono::duration<double>(now - *last_at_).count();
        usage.cpu_percent =
            100.0 * static_cast<double>(stat->cpu_ticks - last_ticks_) / ticks_per_second() / elapsed;
    }
    last_ticks_ = stat->cpu_ticks;
    last_at_ = now;
    return usage;
}

}  // namespace fieldwarden::supervisor
