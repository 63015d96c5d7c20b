#include "supervisor/fleet/store_queue.h"

#include <algorithm>

namespace fieldwarden::supervisor {

namespace {
constexpr int kTries = 3;
constexpr std::chrono::milliseconds kBetweenTries{200};
}  // namespace

StoreQueue::StoreQueue(Store& store, std::function<void(const std::string&, const Error&)> on_failure)
    : store_(store), on_failure_(std::move(on_failure)), thread_([this] { run(); }) {}

StoreQueue::~StoreQueue() {
    {
        const std::lock_guard lock{mutex_};
        stopping_ = true;
    }
    wake_.notify_one();
    thread_.join();
}

void StoreQueue::submit(std::string what, std::string key, Job job) {
    const auto now = std::chrono::steady_clock::now();
    {
        const std::lock_guard lock{mutex_};
        if (!key.empty()) {
            if (const auto earlier = waiting_.find(key); earlier != waiting_.end()) {
                // Entry numbers are consecutive within the queue.
                auto& entry = queue_[static_cast<std::size_t>(earlier->second - queue_.front().number)];
                entry.what = std::move(what);
                entry.job = std::move(job);
                return;
            }
            waiting_.emplace(key, next_number_);
        }
        queue_.push_back({std::move(what), std::move(key), std::move(job), now, next_number_++});
    }
    wake_.notify_one();
}

void StoreQueue::flush() {
    std::unique_lock lock{mutex_};
    const auto until = next_number_;
    idle_.wait(lock, [&] { return done_number_ >= until; });
}

StoreQueueVitals StoreQueue::vitals() const {
    const std::lock_guard lock{mutex_};
    auto vitals = vitals_;
    vitals.depth = queue_.size();
    return vitals;
}

void StoreQueue::run() {
    std::unique_lock lock{mutex_};
    while (true) {
        wake_.wait(lock, [&] { return stopping_ || !queue_.empty(); });
        if (queue_.empty()) return;
        const auto entry = std::move(queue_.front());
        queue_.pop_front();
        if (!entry.key.empty()) waiting_.erase(entry.key);
        lock.unlock();
        const auto status = perform(entry);
        if (!status) on_failure_(entry.what, status.error());
        const std::chrono::duration<double, std::milli> latency =
            std::chrono::steady_clock::now() - entry.submitted;
        lock.lock();
        ++vitals_.done;
        vitals_.last_latency_ms = latency.count();
        vitals_.worst_latency_ms = std::max(vitals_.worst_latency_ms, latency.count());
        if (!status) {
            ++vitals_.failed;
            vitals_.last_error = entry.what + ": " + status.error().message;
        }
        done_number_ = entry.number + 1;
        idle_.notify_all();
    }
}

Status StoreQueue::perform(const Entry& entry) {
    for (int attempt = 1;; ++attempt) {
        auto status = entry.job(store_);
        if (status || attempt == kTries) return status;
        const auto kind = status.error().kind;
        if (kind != ErrorKind::kBusy && kind != ErrorKind::kIo && kind != ErrorKind::kUnavailable) {
            return status;
        }
        std::this_thread::sleep_for(kBetweenTries);
    }
}

}  // namespace fieldwarden::supervisor
