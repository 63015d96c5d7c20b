#include "supervisor/health/vitals.h"

#include <fmt/format.h>

namespace fieldwarden::supervisor {

namespace {

double percent(double part, double whole) {
    return whole > 0 ? 100.0 * part / whole : 0;
}

}  // namespace

std::vector<std::string> check_vitals(const SupervisorVitals& vitals, const VitalLimits& limits) {
    std::vector<std::string> issues;
    if (vitals.worst_loop_lag_ms > limits.loop_lag_ms) {
        issues.push_back(fmt::format(
            "the supervisor's loop was {:.0f} ms late within the last minute: the machine is overloaded; see "
            "what else runs on it",
            vitals.worst_loop_lag_ms));
    }
    if (vitals.memory_mb > limits.memory_mb) {
        issues.push_back(fmt::format("the supervisor takes {:.0f} MB of memory (expected: under {:.0f} MB)",
                                     vitals.memory_mb, limits.memory_mb));
    }
    const auto files = percent(vitals.open_descriptors, vitals.descriptor_limit);
    if (files > limits.descriptors_percent) {
        issues.push_back(fmt::format(
            "the supervisor has {} of {} files open: raise LimitNOFILE of the service, each task takes one",
            vitals.open_descriptors, vitals.descriptor_limit));
    }
    const auto free =
        percent(static_cast<double>(vitals.disk_free_bytes), static_cast<double>(vitals.disk_bytes));
    if (vitals.disk_bytes > 0 && free < limits.disk_free_percent) {
        issues.push_back(fmt::format(
            "the disk of the data directory has {:.1f} % left ({} MB): shorten history.max_age or make room; "
            "acquired data is dropped when it is full",
            free, vitals.disk_free_bytes >> 20));
    }
    if (vitals.worst_store_latency_ms > limits.store_latency_ms) {
        issues.push_back(fmt::format("a write to the configuration store took {:.0f} ms: its disk is slow",
                                     vitals.worst_store_latency_ms));
    }
    if (vitals.store_queue_depth > limits.store_queue_depth) {
        issues.push_back(fmt::format("{} writes wait for the configuration store{}", vitals.store_queue_depth,
                                     vitals.store_last_error.empty() ? "" : ": " + vitals.store_last_error));
    }
    return issues;
}

}  // namespace fieldwarden::supervisor
