// One connection to PostgreSQL over libpq's non-blocking calls: every wait has a deadline and ends when the
// sink is interrupted. Whatever fails but the data itself leaves the session unusable; the sink makes
// another.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "worker/sinks/postgres/settings.h"
#include "worker/sinks/postgres/sqlstate.h"

struct pg_conn;
struct pg_result;

namespace fieldwarden::worker::postgres {

// Ends waits from another thread: the one under way, or else the next one.
class Wake {
  public:
    Wake();
    ~Wake();
    Wake(const Wake&) = delete;
    Wake& operator=(const Wake&) = delete;
    void raise() const;  // any thread
    // True when it was raised since; it is lowered then.
    [[nodiscard]] bool take() const;
    [[nodiscard]] int fd() const { return fd_; }

  private:
    int fd_ = -1;
};

// Rows of texts; NULL is an empty text.
using Rows = std::vector<std::vector<std::string>>;
// Nothing: done.
using Outcome = std::optional<Failure>;

class Session {
  public:
    // Connects, signs in and makes the session's settings. Null with the reason in `why`.
    static std::unique_ptr<Session> connect(const Settings& settings, const Wake& wake, Failure& why);

    // One or more statements separated by ';'. The rows are those of the last one that has any.
    Outcome run(const std::string& statements, Rows* rows = nullptr);
    // `statements` end with a COPY … FROM STDIN that takes `data`.
    Outcome copy(const std::string& statements, std::string_view data);
    // Whether the server has closed the connection meanwhile.
    [[nodiscard]] bool closed();

  private:
    struct Close {
        void operator()(pg_conn* connection) const;
    };
    Session(const Settings& settings, const Wake& wake) : settings_(settings), wake_(wake) {}

    Outcome sign_in();
    Outcome send(const std::string& statements);
    Outcome flush();
    // Reads results to the end of what was sent, or to the beginning of a COPY.
    Outcome collect(Rows* rows, bool& copying);
    Outcome wait(bool write);
    [[nodiscard]] Failure lost() const;
    [[nodiscard]] static Failure refused(const pg_result* result);

    const Settings& settings_;
    const Wake& wake_;
    std::chrono::steady_clock::time_point deadline_{};
    std::unique_ptr<pg_conn, Close> connection_;
};

}  // namespace fieldwarden::worker::postgres
