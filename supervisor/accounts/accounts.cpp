#include "supervisor/accounts/accounts.h"

#include <fmt/format.h>

#include <algorithm>

#include "supervisor/accounts/account_rules.h"
#include "supervisor/accounts/secrets.h"

namespace fieldwarden::supervisor {

using proto::Json;

namespace {

constexpr std::chrono::minutes kWriteEvery{1};

Error no_user(std::int64_t id) {
    return make_error(ErrorKind::kNotFound, fmt::format("there is no user {}", id));
}

}  // namespace

Accounts::Accounts(Store& store, const Clock& clock, Passwords& passwords, Limits limits)
    : store_(store),
      clock_(clock),
      passwords_(passwords),
      limits_(limits),
      by_name_(limits.failures),
      by_remote_(limits.failures) {}

Result<std::optional<std::string>> Accounts::open() {
    const std::lock_guard change{changes_};
    auto random = random_secret();
    if (!random) return random.error();
    auto nobodys = passwords_.hash(*random);
    if (!nobodys) return nobodys.error();
    nobodys_hash_ = std::move(*nobodys);

    auto users = store_.users();
    if (!users) return users.error();
    std::optional<std::string> one_time;
    if (users->empty()) {
        auto password = random_password();
        if (!password) return password.error();
        auto hash = passwords_.hash(*password);
        if (!hash) return hash.error();
        User admin;
        admin.username = "admin";
        admin.role = Role::kAdmin;
        admin.password_hash = std::move(*hash);
        admin.must_change_password = true;
        admin.created_at = clock_.utc_now();
        const auto id = store_.put_user(admin, entry({}, "user.create", admin.username, {{"role", "admin"}}));
        if (!id) return id.error();
        admin.id = *id;
        users->push_back(std::move(admin));
        one_time = std::move(*password);
    }
    auto tokens = store_.tokens();
    if (!tokens) return tokens.error();
    auto sessions = store_.web_sessions();
    if (!sessions) return sessions.error();
    const std::lock_guard lock{mutex_};
    for (auto& user : *users) users_[user.id] = std::move(user);
    for (auto& token : *tokens) {
        const auto hash = token.secret_hash;
        const auto used = token.last_used_at;
        tokens_[hash] = {std::move(token), used};
    }
    for (auto& session : *sessions) {
        const auto hash = session.secret_hash;
        const auto end = session.expires_at;
        sessions_[hash] = {std::move(session), end};
    }
    return one_time;
}

AuditEntry Accounts::entry(const Actor& actor, std::string action, std::string subject, Json detail) const {
    AuditEntry entry;
    entry.at = clock_.utc_now();
    entry.actor = actor;
    entry.action = std::move(action);
    entry.subject = std::move(subject);
    entry.detail = std::move(detail);
    return entry;
}

// Under changes_: the store, then the index.
Result<std::int64_t> Accounts::put(const User& user, const AuditEntry& audit) {
    const auto id = store_.put_user(user, audit);
    if (!id) return id.error();
    const std::lock_guard lock{mutex_};
    auto& kept = users_[*id];
    kept = user;
    kept.id = *id;
    return *id;
}

std::vector<User> Accounts::users() const {
    const std::lock_guard lock{mutex_};
    std::vector<User> all;
    for (const auto& [id, user] : users_) all.push_back(user);
    return all;
}

std::optional<User> Accounts::user(std::int64_t id) const {
    const std::lock_guard lock{mutex_};
    const auto found = users_.find(id);
    return found == users_.end() ? std::nullopt : std::optional{found->second};
}

std::optional<User> Accounts::user_named(std::string_view name) const {
    const std::lock_guard lock{mutex_};
    for (const auto& [id, user] : users_) {
        if (user.username == name) return user;
    }
    return std::nullopt;
}

Result<User> Accounts::create_user(const std::string& username, const std::string& password, Role role,
                                   bool must_change_password, const Actor& actor) {
    if (const auto wrong = wrong_username(username)) return make_error(ErrorKind::kInvalidArgument, *wrong);
    if (const auto wrong = wrong_password(password)) return make_error(ErrorKind::kInvalidArgument, *wrong);
    auto hash = passwords_.hash(password);
    if (!hash) return hash.error();
    const std::lock_guard change{changes_};
    User user;
    user.username = username;
    user.role = role;
    user.password_hash = std::move(*hash);
    user.must_change_password = must_change_password;
    user.created_at = clock_.utc_now();
    const auto id =
        put(user, entry(actor, "user.create", username,
                        {{"role", to_name(role)}, {"must_change_password", must_change_password}}));
    if (!id) return id.error();
    user.id = *id;
    return user;
}

Result<User> Accounts::change_user(std::int64_t id, const UserChange& wanted, const Actor& actor) {
    std::optional<std::string> hash;
    if (wanted.password) {
        if (const auto wrong = wrong_password(*wanted.password)) {
            return make_error(ErrorKind::kInvalidArgument, *wrong);
        }
        auto hashed = passwords_.hash(*wanted.password);
        if (!hashed) return hashed.error();
        hash = std::move(*hashed);
    }
    const std::lock_guard change{changes_};
    auto user = this->user(id);
    if (!user) return no_user(id);
    Json detail = Json::object();
    if (wanted.role && *wanted.role != user->role) {
        detail["role"] = {{"from", to_name(user->role)}, {"to", to_name(*wanted.role)}};
        user->role = *wanted.role;
    }
    if (wanted.must_change_password) {
        user->must_change_password = *wanted.must_change_password;
        detail["must_change_password"] = user->must_change_password;
    }
    if (wanted.disabled) {
        user->disabled = *wanted.disabled;
        detail["disabled"] = user->disabled;
    }
    if (hash) {
        user->password_hash = std::move(*hash);
        detail["password"] = "changed";
    }
    const auto stored = put(*user, entry(actor, "user.update", user->username, std::move(detail)));
    if (!stored) return stored.error();
    if (wanted.password || user->disabled) {
        if (const auto ended = end_sessions_of(id, {}); !ended) return ended.error();
    }
    return *user;
}

Status Accounts::remove_user(std::int64_t id, const Actor& actor) {
    const std::lock_guard change{changes_};
    const auto user = this->user(id);
    if (!user) return no_user(id);
    const auto removed = store_.remove_user(id, entry(actor, "user.delete", user->username, Json::object()));
    if (!removed) return removed;
    const std::lock_guard lock{mutex_};
    users_.erase(id);
    std::erase_if(tokens_, [&](const auto& each) { return each.second.token.user_id == id; });
    std::erase_if(sessions_, [&](const auto& each) { return each.second.session.user_id == id; });
    return {};
}

std::vector<ApiToken> Accounts::tokens() const {
    std::vector<ApiToken> all;
    {
        const std::lock_guard lock{mutex_};
        for (const auto& [hash, live] : tokens_) all.push_back(live.token);
    }
    std::ranges::sort(all, {}, &ApiToken::id);
    return all;
}

Result<Accounts::NewToken> Accounts::create_token(std::int64_t user_id, const std::string& name, Role role,
                                                  std::optional<UtcTime> expires_at, const Actor& actor) {
    if (const auto wrong = wrong_token_name(name)) return make_error(ErrorKind::kInvalidArgument, *wrong);
    auto secret = random_secret();
    if (!secret) return secret.error();
    const std::lock_guard change{changes_};
    const auto user = this->user(user_id);
    if (!user) return no_user(user_id);
    const auto all = tokens();
    const auto theirs = std::ranges::count(all, user_id, &ApiToken::user_id);
    if (static_cast<std::size_t>(theirs) >= kMostTokensPerUser) {
        return make_error(ErrorKind::kConflict,
                          fmt::format("'{}' has {} tokens, the most a user may have; revoke one first",
                                      user->username, kMostTokensPerUser));
    }
    ApiToken token;
    token.user_id = user_id;
    token.name = name;
    token.role = role;
    token.secret_hash = hash_of_secret(*secret);
    token.created_at = clock_.utc_now();
    token.expires_at = expires_at;
    Json detail{{"user", user->username}, {"role", to_name(role)}};
    if (expires_at) detail["expires_at"] = format_rfc3339(*expires_at);
    const auto id = store_.add_token(token, entry(actor, "token.create", name, std::move(detail)));
    if (!id) return id.error();
    token.id = *id;
    const std::lock_guard lock{mutex_};
    tokens_[token.secret_hash] = {token, std::nullopt};
    return NewToken{std::move(token), std::move(*secret)};
}

Status Accounts::remove_token(std::int64_t id, const Actor& actor) {
    const std::lock_guard change{changes_};
    std::optional<ApiToken> token;
    std::string username;
    {
        const std::lock_guard lock{mutex_};
        for (const auto& [hash, live] : tokens_) {
            if (live.token.id == id) token = live.token;
        }
        if (token && users_.contains(token->user_id)) username = users_[token->user_id].username;
    }
    if (!token) return make_error(ErrorKind::kNotFound, fmt::format("there is no token {}", id));
    const auto removed =
        store_.remove_token(id, entry(actor, "token.delete", token->name, {{"user", username}}));
    if (!removed) return removed;
    const std::lock_guard lock{mutex_};
    tokens_.erase(token->secret_hash);
    return {};
}

Status Accounts::upkeep() {
    const std::lock_guard change{changes_};
    const auto now = clock_.utc_now();
    std::vector<ApiToken> used;
    std::vector<WebSession> extended;
    bool expired = false;
    {
        const std::lock_guard lock{mutex_};
        for (auto& [hash, live] : tokens_) {
            const auto& use = live.token.last_used_at;
            if (!use || use == live.written_use) continue;
            if (live.written_use && *use - *live.written_use < kWriteEvery) continue;
            used.push_back(live.token);
            live.written_use = use;
        }
        for (auto& [hash, live] : sessions_) {
            if (live.session.expires_at - live.written_end < kWriteEvery) continue;
            extended.push_back(live.session);
            live.written_end = live.session.expires_at;
        }
        expired = std::erase_if(sessions_,
                                [&](const auto& each) { return each.second.session.expires_at <= now; }) > 0;
    }
    for (const auto& token : used) {
        if (const auto done = store_.touch_token(token.id, *token.last_used_at); !done) return done;
    }
    for (const auto& session : extended) {
        if (const auto done = store_.add_web_session(session); !done) return done;
    }
    return expired ? store_.prune_web_sessions(now) : Status{};
}

}  // namespace fieldwarden::supervisor
