#include "supervisor/store/postgres/connection.h"

#include <fmt/format.h>
#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>

#include "supervisor/store/postgres/sqlstate.h"

namespace fieldwarden::supervisor::postgres {

namespace {

using std::chrono::steady_clock;

std::string one_line(std::string_view text) {
    std::string line;
    for (const char c : text) {
        const bool space = c == ' ' || c == '\n' || c == '\t' || c == '\r';
        if (!space)
            line += c;
        else if (!line.empty() && line.back() != ' ')
            line += ' ';
    }
    if (!line.empty() && line.back() == ' ') line.pop_back();
    return line;
}

std::string field(const PGresult* result, int code) {
    const char* text = PQresultErrorField(result, code);
    return text == nullptr ? std::string{} : one_line(text);
}

}  // namespace

void Connection::Close::operator()(PGconn* connection) const {
    PQfinish(connection);
}

Result<std::unique_ptr<Connection>> Connection::open(const Address& address) {
    std::unique_ptr<Connection> made{new Connection};
    made->label_ = address.label;
    std::vector<const char*> keywords;
    std::vector<const char*> values;
    for (const auto& [keyword, value] : address.connection) {
        keywords.push_back(keyword.c_str());
        values.push_back(value.c_str());
    }
    keywords.push_back(nullptr);
    values.push_back(nullptr);
    made->connection_.reset(PQconnectStartParams(keywords.data(), values.data(), 0));
    if (const auto ready = made->sign_in(); !ready) return ready.error();
    return made;
}

Status Connection::sign_in() {
    if (connection_ == nullptr || PQstatus(connection_.get()) == CONNECTION_BAD) return refused_connection();
    // A refused sign-in is told from a server that is starting by its SQLSTATE, which only this shows.
    PQsetErrorVerbosity(connection_.get(), PQERRORS_VERBOSE);
    const auto deadline = steady_clock::now() + kConnectTimeout;
    for (bool write = true;;) {
        if (const auto ready = wait(write, deadline); !ready) return ready;
        const auto state = PQconnectPoll(connection_.get());
        if (state == PGRES_POLLING_OK) break;
        if (state == PGRES_POLLING_FAILED) return refused_connection();
        write = state == PGRES_POLLING_WRITING;
    }
    if (PQsetnonblocking(connection_.get(), 1) != 0) return lost();
    constexpr int kOldest = 13;
    if (const int version = PQserverVersion(connection_.get()) / 10'000; version < kOldest) {
        return make_error(
            ErrorKind::kInvalidArgument,
            fmt::format("{}: is PostgreSQL {}; the store needs {} or newer", label_, version, kOldest));
    }
    // The server notices on its side when this program's machine is gone, and lets go of what it held.
    return execute(fmt::format(
        "SET standard_conforming_strings = on; SET TimeZone = 'UTC'; SET DateStyle = 'ISO';"
        "SET client_min_messages = warning; SET statement_timeout = {}; SET lock_timeout = {};"
        "SET idle_in_transaction_session_timeout = {}; SET search_path = fieldwarden, pg_catalog;"
        "SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3;"
        "SELECT set_config('client_connection_check_interval', '1000', false) FROM pg_catalog.pg_settings "
        "WHERE name = 'client_connection_check_interval';"
        // A commit that is reported is on disk, whatever the server's default.
        "SELECT set_config('synchronous_commit', 'on', false) "
        "WHERE current_setting('synchronous_commit') = 'off'",
        kStatementTimeout.count(), kStatementTimeout.count() / 2, 2 * kStatementTimeout.count()));
}

Status Connection::wait(bool write, steady_clock::time_point deadline) {
    for (;;) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - steady_clock::now());
        pollfd fd{PQsocket(connection_.get()), static_cast<short>(write ? POLLIN | POLLOUT : POLLIN), 0};
        if (::poll(&fd, 1, static_cast<int>(std::max<long>(left.count(), 0))) > 0) return {};
        if (steady_clock::now() < deadline) continue;
        health_ = Health::kSilent;
        return make_error(
            ErrorKind::kUnavailable,
            fmt::format("{}: the server does not answer; check that it runs and is not overloaded, and the "
                        "network in between",
                        label_));
    }
}

Status Connection::send_rest() {
    for (;;) {
        const int left = PQflush(connection_.get());
        if (left < 0) return lost();
        if (left == 0) return {};
        if (const auto ready = wait(true, steady_clock::now() + kSilence); !ready) return ready;
        // What the server says meanwhile is taken in, or both sides would wait for each other.
        if (PQconsumeInput(connection_.get()) == 0) return lost();
    }
}

