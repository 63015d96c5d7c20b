// Outage: the memory of failed attempts to talk to one device. Decides how long to wait, what to say, and
// when saying it again is news. Pure: the caller brings time and chance.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "common/backoff.h"
#include "common/clock.h"
#include "common/result.h"

namespace fieldwarden::worker {

// While an outage lasts unchanged it is told again this often.
inline constexpr std::chrono::seconds kOutageReminder{60};

class Outage {
  public:
    explicit Outage(BackoffPolicy policy) : policy_(policy) {}

    struct Verdict {
        std::chrono::milliseconds delay{0};  // until the next attempt
        std::string text;                    // "<message> (3rd in a row); reconnecting in 4 s"
        bool news = false;  // the first failure, another kind of failure, or kOutageReminder has passed
    };
    Verdict failed(const Error& error, MonoTime now, double random);
    // The device answers. The text, when an outage ends with it: "answers again after 12 s and 5 failures".
    std::optional<std::string> ended(MonoTime now);

    [[nodiscard]] unsigned failures() const { return failures_; }

  private:
    BackoffPolicy policy_;
    unsigned failures_ = 0;
    MonoTime since_{};
    MonoTime told_at_{};
    std::string told_;
};

// "450 ms", "4 s", "1.5 s".
std::string spoken_duration(std::chrono::milliseconds duration);
// "1st", "2nd", "3rd", "11th".
std::string ordinal(unsigned number);

}  // namespace fieldwarden::worker
