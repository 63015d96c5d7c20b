// StoreQueue: writes behind the supervisor's loop. One thread performs the jobs in order; the loop never
// waits for a disk.
//
// A job may carry a key: while an earlier job with the same key still waits, the new one takes its place, so
// that a session updated a hundred times behind a slow disk is written once.
//
// While the store cannot be reached (a database that is down) the jobs wait, the first of them is tried again
// and again, and nothing is lost. What may wait is bounded: beyond `most_waiting` the oldest job without a
// key (a line of a timeline, an entry of the audit trail) is given up for the new one, or else the oldest of
// all; `say` tells it. A job whose outcome is not known is done again, and finding its own effect counts as
// done.
//
// Threads. submit() from any thread; jobs run on the queue's thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
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
    // tried three times when the store is busy or the disk refuses. `say` gets a sentence when the store
    // cannot be reached, when it is back, and when jobs are given up meanwhile; it may be empty.
    StoreQueue(Store& store, std::function<void(const std::string& what, const Error& error)> on_failure,
               std::function<void(const std::string& text)> say = {},
               std::size_t most_waiting = kMostWaiting);
    // Performs what is queued, then joins. A store that cannot be reached then gets kLastChance to come back.
    ~StoreQueue();
    StoreQueue(const StoreQueue&) = delete;
    StoreQueue& operator=(const StoreQueue&) = delete;

    // `what` names the job in messages: "session 12". An empty key never coalesces.
    void submit(std::string what, std::string key, Job job);
    // An entry of the audit trail, written once: one whose outcome is not known is looked for before it is
    // written again, since nothing in the trail would refuse it.
    void submit_audit(AuditEntry entry);
    // Waits until everything submitted so far is done, or the store cannot be reached: false then.
    bool flush();
    [[nodiscard]] StoreQueueVitals vitals() const;

    static constexpr std::size_t kMostWaiting = 20'000;
    static constexpr std::chrono::seconds kLastChance{5};

  private:
    struct Entry {
        std::string what;
        std::string key;
        Job job;
        std::chrono::steady_clock::time_point submitted;
    };
    void run();
    Status perform(const Entry& entry);
    // Whether to try again, after a pause; false when the queue is ending and the store stays away.
    bool wait_for_store(const Error& error);
    void store_is_back();
    void give_one_up();  // under mutex_
    void tell(const std::string& text) const;

    Store& store_;
    std::function<void(const std::string&, const Error&)> on_failure_;
    std::function<void(const std::string&)> say_;
    const std::size_t most_waiting_;
    mutable std::mutex mutex_;
    std::condition_variable wake_;
    std::condition_variable idle_;
    std::map<std::uint64_t, Entry> queue_;                    // by number, in the order of submission
    std::unordered_map<std::string, std::uint64_t> waiting_;  // key → number of its entry
    std::set<std::uint64_t> without_key_;                     // numbers
    std::uint64_t next_number_ = 0;
    std::uint64_t done_number_ = 0;  // all below are done or given up
    bool stopping_ = false;
    std::chrono::steady_clock::time_point stop_at_{};  // the end of the last chance
    std::optional<std::chrono::steady_clock::time_point> down_since_;
    std::uint64_t given_up_ = 0;  // since then
    StoreQueueVitals vitals_;
    std::thread thread_;
};

}  // namespace fieldwarden::supervisor
