#include "supervisor/alerts/delivery.h"

#include <fmt/format.h>
#include <pthread.h>

#include <algorithm>
#include <random>

namespace fieldwarden::supervisor {

using proto::LogLevel;
using SteadyClock = std::chrono::steady_clock;

Delivery::Delivery(MakeNotifier make, AlertLog log, DeliverySettings settings)
    : make_(std::move(make)), log_(std::move(log)), settings_(settings), thread_([this] { run(); }) {}

Delivery::~Delivery() {
    {
        std::unique_lock lock{mutex_};
        stopping_ = true;
        stop_at_ = SteadyClock::now() + settings_.last_chance;
        // What waits for a later attempt gets that attempt now.
        for (auto& [code, channel] : channels_) channel.due = {};
        wake_.notify_all();
        wake_.wait_until(lock, stop_at_, [this] { return nothing_waits(); });
        abandon_ = true;
        wake_.notify_all();
    }
    thread_.join();
    for (const auto& [code, channel] : channels_) {
        if (channel.waiting.empty()) continue;
        log_(LogLevel::kWarning,
             fmt::format("alert channel {}: {} notifications were not sent before the end", code,
                         channel.waiting.size()));
    }
}

bool Delivery::nothing_waits() const {
    return std::ranges::all_of(channels_, [](const auto& entry) { return entry.second.waiting.empty(); });
}

void Delivery::set_channels(const std::vector<AlertChannel>& channels) {
    const std::lock_guard lock{mutex_};
    std::map<std::string, Channel> next;
    for (const auto& config : channels) {
        auto& channel = next[config.code];
        if (const auto known = channels_.find(config.code); known != channels_.end()) {
            channel = std::move(known->second);
            channels_.erase(known);
        }
        if (channel.config != config) {
            // What waits goes the new way, at once.
            channel.notifier = config.enabled ? make_(config) : nullptr;
            channel.config = config;
            channel.attempts = 0;
            channel.due = {};
        }
        channel.vitals.code = config.code;
        if (!channel.notifier) {
            channel.vitals.dropped += channel.waiting.size();
            channel.waiting.clear();
        }
    }
    channels_ = std::move(next);
    wake_.notify_all();
}

void Delivery::submit(const std::vector<Notification>& notifications) {
    if (notifications.empty()) return;
    const std::lock_guard lock{mutex_};
    for (const auto& notification : notifications) {
        const bool all = std::ranges::find(notification.channels, "*") != notification.channels.end();
        for (auto& [code, channel] : channels_) {
            const bool named = std::ranges::find(notification.channels, code) != notification.channels.end();
            if ((all || named) && channel.notifier) put(channel, notification.alert);
        }
    }
    wake_.notify_all();
}

void Delivery::put(Channel& channel, const proto::Alert& alert) {
    if (channel.waiting.size() >= settings_.most_waiting) {
        channel.waiting.pop_front();
        channel.attempts = 0;
        // Said once per filling, not once per notification.
        if (channel.vitals.dropped++ % settings_.most_waiting == 0) {
            log_(LogLevel::kError,
                 fmt::format("alert channel {}: {} notifications wait, the oldest are dropped",
                             channel.config.code, settings_.most_waiting));
        }
    }
    channel.waiting.push_back(alert);
}

std::vector<ChannelVitals> Delivery::vitals() const {
    const std::lock_guard lock{mutex_};
    std::vector<ChannelVitals> all;
    for (const auto& [code, channel] : channels_) {
        all.push_back(channel.vitals);
        all.back().waiting = channel.waiting.size();
    }
    return all;
}

// The channel whose turn it is: the next one after the last, so that none goes hungry. `wake` becomes the
// earliest later turn.
std::optional<std::string> Delivery::next_due(MonoTime now, MonoTime& wake) const {
    std::optional<std::string> first;
    std::optional<std::string> after;
    for (const auto& [code, channel] : channels_) {
        if (channel.waiting.empty() || !channel.notifier) continue;
        if (channel.due > now) {
            wake = std::min(wake, channel.due);
            continue;
        }
        if (!first) first = code;
        if (!after && code > last_served_) after = code;
    }
    return after ? after : first;
}

void Delivery::run() {
    ::pthread_setname_np(::pthread_self(), "fw-alerts");
    std::unique_lock lock{mutex_};
    while (true) {
        const auto now = SteadyClock::now();
        if (stopping_ && (abandon_ || now >= stop_at_ || nothing_waits())) break;
        auto wake = stopping_ ? stop_at_ : now + std::chrono::hours{1};
        if (const auto code = next_due(now, wake)) {
            deliver_one(lock, *code);
        } else {
            wake_.wait_until(lock, wake);
        }
    }
    wake_.notify_all();
}

void Delivery::deliver_one(std::unique_lock<std::mutex>& lock, const std::string& code) {
    last_served_ = code;
    const auto alert = channels_.at(code).waiting.front();
    const auto notifier = channels_.at(code).notifier;
    lock.unlock();
    const auto sent = notifier->send(alert, abandon_);
    std::string line;
    lock.lock();
    const auto found = channels_.find(code);
    // Removed, changed or overrun meanwhile: what came of it counts, but the queue is another one.
    const bool same = found != channels_.end() && found->second.notifier == notifier &&
                      !found->second.waiting.empty() && found->second.waiting.front().id == alert.id &&
                      found->second.waiting.front().state == alert.state &&
                      found->second.waiting.front().count == alert.count;
    if (!same) return;
    auto& channel = found->second;
    auto& vitals = channel.vitals;
    const auto done = [&] {
        channel.waiting.pop_front();
        channel.attempts = 0;
        channel.due = {};
        wake_.notify_all();
    };
    if (sent) {
        if (!vitals.last_error.empty()) line = fmt::format("alert channel {} works again: {}", code, *sent);
        vitals.last_error.clear();
        ++vitals.sent;
        done();
    } else {
        const bool first_failure = vitals.last_error.empty();
        vitals.last_error = sent.error().message;
        ++channel.attempts;
        const bool for_good = sent.error().kind == ErrorKind::kInvalidArgument;
        if (for_good || channel.attempts >= settings_.most_attempts) {
            line =
                fmt::format("alert channel {}: alert {} was not told after {} attempt{}: {}", code, alert.id,
                            channel.attempts, channel.attempts == 1 ? "" : "s", sent.error().message);
            ++vitals.failed;
            done();
        } else {
            static thread_local std::mt19937_64 random{std::random_device{}()};
            const auto delay = backoff_delay(settings_.backoff, channel.attempts,
                                             std::uniform_real_distribution<double>{0, 1}(random));
            channel.due = SteadyClock::now() + delay;
            if (first_failure) {
                line = fmt::format("alert channel {}: {}; trying again in {}", code, sent.error().message,
                                   format_duration(delay));
            }
        }
    }
    if (line.empty()) return;
    lock.unlock();
    log_(sent ? LogLevel::kInfo : LogLevel::kWarning, line);
    lock.lock();
}

}  // namespace fieldwarden::supervisor
