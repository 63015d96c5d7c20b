// Which recovery action fits a trouble: a pure function over what was tried already.
//
// The order is from the gentle to the rough: a connection is reset before a process is restarted, and where
// nothing automatic can help the operator is told.
#pragma once

#include <cstdint>
#include <string>

#include "proto/shapes.h"

namespace fieldwarden::supervisor {

struct RecoveryHistory {
    // Actions taken since the trouble began; forgotten when it is over.
    std::uint32_t resets = 0;
    std::uint32_t restarts = 0;
    std::uint32_t slowdowns = 0;
    bool alerted = false;
    bool devices_connected = false;  // the devices answer, only their data is no good
};

struct RecoveryChoice {
    proto::RecoveryAction action = proto::RecoveryAction::kNoAction;
    std::string why;
};

RecoveryChoice choose_recovery(proto::ErrorCategory category, const RecoveryHistory& history);

}  // namespace fieldwarden::supervisor
