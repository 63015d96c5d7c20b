// Signing in and out, and who is behind a request.
#include <fmt/format.h>

#include <algorithm>

#include "supervisor/accounts/account_rules.h"
#include "supervisor/accounts/accounts.h"
#include "supervisor/accounts/secrets.h"

namespace fieldwarden::supervisor {

namespace {

SignedIn signed_in(const User& user, const WebSession& session) {
    return {user.id,
            user.username,
            user.role,
            SignedIn::By::kSession,
            user.must_change_password,
            session.csrf_token,
            session.secret_hash,
            session.expires_at};
}

}  // namespace

std::optional<SignedIn> Accounts::identify_token(std::string_view secret) {
    const auto hash = hash_of_secret(secret);
    const auto now = clock_.utc_now();
    const std::lock_guard lock{mutex_};
    const auto found = tokens_.find(hash);
    if (found == tokens_.end()) return std::nullopt;
    auto& token = found->second.token;
    const auto user = users_.find(token.user_id);
    if (user == users_.end() || user->second.disabled) return std::nullopt;
    if (token.expires_at && *token.expires_at <= now) return std::nullopt;
    token.last_used_at = now;
    return SignedIn{user->second.id,
                    user->second.username,
                    std::min(token.role, user->second.role),
                    SignedIn::By::kToken,
                    user->second.must_change_password,
                    {},
                    hash,
                    token.expires_at};
}

std::optional<SignedIn> Accounts::identify_session(std::string_view secret) {
    const auto hash = hash_of_secret(secret);
    const auto now = clock_.utc_now();
    const std::lock_guard lock{mutex_};
    const auto found = sessions_.find(hash);
    if (found == sessions_.end()) return std::nullopt;
    auto& session = found->second.session;
    const auto user = users_.find(session.user_id);
    // Of a session from before a restart with a shorter limit the end that is stored lies too late.
    const UtcTime last = session.created_at + limits_.session_longest;
    if (user == users_.end() || user->second.disabled || std::min(session.expires_at, last) <= now)
        return std::nullopt;
    session.expires_at = std::min<UtcTime>(now + limits_.session_idle, last);
    return signed_in(user->second, session);
}

boost::system::result<Login, LoginRefused> Accounts::login(const std::string& username,
                                                           const std::string& password,
                                                           const std::string& remote) {
    const auto now = clock_.mono_now();
    // Counted as a failure before the outcome is known, so that many attempts at once are counted too. Names
    // are counted by their hash: a name may be a megabyte long.
    const auto name_key = hash_of_secret(username);
    if (const auto wait = by_remote_.fail(remote, now)) {
        return LoginRefused{
            make_error(ErrorKind::kBusy, "too many failed sign-ins from this address; wait and try again"),
            *wait};
    }
    if (const auto wait = by_name_.fail(name_key, now)) {
        return LoginRefused{
            make_error(ErrorKind::kBusy, "too many failed sign-ins of this user; wait and try again"), *wait};
    }
    const auto user = user_named(username);
    const auto right = passwords_.verify(user ? user->password_hash : nobodys_hash_,
                                         std::string_view{password}.substr(0, Passwords::kLongest + 1));
    if (!right) {
        by_remote_.forgive(remote);
        by_name_.forgive(name_key);
        return LoginRefused{right.error(), std::chrono::seconds{2}};
    }
    const auto wrong = make_error(ErrorKind::kInvalidArgument, "the user name or the password is wrong");
    if (!user || user->disabled || !*right) {
        if (const auto noted = refuse_login(user, remote); !noted) return LoginRefused{noted.error()};
        return LoginRefused{wrong};
    }
    auto opened = open_session(*user, remote);
    if (!opened && opened.error().kind == ErrorKind::kConflict) return LoginRefused{wrong};
    if (!opened) return LoginRefused{opened.error()};
    by_remote_.forgive(remote);
    by_name_.forgive(name_key);
    return std::move(*opened);
}

// The name is only kept when it is somebody's: people type their password where the name belongs.
Status Accounts::refuse_login(const std::optional<User>& user, const std::string& remote) {
    proto::Json detail = proto::Json::object();
    if (user) {
        detail["reason"] = user->disabled ? "disabled" : "wrong password";
    } else {
        detail["reason"] = "unknown user";
    }
    return store_.add_audit(entry({user ? user->username : "unknown", "", remote}, "auth.login_failed",
                                  user ? user->username : "", std::move(detail)));
}

Result<Login> Accounts::open_session(const User& verified, const std::string& remote) {
    auto secret = random_secret();
    if (!secret) return secret.error();
    auto csrf = random_secret();
    if (!csrf) return csrf.error();
    const std::lock_guard change{changes_};
    // Hashing took a while: the user may have been disabled or removed, or the password changed.
    auto user = this->user(verified.id);
    if (!user || user->disabled || user->password_hash != verified.password_hash) {
        return make_error(ErrorKind::kConflict, "the user changed while signing in");
    }
    const auto now = clock_.utc_now();
    WebSession session{hash_of_secret(*secret), user->id, std::move(*csrf), now,
                       std::min<UtcTime>(now + limits_.session_idle, now + limits_.session_longest)};
    std::vector<std::pair<UtcTime, std::string>> others;
    {
        const std::lock_guard lock{mutex_};
        for (const auto& [hash, live] : sessions_) {
            if (live.session.user_id == user->id) others.emplace_back(live.session.created_at, hash);
        }
    }
    if (others.size() >= kMostSessionsPerUser) {
        const auto oldest = std::ranges::min(others).second;
        if (const auto ended = store_.remove_web_session(oldest); !ended) return ended.error();
        const std::lock_guard lock{mutex_};
        sessions_.erase(oldest);
    }
    if (const auto noted = store_.add_audit(entry({user->username, std::string{to_name(user->role)}, remote},
                                                  "auth.login", user->username, proto::Json::object()));
        !noted) {
        return noted.error();
    }
    if (const auto added = store_.add_web_session(session); !added) return added.error();
    if (!user->last_login_at || now - *user->last_login_at >= std::chrono::minutes{1}) {
        if (const auto touched = store_.touch_user(user->id, now); !touched) return touched.error();
        user->last_login_at = now;
    }
    const std::lock_guard lock{mutex_};
    users_[user->id].last_login_at = user->last_login_at;
    sessions_[session.secret_hash] = {session, session.expires_at};
    return Login{std::move(*secret), signed_in(*user, session)};
}

Status Accounts::logout(const SignedIn& who, const Actor& actor) {
    if (who.by != SignedIn::By::kSession) return {};
    const std::lock_guard change{changes_};
    {
        const std::lock_guard lock{mutex_};
        sessions_.erase(who.secret_hash);
    }
    if (const auto removed = store_.remove_web_session(who.secret_hash); !removed) return removed;
    return store_.add_audit(entry(actor, "auth.logout", who.username, proto::Json::object()));
}

Status Accounts::change_password(const SignedIn& who, const std::string& current, const std::string& wanted,
                                 const Actor& actor) {
    auto user = this->user(who.user_id);
    if (!user) {
        return make_error(
            ErrorKind::kConflict,
            "the administrator of admin.token has no password; sign in as a user to change its own");
    }
    if (const auto wrong = wrong_password(wanted)) return make_error(ErrorKind::kInvalidArgument, *wrong);
    if (wanted == current) {
        return make_error(ErrorKind::kInvalidArgument, "the new password is the current one; choose another");
    }
    const auto key = hash_of_secret(user->username);
    if (const auto wait = by_name_.fail(key, clock_.mono_now())) {
        return make_error(ErrorKind::kBusy,
                          fmt::format("too many wrong passwords; try again in {} s", wait->count()));
    }
    const auto right =
        passwords_.verify(user->password_hash, std::string_view{current}.substr(0, Passwords::kLongest + 1));
    if (!right) {
        by_name_.forgive(key);
        return right.error();
    }
    if (!*right) {
        const auto noted =
            store_.add_audit(entry(actor, "auth.password_failed", user->username, proto::Json::object()));
        if (!noted) return noted;
        return make_error(ErrorKind::kConflict, "the current password is wrong");
    }
    by_name_.forgive(key);
    auto hash = passwords_.hash(wanted);
    if (!hash) return hash.error();
    const std::lock_guard change{changes_};
    const auto now = this->user(who.user_id);
    if (!now || now->disabled || now->password_hash != user->password_hash) {
        return make_error(ErrorKind::kConflict, "the user was changed meanwhile; sign in again");
    }
    user = now;
    user->password_hash = std::move(*hash);
    user->must_change_password = false;
    const auto stored = put(*user, entry(actor, "auth.password", user->username, proto::Json::object()));
    if (!stored) return stored.error();
    return end_sessions_of(user->id, who.by == SignedIn::By::kSession ? who.secret_hash : std::string{});
}

// Under changes_.
Status Accounts::end_sessions_of(std::int64_t user_id, const std::string& but) {
    std::optional<WebSession> kept;
    {
        const std::lock_guard lock{mutex_};
        std::erase_if(sessions_, [&](const auto& each) {
            if (each.second.session.user_id != user_id) return false;
            if (each.first != but) return true;
            kept = each.second.session;
            return false;
        });
    }
    if (const auto removed = store_.remove_web_sessions_of(user_id); !removed) return removed;
    return kept ? store_.add_web_session(*kept) : Status{};
}

}  // namespace fieldwarden::supervisor
