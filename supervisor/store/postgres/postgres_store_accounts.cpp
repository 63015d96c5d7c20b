// Users, API tokens and the console's sessions.
#include "supervisor/store/postgres/postgres_store.h"
#include "supervisor/store/postgres/rows.h"

namespace fieldwarden::supervisor {

using namespace postgres;

namespace {

constexpr std::string_view kUserColumns =
    "username, role, password_hash, must_change_password, disabled, created_at, last_login_at";

constexpr std::string_view kTokenColumns =
    "user_id, name, role, secret_hash, created_at, expires_at, last_used_at";

Result<std::int64_t> administrators(Connection& connection) {
    return integer_of(connection, "SELECT count(*) FROM users WHERE role = 'admin' AND NOT disabled");
}

// `change`, unless it takes the last enabled administrator away.
template <class Change>
Status keeping_an_administrator(Connection& connection, Change&& change) {
    const auto before = administrators(connection);
    if (!before) return before.error();
    if (const auto done = change(); !done) return done;
    const auto after = administrators(connection);
    if (!after) return after.error();
    if (*before > 0 && *after == 0) {
        return make_error(ErrorKind::kConflict,
                          "this is the last enabled administrator; make another one first");
    }
    return {};
}

}  // namespace

Result<std::vector<User>> PostgresStore::users() {
    return read([](Connection& connection) {
        return collect(connection, fmt::format("SELECT id, {} FROM users ORDER BY id", kUserColumns), "user",
                       read_user);
    });
}

Result<std::int64_t> PostgresStore::put_user(const User& user, const AuditEntry& audit) {
    return write([&](Connection& connection) -> Result<std::int64_t> {
        const auto taken =
            integer_of(connection, "SELECT count(*) FROM users WHERE username = $1 AND id <> $2",
                       user.username, user.id);
        if (!taken) return taken.error();
        if (*taken != 0) {
            return make_error(ErrorKind::kConflict,
                              fmt::format("there is a user '{}' already", user.username));
        }
        auto id = user.id;
        const auto put = keeping_an_administrator(connection, [&]() -> Status {
            if (id == 0) {
                const auto added = insert(connection, "users", kUserColumns, 0, user.username,
                                          to_name(user.role), user.password_hash, user.must_change_password,
                                          user.disabled, user.created_at, user.last_login_at);
                if (!added) return added.error();
                id = *added;
                return {};
            }
            return change_one(
                connection, "user", id,
                fmt::format("UPDATE users SET ({}) = ({}) WHERE id = $8", kUserColumns, places(7, 1)),
                user.username, to_name(user.role), user.password_hash, user.must_change_password,
                user.disabled, user.created_at, user.last_login_at, id);
        });
        if (!put) return put.error();
        if (const auto noted = insert_audit(connection, audit); !noted) return noted.error();
        return id;
    });
}

Status PostgresStore::remove_user(std::int64_t id, const AuditEntry& audit) {
    return write([&](Connection& connection) -> Status {
        const auto removed = keeping_an_administrator(connection, [&] {
            return change_one(connection, "user", id, "DELETE FROM users WHERE id = $1", id);
        });
        if (!removed) return removed;
        return insert_audit(connection, audit);
    });
}

Result<std::vector<ApiToken>> PostgresStore::tokens() {
    return read([](Connection& connection) {
        return collect(connection, fmt::format("SELECT id, {} FROM api_tokens ORDER BY id", kTokenColumns),
                       "token", read_token);
    });
}

Result<std::int64_t> PostgresStore::add_token(const ApiToken& token, const AuditEntry& audit) {
    return write([&](Connection& connection) -> Result<std::int64_t> {
        const auto owner = connection.run("SELECT id FROM users WHERE id = $1", Parameters{token.user_id});
        if (!owner) return owner.error();
        if (owner->rows() == 0) {
            return make_error(ErrorKind::kNotFound, fmt::format("there is no user {}", token.user_id));
        }
        const auto taken =
            integer_of(connection, "SELECT count(*) FROM api_tokens WHERE name = $1 AND user_id = $2",
                       token.name, token.user_id);
        if (!taken) return taken.error();
        if (*taken != 0) {
            return make_error(ErrorKind::kConflict,
                              fmt::format("there is a token '{}' already; revoke it first", token.name));
        }
        const auto id =
            insert(connection, "api_tokens", kTokenColumns, 0, token.user_id, token.name, to_name(token.role),
                   token.secret_hash, token.created_at, token.expires_at, token.last_used_at);
        if (!id) return id;
        if (const auto noted = insert_audit(connection, audit); !noted) return noted.error();
        return id;
    });
}

Status PostgresStore::remove_token(std::int64_t id, const AuditEntry& audit) {
    return write([&](Connection& connection) -> Status {
        const auto removed = change_one(connection, "token", id, "DELETE FROM api_tokens WHERE id = $1", id);
        if (!removed) return removed;
        return insert_audit(connection, audit);
    });
}

Status PostgresStore::touch_token(std::int64_t id, UtcTime used_at) {
    return write([&](Connection& connection) {
        return run(connection, "UPDATE api_tokens SET last_used_at = $1 WHERE id = $2", used_at, id);
    });
}

Status PostgresStore::touch_user(std::int64_t id, UtcTime login_at) {
    return write([&](Connection& connection) {
        return run(connection, "UPDATE users SET last_login_at = $1 WHERE id = $2", login_at, id);
    });
}

Result<std::vector<WebSession>> PostgresStore::web_sessions() {
    return read([](Connection& connection) {
        return collect(connection,
                       "SELECT secret_hash, user_id, csrf_token, created_at, expires_at FROM web_sessions "
                       "ORDER BY created_at, secret_hash",
                       "web session", read_web_session);
    });
}

Status PostgresStore::add_web_session(const WebSession& session) {
    return write([&](Connection& connection) {
        return run(
            connection,
            "INSERT INTO web_sessions (secret_hash, user_id, csrf_token, created_at, expires_at) "
            "VALUES ($1, $2, $3, $4, $5) ON CONFLICT (secret_hash) DO UPDATE SET (user_id, csrf_token, "
            "created_at, "
            "expires_at) = (excluded.user_id, excluded.csrf_token, excluded.created_at, excluded.expires_at)",
            session.secret_hash, session.user_id, session.csrf_token, session.created_at, session.expires_at);
    });
}

Status PostgresStore::remove_web_session(const std::string& secret_hash) {
    return write([&](Connection& connection) {
        return run(connection, "DELETE FROM web_sessions WHERE secret_hash = $1", secret_hash);
    });
}

Status PostgresStore::remove_web_sessions_of(std::int64_t user_id) {
    return write([&](Connection& connection) {
        return run(connection, "DELETE FROM web_sessions WHERE user_id = $1", user_id);
    });
}

Status PostgresStore::prune_web_sessions(UtcTime expired_before) {
    return write([&](Connection& connection) {
        return run(connection, "DELETE FROM web_sessions WHERE expires_at < $1", expired_before);
    });
}

}  // namespace fieldwarden::supervisor
