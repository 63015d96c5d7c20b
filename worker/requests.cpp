#include "worker/requests.h"

#include <utility>

namespace fieldwarden::worker {

Requests::Requests(std::function<void()> answered) : answered_(std::move(answered)) {}

Requests::~Requests() {
    {
        const std::lock_guard lock{mutex_};
        stopping_ = true;
    }
    wake_.notify_all();
    if (thread_.joinable()) thread_.join();
}

bool Requests::post(std::function<proto::Reply()> work) {
    const std::lock_guard lock{mutex_};
    if (waiting_.size() >= kMostWaiting) return false;
    waiting_.push_back(std::move(work));
    if (!thread_.joinable()) thread_ = std::thread{[this] { run(); }};
    wake_.notify_one();
    return true;
}

std::optional<proto::Reply> Requests::take() {
    const std::lock_guard lock{mutex_};
    if (answers_.empty()) return std::nullopt;
    auto reply = std::move(answers_.front());
    answers_.pop_front();
    return reply;
}

bool Requests::busy() const {
    const std::lock_guard lock{mutex_};
    return running_ || !waiting_.empty() || !answers_.empty();
}

void Requests::run() {
    std::unique_lock lock{mutex_};
    for (;;) {
        wake_.wait(lock, [&] { return stopping_ || !waiting_.empty(); });
        if (stopping_) return;
        auto work = std::move(waiting_.front());
        waiting_.pop_front();
        running_ = true;
        lock.unlock();
        auto reply = work();
        lock.lock();
        running_ = false;
        answers_.push_back(std::move(reply));
        answered_();
    }
}

}  // namespace fieldwarden::worker