// Reads all results; the last one that is not an error, or the first error.
Result<Answer> Connection::collect() {
    Answer answer;
    std::optional<Error> failed;
    for (;;) {
        while (PQisBusy(connection_.get()) != 0) {
            if (const auto ready = wait(false, steady_clock::now() + kSilence); !ready) return ready.error();
            if (PQconsumeInput(connection_.get()) == 0) {
                const auto error = lost();
                return failed.value_or(error);
            }
        }
        std::unique_ptr<pg_result, Answer::Clear> result{PQgetResult(connection_.get())};
        if (result == nullptr) break;
        switch (PQresultStatus(result.get())) {
            case PGRES_COMMAND_OK:
            case PGRES_EMPTY_QUERY:
            case PGRES_TUPLES_OK:
            case PGRES_NONFATAL_ERROR:
                answer.result_ = std::move(result);
                break;
            case PGRES_FATAL_ERROR:
                // The first one says why; a connection that breaks adds its own after it.
                if (!failed) failed = refused(result.get());
                break;
            case PGRES_COPY_IN:
            case PGRES_COPY_OUT:
            case PGRES_COPY_BOTH:
            case PGRES_BAD_RESPONSE:
            case PGRES_SINGLE_TUPLE:
            case PGRES_PIPELINE_SYNC:
            case PGRES_PIPELINE_ABORTED:
                health_ = Health::kLost;
                return make_error(
                    ErrorKind::kUnavailable,
                    fmt::format("{}: the server's answer makes no sense; check what listens there", label_));
        }
        if (PQstatus(connection_.get()) == CONNECTION_BAD) break;
    }
    if (PQstatus(connection_.get()) == CONNECTION_BAD) {
        health_ = Health::kLost;
        if (!failed) return lost();
    }
    if (failed) return *failed;
    return answer;
}

Result<Answer> Connection::run(const std::string& statement, const Parameters& parameters) {
    std::vector<const char*> values;
    std::vector<int> lengths;
    for (const auto& value : parameters.values_) {
        values.push_back(value ? value->data() : nullptr);
        lengths.push_back(value ? static_cast<int>(value->size()) : 0);
    }
    if (PQsendQueryParams(connection_.get(), statement.c_str(), static_cast<int>(values.size()),
                          parameters.types_.data(), values.data(), lengths.data(), parameters.formats_.data(),
                          1) == 0) {
        return lost();
    }
    if (const auto sent = send_rest(); !sent) return sent.error();
    return collect();
}

Result<Answer> Connection::script(const std::string& statements) {
    if (PQsendQuery(connection_.get(), statements.c_str()) == 0) return lost();
    if (const auto sent = send_rest(); !sent) return sent.error();
    return collect();
}

Status Connection::execute(const std::string& statements) {
    if (const auto answer = script(statements); !answer) return answer.error();
    return {};
}

Error Connection::lost() {
    health_ = Health::kLost;
    auto text = failure_of(connection_ == nullptr ? "out of memory" : PQerrorMessage(connection_.get()));
    if (text.empty()) text = "the connection ended";
    return make_error(
        ErrorKind::kUnavailable,
        fmt::format("{}: {}; check that the server runs and can be reached from here", label_, text));
}

Error Connection::refused_connection() {
    health_ = Health::kLost;
    if (connection_ == nullptr) return lost();
    const auto said = read_refusal(PQerrorMessage(connection_.get()));
    if (said.sqlstate.empty()) return lost();
    return make_error(kind_of(said.sqlstate),
                      fmt::format("{}: {}{}", label_, one_line(said.message), advice_for(said.sqlstate)));
}

Error Connection::refused(const PGresult* result) {
    const auto sqlstate = field(result, PG_DIAG_SQLSTATE);
    // Without a SQLSTATE it is libpq that speaks, of a connection that broke.
    if (sqlstate.empty()) return lost();
    auto message = field(result, PG_DIAG_MESSAGE_PRIMARY);
    // The detail of a constraint quotes the row, which may hold secrets.
    const bool quotes = sqlstate.starts_with("23") || sqlstate.starts_with("22");
    if (const auto detail = field(result, PG_DIAG_MESSAGE_DETAIL); !detail.empty() && !quotes) {
        message += "; " + detail;
    }
    return make_error(kind_of(sqlstate), fmt::format("{}: {}{}", label_, message, advice_for(sqlstate)));
}

}  // namespace fieldwarden::supervisor::postgres
