// The supervisor about itself: what is measured, and which of it is near a limit.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/clock.h"

namespace fieldwarden::supervisor {

// Measured once a second (memory, descriptors and disk every ten).
struct SupervisorVitals {
    UtcTime started_at{};
    double loop_lag_ms = 0;        // how late the last tick was
    double worst_loop_lag_ms = 0;  // in the last minute
    double cpu_percent = 0;
    double memory_mb = 0;  // private
    std::uint32_t open_descriptors = 0;
    std::uint32_t descriptor_limit = 0;
    std::uint64_t disk_free_bytes = 0;  // where the data directory lies
    std::uint64_t disk_bytes = 0;       // 0: not measured yet
    std::uint32_t tasks = 0;
    std::uint32_t workers = 0;
    std::uint32_t waiting_to_launch = 0;
    std::uint64_t launches = 0;
    std::uint64_t worker_deaths = 0;
    std::uint64_t spool_dropped = 0;  // samples that the spools had no room or time for, all tasks
    std::size_t store_queue_depth = 0;
    double store_latency_ms = 0;
    double worst_store_latency_ms = 0;
    std::uint64_t store_failures = 0;
    std::string store_last_error;
    std::uint64_t link_received = 0;
    std::uint64_t link_malformed = 0;
    std::uint64_t link_refused = 0;
    std::uint64_t status_events = 0;
};

struct VitalLimits {
    double loop_lag_ms = 250;
    double memory_mb = 1024;
    double descriptors_percent = 80;
    double disk_free_percent = 5;
    double store_latency_ms = 2'000;
    std::size_t store_queue_depth = 1'000;
};

// Sentences for an operator, each with what to do; empty while all is well. They come before the limit itself
// is met, so that there is time to act.
std::vector<std::string> check_vitals(const SupervisorVitals& vitals, const VitalLimits& limits);

}  // namespace fieldwarden::supervisor
