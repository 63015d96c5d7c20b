// When a worker that died is started again: a pure function over the history of its deaths.
//
// The first restart is at once, the following ones wait exponentially longer with jitter. A run longer than
// the stable period clears the history. More deaths than `max_attempts` within the window: give up, which
// means CRASHED and, when configured, slow retries.
#pragma once

#include <chrono>
#include <vector>

#include "common/clock.h"
#include "supervisor/settings.h"

namespace fieldwarden::supervisor {

// Deaths within the window, oldest first.
using DeathHistory = std::vector<MonoTime>;

struct RestartDecision {
    bool give_up = false;
    milliseconds delay{0};  // until the restart; 0 = at once. Meaningless with give_up
    unsigned attempt = 0;   // this death's number within the window, from 1
    DeathHistory history;   // to be handed in with the next death
};

// `uptime` is taken from the process's own start to its own exit; time spent waiting is not uptime. `random`
// is uniform in [0, 1).
RestartDecision after_death(DeathHistory history, milliseconds uptime, MonoTime now,
                            const RestartSettings& settings, double random);

}  // namespace fieldwarden::supervisor
