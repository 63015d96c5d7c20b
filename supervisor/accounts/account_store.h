// What is kept of accounts: users, API tokens and the console's sessions. Every Store keeps them too, and the
// contract suite in tests/contract covers both parts.
//
// Threads and durability: as Store. Secrets: only hashes come here. A password is an Argon2id string
// (RFC 9106, the encoded form that names its own parameters); a token or a session secret has 256 random bits
// and is kept as SHA-256.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/enum_table.h"
#include "common/result.h"

namespace fieldwarden::supervisor {

struct AuditEntry;

// In rising order of rights: an operator may do all a viewer may.
enum class Role : std::uint8_t { kViewer, kOperator, kAdmin };

struct User {
    std::int64_t id = 0;
    std::string username;  // unique; compared byte by byte
    Role role = Role::kViewer;
    std::string password_hash;
    bool must_change_password = false;
    bool disabled = false;
    UtcTime created_at{};
    std::optional<UtcTime> last_login_at;

    bool operator==(const User&) const = default;
};

struct ApiToken {
    std::int64_t id = 0;
    std::int64_t user_id = 0;   // whose it is; it goes with the user
    std::string name;           // what it is for; unique among the user's
    Role role = Role::kViewer;  // its scope; what is in force is the lower of this and the user's
    std::string secret_hash;    // SHA-256, hex
    UtcTime created_at{};
    std::optional<UtcTime> expires_at;
    std::optional<UtcTime> last_used_at;

    bool operator==(const ApiToken&) const = default;
};

struct WebSession {
    std::string secret_hash;  // SHA-256 of the cookie, hex
    std::int64_t user_id = 0;
    std::string csrf_token;
    UtcTime created_at{};
    UtcTime expires_at{};

    bool operator==(const WebSession&) const = default;
};

class AccountStore {
  public:
    virtual ~AccountStore() = default;

    virtual Result<std::vector<User>> users() = 0;  // by id
    // Adds (id 0) or replaces, together with the audit entry; returns the id, which is never reused.
    // kConflict: the name is taken, or the last enabled administrator would be gone; kNotFound: no such id.
    virtual Result<std::int64_t> put_user(const User& user, const AuditEntry& audit) = 0;
    // With the user's tokens and sessions. kNotFound; kConflict for the last enabled administrator.
    virtual Status remove_user(std::int64_t id, const AuditEntry& audit) = 0;

    virtual Result<std::vector<ApiToken>> tokens() = 0;  // by id
    // Returns the id. kConflict: the user has a token of that name; kNotFound: no such user.
    virtual Result<std::int64_t> add_token(const ApiToken& token, const AuditEntry& audit) = 0;
    virtual Status remove_token(std::int64_t id, const AuditEntry& audit) = 0;  // kNotFound
    // Without an audit entry; unknown ids are passed over.
    virtual Status touch_token(std::int64_t id, UtcTime used_at) = 0;
    virtual Status touch_user(std::int64_t id, UtcTime login_at) = 0;

    virtual Result<std::vector<WebSession>> web_sessions() = 0;  // by creation
    // Replaces the one of the same secret, whose end moves while it is used.
    virtual Status add_web_session(const WebSession& session) = 0;
    // Unknown ones are passed over.
    virtual Status remove_web_session(const std::string& secret_hash) = 0;
    virtual Status remove_web_sessions_of(std::int64_t user_id) = 0;
    virtual Status prune_web_sessions(UtcTime expired_before) = 0;
};

}  // namespace fieldwarden::supervisor

namespace fieldwarden {
template <>
struct EnumNames<supervisor::Role> {
    using E = supervisor::Role;
    static constexpr std::array<EnumName<E>, 3> table{{
        {E::kViewer, "viewer"},
        {E::kOperator, "operator"},
        {E::kAdmin, "admin"},
    }};
};
}  // namespace fieldwarden
