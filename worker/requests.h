// Requests: work that takes longer than the main thread may (a scan beside the schedule, a probe), one after
// another on a thread of its own, answered through the main thread.
//
// Threads. post, take: the main thread. The destructor waits for the request that runs.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

#include "proto/wire.h"

namespace fieldwarden::worker {

class Requests {
  public:
    static constexpr std::size_t kMostWaiting = 8;

    // `answered` is called on the request thread when an answer can be taken.
    explicit Requests(std::function<void()> answered);
    ~Requests();

    // False: too many wait already.
    bool post(std::function<proto::Reply()> work);
    std::optional<proto::Reply> take();
    [[nodiscard]] bool busy() const;

  private:
    void run();

    std::function<void()> answered_;
    mutable std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<std::function<proto::Reply()>> waiting_;
    std::deque<proto::Reply> answers_;
    bool running_ = false;
    bool stopping_ = false;
    std::thread thread_;  // started by the first request
};

}  // namespace fieldwarden::worker
