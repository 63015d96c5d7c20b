#include "supervisor/fleet/restart_policy.h"

#include <algorithm>

#include "common/backoff.h"

namespace fieldwarden::supervisor {

RestartDecision after_death(DeathHistory history, milliseconds uptime, MonoTime now,
                            const RestartSettings& settings, double random) {
    if (uptime >= settings.stable_period) history.clear();
    std::erase_if(history, [&](MonoTime death) { return now - death > settings.attempts_window; });
    history.push_back(now);

    RestartDecision decision;
    decision.attempt = static_cast<unsigned>(history.size());
    decision.give_up = history.size() > settings.max_attempts;
    if (!decision.give_up && decision.attempt > 1) {
        const BackoffPolicy backoff{settings.first_delay, settings.longest_delay, settings.jitter};
        decision.delay = backoff_delay(backoff, decision.attempt - 1, random);
    }
    decision.history = std::move(history);
    return decision;
}

}  // namespace fieldwarden::supervisor
