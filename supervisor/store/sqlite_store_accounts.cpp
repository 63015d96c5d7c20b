// Users, API tokens and web sessions.
#include "supervisor/store/sqlite_rows.h"
#include "supervisor/store/sqlite_store.h"

namespace fieldwarden::supervisor {

namespace {

template <class... Values>
Result<bool> exists(SqlDatabase& database, std::string_view sql, const Values&... values) {
    auto rows = database.prepare(sql);
    if (!rows) return rows.error();
    return rows->bind(values...).step();
}

// After a change of an administrator, within its transaction, which the refusal rolls back.
Status check_administrators(SqlDatabase& database) {
    const auto left = database.integer("SELECT count(*) FROM users WHERE role = 'admin' AND disabled = 0");
    if (!left) return left.error();
    if (*left > 0) return {};
    return make_error(ErrorKind::kConflict,
                      "this is the last enabled administrator; make another user an administrator first");
}

Result<bool> is_administrator(SqlDatabase& database, std::int64_t id) {
    return exists(database, "SELECT 1 FROM users WHERE id = ? AND role = 'admin' AND disabled = 0", id);
}

}  // namespace

Result<std::vector<User>> SqliteStore::users() {
    return read([](SqlDatabase& database) -> Result<std::vector<User>> {
        auto rows = database.prepare(
            "SELECT id, username, role, password_hash, must_change_password, disabled, created_at, "
            "last_login_at FROM users ORDER BY id");
        if (!rows) return rows.error();
        return collect(*rows, "user", read_user);
    });
}

Result<std::int64_t> SqliteStore::put_user(const User& user, const AuditEntry& audit) {
    return write(Sync::kFull, [&](SqlDatabase& database) -> Result<std::int64_t> {
        const auto taken =
            exists(database, "SELECT 1 FROM users WHERE username = ? AND id <> ?", user.username, user.id);
        if (!taken) return taken.error();
        if (*taken) {
            return make_error(ErrorKind::kConflict,
                              fmt::format("there is a user '{}' already", user.username));
        }
        auto id = user.id;
        if (id == 0) {
            const auto added =
                insert(database, "INSERT INTO users VALUES (?, ?, ?, ?, ?, ?, ?, ?)", id, user.username,
                       to_name(user.role), user.password_hash, user.must_change_password, user.disabled,
                       micros(user.created_at), micros(user.last_login_at));
            if (!added) return added.error();
            id = *added;
        } else {
            const auto administrator = is_administrator(database, id);
            if (!administrator) return administrator.error();
            const auto changed = change_one(
                database, "user", id,
                "UPDATE users SET username = ?, role = ?, password_hash = ?, must_change_password = ?, "
                "disabled = ?, created_at = ?, last_login_at = ? WHERE id = ?",
                user.username, to_name(user.role), user.password_hash, user.must_change_password,
                user.disabled, micros(user.created_at), micros(user.last_login_at), id);
            if (!changed) return changed.error();
            if (*administrator) {
                if (const auto left = check_administrators(database); !left) return left.error();
            }
        }
        if (const auto noted = insert_audit(database, audit); !noted) return noted.error();
        return id;
    });
}

Status SqliteStore::remove_user(std::int64_t id, const AuditEntry& audit) {
    return write(Sync::kFull, [&](SqlDatabase& database) -> Status {
        const auto administrator = is_administrator(database, id);
        if (!administrator) return administrator.error();
        const auto removed = change_one(database, "user", id, "DELETE FROM users WHERE id = ?", id);
        if (!removed) return removed;
        if (*administrator) {
            if (const auto left = check_administrators(database); !left) return left;
        }
        for (const std::string_view sql :
             {"DELETE FROM api_tokens WHERE user_id = ?", "DELETE FROM web_sessions WHERE user_id = ?"}) {
            if (const auto done = run(database, sql, id); !done) return done;
        }
        return insert_audit(database, audit);
    });
}

Result<std::vector<ApiToken>> SqliteStore::tokens() {
    return read([](SqlDatabase& database) -> Result<std::vector<ApiToken>> {
        auto rows = database.prepare(
            "SELECT id, user_id, name, role, secret_hash, created_at, expires_at, last_used_at "
            "FROM api_tokens ORDER BY id");
        if (!rows) return rows.error();
        return collect(*rows, "token", read_token);
    });
}

Result<std::int64_t> SqliteStore::add_token(const ApiToken& token, const AuditEntry& audit) {
    return write(Sync::kFull, [&](SqlDatabase& database) -> Result<std::int64_t> {
        const auto user = exists(database, "SELECT 1 FROM users WHERE id = ?", token.user_id);
        if (!user) return user.error();
        if (!*user)
            return make_error(ErrorKind::kNotFound, fmt::format("there is no user {}", token.user_id));
        const auto taken = exists(database, "SELECT 1 FROM api_tokens WHERE name = ? AND user_id = ?",
                                  token.name, token.user_id);
        if (!taken) return taken.error();
        if (*taken) {
            return make_error(ErrorKind::kConflict,
                              fmt::format("there is a token '{}' already; revoke it first", token.name));
        }
        const auto id =
            insert(database, "INSERT INTO api_tokens VALUES (?, ?, ?, ?, ?, ?, ?, ?)", 0, token.user_id,
                   token.name, to_name(token.role), token.secret_hash, micros(token.created_at),
                   micros(token.expires_at), micros(token.last_used_at));
        if (!id) return id.error();
        if (const auto noted = insert_audit(database, audit); !noted) return noted.error();
        return id;
    });
}

Status SqliteStore::remove_token(std::int64_t id, const AuditEntry& audit) {
    return write(Sync::kFull, [&](SqlDatabase& database) -> Status {
        const auto removed = change_one(database, "token", id, "DELETE FROM api_tokens WHERE id = ?", id);
        if (!removed) return removed;
        return insert_audit(database, audit);
    });
}

Status SqliteStore::touch_token(std::int64_t id, UtcTime used_at) {
    return write(Sync::kNormal, [&](SqlDatabase& database) {
        return run(database, "UPDATE api_tokens SET last_used_at = ? WHERE id = ?", micros(used_at), id);
    });
}

Status SqliteStore::touch_user(std::int64_t id, UtcTime login_at) {
    return write(Sync::kNormal, [&](SqlDatabase& database) {
        return run(database, "UPDATE users SET last_login_at = ? WHERE id = ?", micros(login_at), id);
    });
}

Result<std::vector<WebSession>> SqliteStore::web_sessions() {
    return read([](SqlDatabase& database) -> Result<std::vector<WebSession>> {
        auto rows = database.prepare(
            "SELECT secret_hash, user_id, csrf_token, created_at, expires_at FROM web_sessions "
            "ORDER BY created_at, secret_hash");
        if (!rows) return rows.error();
        return collect(*rows, "web session", read_web_session);
    });
}

Status SqliteStore::add_web_session(const WebSession& session) {
    return write(Sync::kNormal, [&](SqlDatabase& database) {
        return run(database, "INSERT OR REPLACE INTO web_sessions VALUES (?, ?, ?, ?, ?)",
                   session.secret_hash, session.user_id, session.csrf_token, micros(session.created_at),
                   micros(session.expires_at));
    });
}

Status SqliteStore::remove_web_session(const std::string& secret_hash) {
    return write(Sync::kFull, [&](SqlDatabase& database) {
        return run(database, "DELETE FROM web_sessions WHERE secret_hash = ?", secret_hash);
    });
}

Status SqliteStore::remove_web_sessions_of(std::int64_t user_id) {
    return write(Sync::kFull, [&](SqlDatabase& database) {
        return run(database, "DELETE FROM web_sessions WHERE user_id = ?", user_id);
    });
}

Status SqliteStore::prune_web_sessions(UtcTime expired_before) {
    return write(Sync::kNormal, [&](SqlDatabase& database) {
        return run(database, "DELETE FROM web_sessions WHERE expires_at < ?", micros(expired_before));
    });
}

}  // namespace fieldwarden::supervisor
