// A connection that is made again when it broke, the lock that goes with it, and transactions over it.
//
// How long a call takes. Waiting for other calls: kPatience. Connecting: 3 s; each statement: 5 s at the
// server, 6 s without a word from it. After a connection failed, calls fail at once for kPause, so that
// threads do not queue up behind a server that is gone.
//
// What a broken connection means. Before COMMIT nothing was stored: the transaction is done again, once, on a
// new connection. During COMMIT the server is asked what became of it (pg_xact_status); where
// that cannot be learnt the error is kTimeout and says so.
#pragma once

#include <fmt/format.h>

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "supervisor/store/postgres/connection.h"

namespace fieldwarden::supervisor::postgres {

class Link {
  public:
    enum class Use : std::uint8_t { kWrite, kRead };
    // `prepare` runs on every new connection before anything else.
    using Prepare = std::function<Status(Connection&)>;
    Link(Use use, const Address& address, Prepare prepare)
        : use_(use), address_(address), prepare_(std::move(prepare)) {}
    // Both hold on to each other's whereabouts.
    Link(const Link&) = delete;
    Link& operator=(const Link&) = delete;

    // Connects; the error says why not.
    Status open();
    // `work` (Connection& → Result) in one transaction, that is rolled back when it fails. A reader's sees
    // one consistent state. `work` may be called twice.
    template <class Work>
    auto transact(Work&& work) -> decltype(work(std::declval<Connection&>()));

    static constexpr std::chrono::seconds kPatience{10};
    static constexpr std::chrono::milliseconds kPause{1'000};

  private:
    enum class Ended : std::uint8_t {
        kCommitted,
        kRefused,  // the server did not want it
        kLost,     // not stored, and the connection is a new one
        kUnknown,
    };

    Status ensure();
    Status connect();
    Status begin();
    Status commit(Ended& ended);
    Ended ask_what_became();
    // After a failure: whether the transaction can be done again on a new connection.
    bool again();

    const Use use_;
    const Address& address_;
    const Prepare prepare_;
    std::timed_mutex mutex_;
    std::unique_ptr<Connection> connection_;
    std::string transaction_;  // the writer's current one, as the server numbers it
    Error why_down_;
    std::chrono::steady_clock::time_point down_until_{};
};

template <class Work>
auto Link::transact(Work&& work) -> decltype(work(std::declval<Connection&>())) {
    std::unique_lock lock{mutex_, std::defer_lock};
    if (!lock.try_lock_for(kPatience)) {
        return make_error(ErrorKind::kBusy,
                          fmt::format("{}: earlier work on the store takes long; try again", address_.label));
    }
    for (bool tried = false;; tried = true) {
        if (const auto ready = ensure(); !ready) return ready.error();
        if (const auto begun = begin(); !begun) {
            if (again() && !tried) continue;
            return begun.error();
        }
        auto done = work(*connection_);
        if (!done) {
            // A refusal of ours; an error of the server's ends the transaction just the same.
            if (connection_->health() == Connection::Health::kGood) {
                static_cast<void>(connection_->execute("ROLLBACK"));
            }
            if (again() && !tried) continue;
            return done;
        }
        auto ended = Ended::kCommitted;
        const auto committed = commit(ended);
        switch (ended) {
            case Ended::kCommitted:
                return done;
            case Ended::kLost:
                if (!tried) break;
                return committed.error();
            case Ended::kRefused:
            case Ended::kUnknown:
                return committed.error();
        }
    }
}

}  // namespace fieldwarden::supervisor::postgres
