#include "worker/sinks/postgres/session.h"

#include <fmt/format.h>
#include <libpq-fe.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "common/clock.h"

namespace fieldwarden::worker::postgres {

namespace {

using std::chrono::steady_clock;

struct Clear {
    void operator()(PGresult* result) const { PQclear(result); }
};
using ResultPtr = std::unique_ptr<PGresult, Clear>;

// The server's text in one line.
std::string one_line(const char* text) {
    std::string line{text == nullptr ? "" : text};
    std::replace(line.begin(), line.end(), '\n', ' ');
    while (!line.empty() && line.back() == ' ') line.pop_back();
    return line;
}

std::string field(const PGresult* result, int code) {
    const char* text = PQresultErrorField(result, code);
    return text == nullptr ? std::string{} : one_line(text);
}

Rows rows_of(const PGresult* result) {
    Rows rows(static_cast<std::size_t>(PQntuples(result)));
    for (int row = 0; row < PQntuples(result); ++row) {
        for (int column = 0; column < PQnfields(result); ++column) {
            rows[static_cast<std::size_t>(row)].emplace_back(
                PQgetvalue(result, row, column), static_cast<std::size_t>(PQgetlength(result, row, column)));
        }
    }
    return rows;
}

}  // namespace

Wake::Wake() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

Wake::~Wake() {
    ::close(fd_);
}

void Wake::raise() const {
    ::eventfd_write(fd_, 1);
}

bool Wake::take() const {
    eventfd_t count = 0;
    return ::eventfd_read(fd_, &count) == 0;
}

void Session::Close::operator()(pg_conn* connection) const {
    PQfinish(connection);
}

std::unique_ptr<Session> Session::connect(const Settings& settings, const Wake& wake, Failure& why) {
    std::unique_ptr<Session> session{new Session{settings, wake}};
    if (auto failed = session->sign_in()) {
        why = std::move(*failed);
        return nullptr;
    }
    return session;
}

Outcome Session::sign_in() {
    std::vector<const char*> keywords;
    std::vector<const char*> values;
    for (const auto& [keyword, value] : settings_.connection) {
        keywords.push_back(keyword.c_str());
        values.push_back(value.c_str());
    }
    keywords.push_back(nullptr);
    values.push_back(nullptr);
    deadline_ = steady_clock::now() + settings_.connect_timeout;
    connection_.reset(PQconnectStartParams(keywords.data(), values.data(), 0));
    const auto refused_connection = [&]() -> Failure {
        Failure failure = lost();
        const auto says = [&](std::string_view words) {
            return failure.message.find(words) != std::string::npos;
        };
        // A failed connection carries no error code.
        if (says("authentication") || says("password") || says("pg_hba.conf")) {
            failure.trouble = Trouble::kSignIn;
        }
        return failure;
    };
    if (connection_ == nullptr || PQstatus(connection_.get()) == CONNECTION_BAD) return refused_connection();
    PQsetNoticeProcessor(
        connection_.get(), [](void*, const char*) {}, nullptr);
    bool write = true;
    for (;;) {
        if (auto failed = wait(write)) return failed;
        const auto state = PQconnectPoll(connection_.get());
        if (state == PGRES_POLLING_OK) break;
        if (state == PGRES_POLLING_FAILED) return refused_connection();
        write = state == PGRES_POLLING_WRITING;
    }
    if (PQsetnonblocking(connection_.get(), 1) != 0) return lost();
    // The server gives up no later than we do, so that nothing of ours stays behind on it. Half of it for
    // locks: their holder is then named by the error.
    const auto limit = settings_.timeout.count();
    return run(
        fmt::format("SET standard_conforming_strings = on; SET TimeZone = 'UTC'; SET DateStyle = 'ISO';"
                    "SET statement_timeout = {}; SET lock_timeout = {};"
                    "SET idle_in_transaction_session_timeout = {};"
                    "SET client_min_messages = warning;",
                    limit, std::max(limit / 2, decltype(limit){1}), limit));
}

Failure Session::lost() const {
    auto text = one_line(connection_ == nullptr ? "out of memory" : PQerrorMessage(connection_.get()));
    if (text.empty()) text = "the connection is lost";
    return {Trouble::kUnavailable, {}, std::move(text)};
}

Failure Session::refused(const PGresult* result) {
    Failure failure;
    failure.sqlstate = field(result, PG_DIAG_SQLSTATE);
    failure.message = field(result, PG_DIAG_MESSAGE_PRIMARY);
    if (const auto detail = field(result, PG_DIAG_MESSAGE_DETAIL); !detail.empty()) {
        failure.message += "; " + detail;
    }
    if (failure.message.empty()) failure.message = one_line(PQresultErrorMessage(result));
    failure.trouble = trouble_of(failure.sqlstate, field(result, PG_DIAG_CONSTRAINT_NAME));
    return failure;
}

Outcome Session::wait(bool write) {
    const auto expired = [&] { return steady_clock::now() >= deadline_; };
    for (;;) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline_ - steady_clock::now());
        std::array<pollfd, 2> fds{
            pollfd{PQsocket(connection_.get()), static_cast<short>(write ? POLLIN | POLLOUT : POLLIN), 0},
            pollfd{wake_.fd(), POLLIN, 0}};
        const int ready = ::poll(fds.data(), fds.size(), static_cast<int>(std::max<long>(left.count(), 0)));
        if (wake_.take()) return Failure{Trouble::kUnavailable, {}, "interrupted"};
        if (ready > 0) return std::nullopt;
        if (expired()) {
            const bool connecting = PQstatus(connection_.get()) != CONNECTION_OK;
            return Failure{
                Trouble::kUnavailable,
                {},
                fmt::format("no answer within {}",
                            format_duration(connecting ? settings_.connect_timeout : settings_.timeout))};
        }
    }
}

