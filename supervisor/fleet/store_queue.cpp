#include "supervisor/fleet/store_queue.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace fieldwarden::supervisor {

using std::chrono::steady_clock;

namespace {
constexpr int kTries = 3;
constexpr std::chrono::milliseconds kBetweenTries{200};
constexpr std::chrono::milliseconds kWhileDown{1'000};

std::chrono::seconds since(steady_clock::time_point time) {
    return std::chrono::round<std::chrono::seconds>(steady_clock::now() - time);
}
}  // namespace

StoreQueue::StoreQueue(Store& store, std::function<void(const std::string&, const Error&)> on_failure,
                       std::function<void(const std::string&)> say, std::size_t most_waiting)
    : store_(store),
      on_failure_(std::move(on_failure)),
      say_(std::move(say)),
      most_waiting_(most_waiting),
      thread_([this] { run(); }) {}

StoreQueue::~StoreQueue() {
    {
        const std::lock_guard lock{mutex_};
        stopping_ = true;
        stop_at_ = steady_clock::now() + kLastChance;
    }
    wake_.notify_one();
    thread_.join();
}

namespace {

// Among the newest: it was written moments ago, and few write meanwhile.
Result<bool> is_in_trail(Store& store, const AuditEntry& entry) {
    const auto newest = store.audit({.page = 1, .page_size = 1000});
    if (!newest) return newest.error();
    return std::ranges::any_of(newest->items, [&](const AuditEntry& each) {
        return each.at == entry.at && each.action == entry.action && each.subject == entry.subject &&
               each.actor.name == entry.actor.name && each.detail == entry.detail;
    });
}

}  // namespace

void StoreQueue::submit_audit(AuditEntry entry) {
    auto what = "audit of " + entry.action;
    submit(std::move(what), {}, [entry = std::move(entry), tried = false](Store& store) mutable -> Status {
        if (std::exchange(tried, true)) {
            const auto found = is_in_trail(store, entry);
            if (!found) return found.error();
            if (*found) return {};
        }
        return store.add_audit(entry);
    });
}

void StoreQueue::submit(std::string what, std::string key, Job job) {
    const auto now = steady_clock::now();
    bool first_loss = false;
    {
        const std::lock_guard lock{mutex_};
        if (!key.empty()) {
            if (const auto earlier = waiting_.find(key); earlier != waiting_.end()) {
                auto& entry = queue_.at(earlier->second);
                entry.what = std::move(what);
                entry.job = std::move(job);
                return;
            }
            waiting_.emplace(key, next_number_);
        } else {
            without_key_.insert(next_number_);
        }
        queue_.emplace(next_number_++, Entry{std::move(what), std::move(key), std::move(job), now});
        if (queue_.size() > most_waiting_) {
            give_one_up();
            first_loss = given_up_ == 1;
        }
    }
    wake_.notify_one();
    if (first_loss) {
        tell(
            fmt::format("{} writes wait for the store: for each new one the oldest line of a timeline or of "
                        "the audit trail is given up from here on",
                        most_waiting_));
    }
}

void StoreQueue::give_one_up() {
    const auto number = without_key_.empty() ? queue_.begin()->first : *without_key_.begin();
    const auto lost = queue_.find(number);
    waiting_.erase(lost->second.key);
    without_key_.erase(number);
    queue_.erase(lost);
    ++given_up_;
    ++vitals_.failed;
}

bool StoreQueue::flush() {
    std::unique_lock lock{mutex_};
    const auto until = next_number_;
    idle_.wait(lock, [&] { return done_number_ >= until || down_since_; });
    return done_number_ >= until;
}

StoreQueueVitals StoreQueue::vitals() const {
    const std::lock_guard lock{mutex_};
    auto vitals = vitals_;
    // The one that is tried again and again waits like the others.
    vitals.depth = queue_.size() + (down_since_ ? 1 : 0);
    return vitals;
}

void StoreQueue::tell(const std::string& text) const {
    if (say_) say_(text);
}

void StoreQueue::run() {
    std::unique_lock lock{mutex_};
    while (true) {
        wake_.wait(lock, [&] { return stopping_ || !queue_.empty(); });
        if (queue_.empty()) return;
        auto node = queue_.extract(queue_.begin());
        const auto& entry = node.mapped();
        waiting_.erase(entry.key);
        without_key_.erase(node.key());
        lock.unlock();
        const auto status = perform(entry);
        if (!status) on_failure_(entry.what, status.error());
        const std::chrono::duration<double, std::milli> latency = steady_clock::now() - entry.submitted;
        lock.lock();
        ++vitals_.done;
        vitals_.last_latency_ms = latency.count();
        vitals_.worst_latency_ms = std::max(vitals_.worst_latency_ms, latency.count());
        if (!status) {
            ++vitals_.failed;
            vitals_.last_error = entry.what + ": " + status.error().message;
        }
        if (!status && stopping_ && down_since_) {
            // The last chance has passed.
            vitals_.failed += queue_.size();
            const auto left = queue_.size() + given_up_;
            queue_.clear();
            waiting_.clear();
            without_key_.clear();
            if (left > 0) {
                tell(fmt::format("{} more writes were given up, since the store could not be reached", left));
            }
        }
        done_number_ = queue_.empty() ? next_number_ : queue_.begin()->first;
        idle_.notify_all();
    }
}

Status StoreQueue::perform(const Entry& entry) {
    bool perhaps_done = false;
    for (int attempt = 1;;) {
        auto status = entry.job(store_);
        if (status) {
            store_is_back();
            return status;
        }
        switch (status.error().kind) {
            case ErrorKind::kTimeout:
                perhaps_done = true;
                [[fallthrough]];
            case ErrorKind::kUnavailable:
                if (!wait_for_store(status.error())) return status;
                break;
            case ErrorKind::kBusy:
            case ErrorKind::kIo:
                if (attempt++ == kTries) return status;
                std::this_thread::sleep_for(kBetweenTries);
                break;
            case ErrorKind::kConflict:
                store_is_back();
                return perhaps_done ? Status{} : status;
            case ErrorKind::kInvalidArgument:
            case ErrorKind::kNotFound:
            case ErrorKind::kCorrupt:
            case ErrorKind::kTooLarge:
            case ErrorKind::kInternal:
                store_is_back();
                return status;
        }
    }
}

bool StoreQueue::wait_for_store(const Error& error) {
    std::unique_lock lock{mutex_};
    vitals_.last_error = error.message;
    if (!down_since_) {
        down_since_ = steady_clock::now();
        given_up_ = 0;
        idle_.notify_all();
        lock.unlock();
        tell(fmt::format("{}. The tasks go on; what there is to write waits in memory, up to {} writes",
                         error.message, most_waiting_));
        lock.lock();
    }
    const auto until = steady_clock::now() + kWhileDown;
    wake_.wait_until(lock, stopping_ ? std::min(until, stop_at_) : until,
                     [&] { return stopping_ && steady_clock::now() >= stop_at_; });
    return !stopping_ || steady_clock::now() < stop_at_;
}

void StoreQueue::store_is_back() {
    std::unique_lock lock{mutex_};
    if (!down_since_) return;
    const auto text = fmt::format("the store is back after {} s; {} writes waited, {} were given up",
                                  since(*down_since_).count(), queue_.size() + 1, given_up_);
    down_since_.reset();
    given_up_ = 0;
    vitals_.last_error.clear();
    lock.unlock();
    tell(text);
}

}  // namespace fieldwarden::supervisor
