// What is wrong with a running task and which recovery action fits it: pure functions over facts and over
// what was tried already.
//
// The order is from the gentle to the rough: a connection is reset before a process is restarted, and where
// nothing automatic can help the operator is told, once. What a hang or a death asks for is the task
// machine's business; what a slow device asks for is in frequency.h.
//
//   trouble        noticed                                         actions, one after the other
//   memory         at a health check, above memory_mb              restart, tell the operator
//   descriptors    at a health check, above descriptors_percent    restart, tell the operator
//   cpu            in two checks in a row, above cpu_percent       tell the operator
//   connection     no device connected for connection_timeout      reset connection, tell the operator
//   no good data   for data_timeout                                reset connection, restart, tell the
//   operator log errors     log_errors within five minutes                  tell the operator
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/clock.h"
#include "proto/shapes.h"
#include "supervisor/health/checks.h"

namespace fieldwarden::supervisor {

enum class Trouble : std::uint8_t { kMemory, kDescriptors, kCpu, kConnection, kNoGoodData, kLogErrors };
inline constexpr std::size_t kTroubleCount = 6;
inline constexpr std::array<Trouble, kTroubleCount> kAllTroubles{Trouble::kMemory,     Trouble::kDescriptors,
                                                                 Trouble::kCpu,        Trouble::kConnection,
                                                                 Trouble::kNoGoodData, Trouble::kLogErrors};

proto::ErrorCategory category_of(Trouble trouble);

// All troubles of a running task, in the order of the enum.
std::vector<Trouble> troubles_of(const TaskFacts& facts, const HealthThresholds& thresholds,
                                 const std::vector<proto::HealthCheckResult>& results);

// What was done about one trouble since it began.
struct RecoveryHistory {
    std::uint32_t sightings = 0;  // checks in a row that saw it
    std::uint32_t resets = 0;
    std::uint32_t restarts = 0;
    bool alerted = false;
    std::optional<MonoTime> seen_at;
    std::optional<MonoTime> acted_at;

    bool operator==(const RecoveryHistory&) const = default;
};

struct RecoveryChoice {
    proto::RecoveryAction action = proto::RecoveryAction::kNoAction;
    std::string why;
    std::string advice = {};  // with kAlertOperator: what a person can do
};

// `devices_connected`: all devices answer, only their data is no good.
RecoveryChoice choose_recovery(Trouble trouble, const RecoveryHistory& history, bool devices_connected);

// Whether the trouble is over for good, so that the next one begins from the gentle end. Connections and
// data: when good data flows (a restart alone is no proof). The others: when they stayed away for ten
// minutes, as a restart makes any process small for a while.
bool is_over(Trouble trouble, const RecoveryHistory& history, const TaskFacts& facts,
             const HealthThresholds& thresholds, MonoTime now);

}  // namespace fieldwarden::supervisor
