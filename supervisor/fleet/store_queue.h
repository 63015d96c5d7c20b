// StoreQueue: writes behind the supervisor's loop. One thread performs the jobs in order; the loop never
// waits for a disk.
//
// A job may carry a key: while an earlier job with the same key still waits, the new one takes its place, so
// that a session updated a hundred times behind a slow disk is written once.
// Threads. submit() from any thread; jobs run on the queue's thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>

#include "common/result.h"
#include "supervisor/store/store.h"

namespace fieldwarden::supervisor {

struct StoreQueueVitals {
    std::size_t depth = 0;
    std::uint64_t done = 0;
    std::uint64_t failed = 0;
    double last_latency_ms = 0;  // of the last job, from submit to done
    double worst_latency_ms = 0;
    std::string last_error;
};

class StoreQueue {
  public:
    using Job = std::function<Status(Store&)>;
    // `on_failure` is called on the queue's thread with what the job was for and why it failed. A job is
    // tried three times when the store is busy or the disk refuses.
    StoreQueue(Store& store, std::function<void(const std::string& what, const Error& error)> on_failure);
    ~StoreQueue();  // performs what is queued, then joins
    StoreQueue(const StoreQueue&) = delete;
    StoreQueue& operator=(const StoreQueue&) = delete;

    // `what` names the job in messages: "session 12". An empty key never coalesces.
    void submit(std::string what, std::string key, Job job);
    // Waits until everything submitted so far is done.
    void flush();
    [[nodiscard]] StoreQueueVitals vitals() const;

  private:
    struct Entry {
        std::string what;
        std::string key;
        Job job;
        std::chrono::steady_clock::time_point submitted;
        std::uint64_t number = 0;
    };
    void run();
    Status perform(const Entry& entry);

    Store& store_;
    std::function<void(const std::string&, const Error&)> on_failure_;
    mutable std::mutex mutex_;
    std::condition_variable wake_;
    std::condition_variable idle_;
    std::deque<Entry> queue_;
    std::unordered_map<std::string, std::uint64_t> waiting_;  // key → number of its entry
    std::uint64_t next_number_ = 0;
    std::uint64_t done_number_ = 0;
    bool stopping_ = false;
    StoreQueueVitals vitals_;
    std::thread thread_;
};

}  // namespace fieldwarden::supervisor
