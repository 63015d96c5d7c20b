// Inbox: where paho's threads leave what the broker sent, and where the device's thread waits for it. Bounded
// by messages and by bytes; when full the oldest go.
//
// Threads: everything from any thread.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "worker/drivers/mqtt/point_table.h"

namespace fieldwarden::worker::mqtt {

inline constexpr std::size_t kMostInboxBytes = std::size_t{64} << 20;

class Inbox {
  public:
    // weight(topic): how many samples a message on `topic` would have become, for the count of what is lost.
    Inbox(std::size_t most_messages, std::function<std::size_t(const std::string&)> weight)
        : most_messages_(most_messages), weight_(std::move(weight)) {}

    void put(Message message);
    // Moves everything out.
    std::deque<Message> take();
    // Waits until there is a message, an event, a wake() or `deadline`.
    void wait(MonoTime deadline);
    // Waits for `condition`, which is looked at with the lock held after every change. Gives up, false, at
    // the deadline; with `heed`, also when interrupted or when the connection is lost.
    bool wait_for(MonoTime deadline, const std::function<bool()>& condition, bool heed = true);
    void wake();
    // Runs `change` with the lock held and wakes everybody.
    void notify(const std::function<void()>& change);

    void interrupt();
    [[nodiscard]] bool interrupted() const { return interrupted_.load(std::memory_order_acquire); }
    // A new connection: no interrupt, no loss. The messages stay: they were acknowledged.
    void reset();
    // The connection is gone; the first reason counts.
    void lose(std::string why);
    [[nodiscard]] std::optional<std::string> lost() const;

    [[nodiscard]] std::uint64_t overflowed() const;
    [[nodiscard]] std::uint64_t bytes_received() const;
    [[nodiscard]] std::optional<UtcTime> last_arrival() const;

  private:
    const std::size_t most_messages_;
    const std::function<std::size_t(const std::string&)> weight_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Message> messages_;
    std::size_t bytes_ = 0;
    bool woken_ = false;
    std::atomic<bool> interrupted_ = false;
    std::optional<std::string> lost_;
    std::uint64_t overflowed_ = 0;
    std::uint64_t bytes_received_ = 0;
    std::optional<UtcTime> last_arrival_;
};

}  // namespace fieldwarden::worker::mqtt
