#include "supervisor/store/postgres/link.h"

namespace fieldwarden::supervisor::postgres {

using std::chrono::steady_clock;

Status Link::open() {
    const std::lock_guard lock{mutex_};
    return connect();
}

Status Link::ensure() {
    if (connection_ != nullptr && connection_->health() == Connection::Health::kGood) return {};
    if (steady_clock::now() < down_until_) return why_down_;
    auto connected = connect();
    // While running, what keeps us out is for somebody at the server to mend; the request was not wrong.
    if (!connected) {
        why_down_ = make_error(ErrorKind::kUnavailable, connected.error().message);
        down_until_ = steady_clock::now() + kPause;
        return why_down_;
    }
    return {};
}

Status Link::connect() {
    connection_.reset();
    auto connection = Connection::open(address_);
    if (!connection) return connection.error();
    if (const auto prepared = prepare_(**connection); !prepared) return prepared;
    connection_ = std::move(*connection);
    return {};
}

Status Link::begin() {
    switch (use_) {
        case Use::kRead:
            return connection_->execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
        case Use::kWrite:
            break;
    }
    const auto number = connection_->script("BEGIN; SELECT pg_current_xact_id()::text");
    if (!number) return number.error();
    transaction_ = number->text(0, 0);
    return {};
}

Status Link::commit(Ended& ended) {
    const auto committed = connection_->execute("COMMIT");
    if (committed) {
        ended = Ended::kCommitted;
        return committed;
    }
    switch (connection_->health()) {
        case Connection::Health::kGood:
            ended = Ended::kRefused;
            break;
        case Connection::Health::kLost:
            ended = use_ == Use::kRead ? Ended::kLost : ask_what_became();
            break;
        case Connection::Health::kSilent:
            ended = use_ == Use::kRead ? Ended::kRefused : Ended::kUnknown;
            again();
            break;
    }
    if (ended == Ended::kCommitted) return {};
    if (ended != Ended::kUnknown) return committed;
    return make_error(
        ErrorKind::kTimeout,
        fmt::format("{}; this came while a change was being stored, and whether it was is not known: look "
                    "before repeating it",
                    committed.error().message));
}

Link::Ended Link::ask_what_became() {
    if (!ensure()) return Ended::kUnknown;
    const auto status = connection_->script(fmt::format("SELECT pg_xact_status('{}'::xid8)", transaction_));
    if (!status || status->is_null(0, 0)) return Ended::kUnknown;
    if (status->text(0, 0) == "committed") return Ended::kCommitted;
    if (status->text(0, 0) == "aborted") return Ended::kLost;
    return Ended::kUnknown;
}

bool Link::again() {
    switch (connection_->health()) {
        case Connection::Health::kGood:
            return false;
        case Connection::Health::kLost:
            return true;
        case Connection::Health::kSilent:
            // Connecting anew would be met with the same silence.
            why_down_ =
                make_error(ErrorKind::kUnavailable,
                           fmt::format("{}: the server did not answer a moment ago; check that it runs "
                                       "and is not overloaded",
                                       address_.label));
            down_until_ = steady_clock::now() + kPause;
            return false;
    }
    return false;
}

}  // namespace fieldwarden::supervisor::postgres
