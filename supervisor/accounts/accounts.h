// Accounts: who may sign in, with what, and as what.
//
// A request is identified from memory: tokens and sessions are indexed by the SHA-256 of their secret, and
// what is in force is looked up there each time, so that a change by an administrator counts from the next
// request on. Changes go to the store first, then into the index.
//
// Threads: thread safe. identify_* never block on the store or on a hash; everything else may, for as long as
// a transaction and Passwords::kLongestWait take: call it on a pool.
#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/clock.h"
#include "supervisor/accounts/passwords.h"
#include "supervisor/accounts/signed_in.h"
#include "supervisor/accounts/throttle.h"
#include "supervisor/store/store.h"

namespace fieldwarden::supervisor {

struct Login {
    std::string secret;  // the cookie's value; kept nowhere
    SignedIn who;
};
struct LoginRefused {
    Error error;  // kInvalidArgument: wrong name or password; kBusy: wait
    std::chrono::seconds retry_after{0};
};

struct UserChange {
    std::optional<Role> role;
    std::optional<std::string> password;
    std::optional<bool> must_change_password;
    std::optional<bool> disabled;
};

class Accounts {
  public:
    struct Limits {
        // A session ends after this long without a request, and after session_longest in any case.
        std::chrono::milliseconds session_idle{std::chrono::hours{12}};
        std::chrono::milliseconds session_longest{std::chrono::hours{7 * 24}};
        FailureThrottle::Limits failures = {};  // of one name, and from one address
    };
    static constexpr std::size_t kMostSessionsPerUser = 50;  // the oldest goes
    static constexpr std::size_t kMostTokensPerUser = 100;

    Accounts(Store& store, const Clock& clock, Passwords& passwords, Limits limits);

    // Reads what is stored. In a store without users it makes the administrator "admin" and returns the
    // one-time password, which is nowhere else.
    Result<std::optional<std::string>> open();

    [[nodiscard]] std::optional<SignedIn> identify_token(std::string_view secret);
    [[nodiscard]] std::optional<SignedIn> identify_session(std::string_view secret);

    // An unknown or disabled user takes as long as a wrong password, and is told the same.
    boost::system::result<Login, LoginRefused> login(const std::string& username, const std::string& password,
                                                     const std::string& remote);
    Status logout(const SignedIn& who, const Actor& actor);
    // kInvalidArgument: the new one will not do; kConflict: the current one is wrong; kBusy. Ends the user's
    // other sessions.
    Status change_password(const SignedIn& who, const std::string& current, const std::string& wanted,
                           const Actor& actor);

    [[nodiscard]] std::vector<User> users() const;  // by id
    [[nodiscard]] std::optional<User> user(std::int64_t id) const;
    [[nodiscard]] std::optional<User> user_named(std::string_view name) const;
    Result<User> create_user(const std::string& username, const std::string& password, Role role,
                             bool must_change_password, const Actor& actor);
    // A new password or being disabled ends the user's sessions.
    Result<User> change_user(std::int64_t id, const UserChange& change, const Actor& actor);
    Status remove_user(std::int64_t id, const Actor& actor);

    struct NewToken {
        ApiToken token;
        std::string secret;  // shown once
    };
    [[nodiscard]] std::vector<ApiToken> tokens() const;  // by id
    Result<NewToken> create_token(std::int64_t user_id, const std::string& name, Role role,
                                  std::optional<UtcTime> expires_at, const Actor& actor);
    Status remove_token(std::int64_t id, const Actor& actor);

    // Writes when tokens were last used and how long sessions last, at most once a minute each, and forgets
    // what has expired. Called every few seconds.
    Status upkeep();

  private:
    struct LiveToken {
        ApiToken token;
        std::optional<UtcTime> written_use;
    };
    struct LiveSession {
        WebSession session;
        UtcTime written_end{};
    };
    Result<std::int64_t> put(const User& user, const AuditEntry& audit);
    [[nodiscard]] AuditEntry entry(const Actor& actor, std::string action, std::string subject,
                                   proto::Json detail) const;
    Result<Login> open_session(const User& verified, const std::string& remote);
    Status end_sessions_of(std::int64_t user_id, const std::string& but);
    Status refuse_login(const std::optional<User>& user, const std::string& remote);

    Store& store_;
    const Clock& clock_;
    Passwords& passwords_;
    const Limits limits_;
    std::string nobodys_hash_;  // what an unknown user's password is held against
    FailureThrottle by_name_;
    FailureThrottle by_remote_;

    std::mutex changes_;        // one change at a time; taken before mutex_
    mutable std::mutex mutex_;  // the index; held for moments only
    std::map<std::int64_t, User> users_;
    std::unordered_map<std::string, LiveToken> tokens_;
    std::unordered_map<std::string, LiveSession> sessions_;
};

}  // namespace fieldwarden::supervisor
