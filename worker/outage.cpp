#include "worker/outage.h"

#include <fmt/format.h>

namespace fieldwarden::worker {

Outage::Verdict Outage::failed(const Error& error, MonoTime now, double random) {
    if (failures_ == 0) since_ = now;
    ++failures_;
    Verdict verdict;
    verdict.delay = backoff_delay(policy_, failures_, random);
    verdict.text = fmt::format("{}{}; reconnecting in {}", error.message,
                               failures_ > 1 ? fmt::format(" ({} in a row)", ordinal(failures_)) : "",
                               spoken_duration(verdict.delay));
    verdict.news = failures_ == 1 || told_ != error.message || now - told_at_ >= kOutageReminder;
    if (verdict.news) {
        told_ = error.message;
        told_at_ = now;
    }
    return verdict;
}

std::optional<std::string> Outage::ended(MonoTime now) {
    if (failures_ == 0) return std::nullopt;
    auto text =
        fmt::format("answers again after {} and {} failure{}",
                    spoken_duration(std::chrono::duration_cast<std::chrono::milliseconds>(now - since_)),
                    failures_, failures_ == 1 ? "" : "s");
    failures_ = 0;
    return text;
}

std::string spoken_duration(std::chrono::milliseconds duration) {
    const auto ms = duration.count();
    if (ms < 1000) return fmt::format("{} ms", ms);
    if (ms % 1000 == 0 || ms >= 10'000) return fmt::format("{} s", (ms + 500) / 1000);
    return fmt::format("{}.{} s", ms / 1000, ms % 1000 / 100);
}

std::string ordinal(unsigned number) {
    const unsigned tens = number % 100;
    const unsigned ones = number % 10;
    const bool teen = tens >= 11 && tens <= 13;
    const char* suffix = teen || ones == 0 || ones > 3 ? "th" : ones == 1 ? "st" : ones == 2 ? "nd" : "rd";
    return fmt::format("{}{}", number, suffix);
}

}  // namespace fieldwarden::worker
