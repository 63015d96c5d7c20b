#include "worker/sinks/kafka/patience.h"

#include <fmt/format.h>

#include "common/clock.h"

namespace fieldwarden::worker::kafka {

using std::chrono::milliseconds;

Outcome Patience::over(std::string_view what) {
    if (interrupted_.exchange(false)) {
        return Failure{Trouble::kUnavailable, fmt::format("{}: interrupted", what)};
    }
    const auto trouble = voice_.trouble();
    // What a server refuses for such a reason it refuses until somebody changes something.
    if (trouble && trouble->trouble == Trouble::kAccess) return trouble;
    if (std::chrono::steady_clock::now() < deadline_) return std::nullopt;
    auto message = fmt::format("{}: not done within {}", what, format_duration(limit_));
    if (trouble) message += "; " + trouble->message;
    return Failure{Trouble::kUnavailable, std::move(message)};
}

int Patience::turn_ms() {
    const auto left = std::chrono::ceil<milliseconds>(deadline_ - std::chrono::steady_clock::now());
    const auto turn = std::clamp(turn_, milliseconds{1}, std::max(left, milliseconds{1}));
    turn_ = std::min(turn_ * 3 / 2, milliseconds{5'000});
    return static_cast<int>(turn.count());
}

}  // namespace fieldwarden::worker::kafka
