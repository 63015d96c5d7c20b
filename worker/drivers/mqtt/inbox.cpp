#include "worker/drivers/mqtt/inbox.h"

#include <utility>

namespace fieldwarden::worker::mqtt {

namespace {

std::size_t size_of(const Message& message) {
    return message.topic.size() + message.payload.size();
}

}  // namespace

void Inbox::put(Message message) {
    const std::lock_guard lock{mutex_};
    bytes_ += size_of(message);
    bytes_received_ += size_of(message);
    last_arrival_ = message.arrived;
    messages_.push_back(std::move(message));
    while (messages_.size() > most_messages_ || (bytes_ > kMostInboxBytes && messages_.size() > 1)) {
        bytes_ -= size_of(messages_.front());
        overflowed_ += weight_(messages_.front().topic);
        messages_.pop_front();
    }
    changed_.notify_all();
}

std::deque<Message> Inbox::take() {
    const std::lock_guard lock{mutex_};
    bytes_ = 0;
    return std::exchange(messages_, {});
}

void Inbox::wait(MonoTime deadline) {
    std::unique_lock lock{mutex_};
    changed_.wait_until(lock, deadline,
                        [&] { return !messages_.empty() || woken_ || interrupted_.load() || lost_; });
    woken_ = false;
}

bool Inbox::wait_for(MonoTime deadline, const std::function<bool()>& condition, bool heed) {
    std::unique_lock lock{mutex_};
    changed_.wait_until(lock, deadline,
                        [&] { return condition() || (heed && (interrupted_.load() || lost_)); });
    return condition();
}

void Inbox::wake() {
    notify([&] { woken_ = true; });
}

void Inbox::notify(const std::function<void()>& change) {
    const std::lock_guard lock{mutex_};
    change();
    changed_.notify_all();
}

void Inbox::interrupt() {
    notify([&] { interrupted_ = true; });
}

void Inbox::reset() {
    const std::lock_guard lock{mutex_};
    interrupted_ = false;
    lost_.reset();
}

void Inbox::lose(std::string why) {
    notify([&] {
        if (!lost_) lost_ = std::move(why);
    });
}

std::optional<std::string> Inbox::lost() const {
    const std::lock_guard lock{mutex_};
    return lost_;
}

std::uint64_t Inbox::overflowed() const {
    const std::lock_guard lock{mutex_};
    return overflowed_;
}

std::uint64_t Inbox::bytes_received() const {
    const std::lock_guard lock{mutex_};
    return bytes_received_;
}

std::optional<UtcTime> Inbox::last_arrival() const {
    const std::lock_guard lock{mutex_};
    return last_arrival_;
}

}  // namespace fieldwarden::worker::mqtt