Outcome Session::flush() {
    for (;;) {
        const int left = PQflush(connection_.get());
        if (left < 0) return lost();
        if (left == 0) return std::nullopt;
        if (auto failed = wait(true)) return failed;
        // What the server says meanwhile is taken in, or both sides would wait for each other.
        if (PQconsumeInput(connection_.get()) == 0) return lost();
    }
}

Outcome Session::send(const std::string& statements) {
    deadline_ = steady_clock::now() + settings_.timeout;
    if (PQsendQuery(connection_.get(), statements.c_str()) == 0) return lost();
    return flush();
}

Outcome Session::collect(Rows* rows, bool& copying) {
    Outcome failed;
    copying = false;
    for (;;) {
        while (PQisBusy(connection_.get()) != 0) {
            if (auto stuck = wait(false)) return stuck;
            if (PQconsumeInput(connection_.get()) == 0) return failed ? failed : lost();
        }
        const ResultPtr result{PQgetResult(connection_.get())};
        if (result == nullptr) return failed;
        switch (PQresultStatus(result.get())) {
            case PGRES_COMMAND_OK:
            case PGRES_EMPTY_QUERY:
                break;
            case PGRES_TUPLES_OK:
                if (rows != nullptr) *rows = rows_of(result.get());
                break;
            case PGRES_COPY_IN:
                copying = true;
                return failed;
            case PGRES_FATAL_ERROR:
                // The first one says why; a broken connection adds its own after it.
                if (!failed) failed = refused(result.get());
                if (PQstatus(connection_.get()) == CONNECTION_BAD) return failed;
                break;
            case PGRES_COPY_OUT:
            case PGRES_COPY_BOTH:
            case PGRES_BAD_RESPONSE:
            case PGRES_NONFATAL_ERROR:
            case PGRES_SINGLE_TUPLE:
            case PGRES_PIPELINE_SYNC:
            case PGRES_PIPELINE_ABORTED:
                return Failure{Trouble::kUnavailable, {}, "the server's answer makes no sense"};
        }
    }
}

Outcome Session::run(const std::string& statements, Rows* rows) {
    if (auto failed = send(statements)) return failed;
    bool copying = false;
    if (auto failed = collect(rows, copying)) return failed;
    if (copying) return Failure{Trouble::kUnavailable, {}, "the server asks for data that nobody announced"};
    return std::nullopt;
}

Outcome Session::copy(const std::string& statements, std::string_view data) {
    if (auto failed = send(statements)) return failed;
    bool copying = false;
    if (auto failed = collect(nullptr, copying)) return failed;
    if (!copying) return Failure{Trouble::kUnavailable, {}, "the server does not take the data of a COPY"};
    constexpr std::size_t kPiece = 64U << 10;
    while (!data.empty()) {
        const auto piece = data.substr(0, kPiece);
        const int taken = PQputCopyData(connection_.get(), piece.data(), static_cast<int>(piece.size()));
        if (taken < 0) return lost();
        if (taken > 0) data.remove_prefix(piece.size());
        // The deadline is for one step of progress, not for the whole of a large batch on a slow line.
        deadline_ = steady_clock::now() + settings_.timeout;
        if (auto failed = flush()) return failed;
    }
    int ended = 0;
    while ((ended = PQputCopyEnd(connection_.get(), nullptr)) == 0) {
        if (auto failed = wait(true)) return failed;
    }
    if (ended < 0) return lost();
    deadline_ = steady_clock::now() + settings_.timeout;
    if (auto failed = flush()) return failed;
    return collect(nullptr, copying);
}

bool Session::closed() {
    // What comes unasked is a farewell, and its end after it.
    for (int i = 0; i < 8; ++i) {
        pollfd fd{PQsocket(connection_.get()), POLLIN, 0};
        if (::poll(&fd, 1, 0) <= 0) break;
        if (PQconsumeInput(connection_.get()) == 0) return true;
    }
    return PQstatus(connection_.get()) != CONNECTION_OK;
}

}  // namespace fieldwarden::worker::postgres
