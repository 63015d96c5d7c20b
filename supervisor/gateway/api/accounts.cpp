// Signing in and out, users, API tokens.
#include "supervisor/accounts/accounts.h"

#include <fmt/format.h>

#include <algorithm>

#include "supervisor/accounts/account_rules.h"
#include "supervisor/gateway/api/handlers.h"
#include "supervisor/gateway/api/json_input.h"
#include "supervisor/gateway/auth.h"
#include "supervisor/gateway/context.h"

namespace fieldwarden::supervisor::gateway {

using proto::Json;

namespace {

constexpr std::int64_t kMostDays = 3650;

Json time_or_null(const std::optional<UtcTime>& time) {
    return time ? Json(format_rfc3339(*time)) : Json(nullptr);
}

Json me_json(const SignedIn& who) {
    const bool session = who.by == SignedIn::By::kSession;
    Json json{{"username", who.username},
              {"role", to_name(who.role)},
              {"must_change_password", who.must_change_password},
              {"kind", session ? "session" : "token"},
              {"expires_at", time_or_null(who.expires_at)}};
    if (session) json["csrf_token"] = who.csrf_token;
    return json;
}

Json user_json(const User& user) {
    return {{"id", user.id},
            {"username", user.username},
            {"role", to_name(user.role)},
            {"must_change_password", user.must_change_password},
            {"disabled", user.disabled},
            {"created_at", format_rfc3339(user.created_at)},
            {"last_login_at", time_or_null(user.last_login_at)}};
}

Json token_json(const ApiToken& token, std::string_view username) {
    return {{"id", token.id},
            {"name", token.name},
            {"username", username},
            {"role", to_name(token.role)},
            {"created_at", format_rfc3339(token.created_at)},
            {"expires_at", time_or_null(token.expires_at)},
            {"last_used_at", time_or_null(token.last_used_at)}};
}

HttpResponse no_content() {
    HttpResponse response;
    response.status = 204;
    return response;
}

std::string cookie(const HttpRequest& request, std::string_view value, std::string_view more) {
    return fmt::format("{}={}; HttpOnly; SameSite=Strict; Path=/{}{}", kSessionCookie, value,
                       request.secure ? "; Secure" : "", more);
}

std::optional<Role> take_role(Members& members) {
    const auto name = members.text("role");
    if (!name) return std::nullopt;
    const auto role = from_name<Role>(*name);
    if (!role) {
        members.add_error("role", "bad_value", fmt::format("role is one of {}", all_names<Role>()));
    }
    return role;
}

std::optional<std::string> required(Members& members, std::string_view name) {
    auto text = members.text(name);
    if (!text && !members.failed()) {
        members.add_error(name, "missing_value", fmt::format("{} is required", name));
    }
    return text;
}

void check(Members& members, std::string_view name, const std::optional<std::string>& wrong) {
    if (wrong) members.add_error(name, "bad_value", *wrong);
}

std::optional<User> user_in_path(const HttpRequest& request, const Accounts& accounts) {
    const auto& id = request.param("id");
    if (const auto number = number_in_path(id)) return accounts.user(*number);
    return accounts.user_named(id);
}

}  // namespace

HttpResponse sign_in(const HttpRequest& request, Context& context) {
    const auto body = read_object(request);
    if (!body) return body.error();
    Members members(*body);
    const auto username = required(members, "username");
    const auto password = required(members, "password");
    if (auto refusal = members.finish()) return std::move(*refusal);
    auto login = context.accounts.login(*username, *password, request.remote);
    if (!login) {
        const auto& refused = login.error();
        if (refused.error.kind == ErrorKind::kInvalidArgument) {
            auto response = problem(401, refused.error.message);
            response.headers.emplace_back("WWW-Authenticate", "Bearer realm=\"fieldwarden\"");
            return response;
        }
        if (refused.error.kind != ErrorKind::kBusy) return problem(refused.error);
        auto response = problem(429, refused.error.message);
        response.headers.emplace_back("Retry-After", std::to_string(refused.retry_after.count()));
        return response;
    }
    auto answer = me_json(login->who);
    answer.erase("kind");
    auto response = json_response(answer);
    response.headers.emplace_back("Set-Cookie", cookie(request, login->secret, ""));
    return response;
}

HttpResponse sign_out(const HttpRequest& request, Context& context) {
    if (const auto done = context.accounts.logout(request.identity, actor_of(request)); !done) {
        return problem(done.error());
    }
    auto response = no_content();
    response.headers.emplace_back("Set-Cookie", cookie(request, "", "; Max-Age=0"));
    return response;
}

HttpResponse show_me(const HttpRequest& request, Context&) {
    return json_response(me_json(request.identity));
}

HttpResponse change_own_password(const HttpRequest& request, Context& context) {
    const auto body = read_object(request);
    if (!body) return body.error();
    Members members(*body);
    const auto current = required(members, "current_password");
    const auto wanted = required(members, "new_password");
    if (wanted) check(members, "new_password", wrong_password(*wanted));
    if (auto refusal = members.finish()) return std::move(*refusal);
    const auto done =
        context.accounts.change_password(request.identity, *current, *wanted, actor_of(request));
    return done ? no_content() : problem(done.error());
}

HttpResponse list_users(const HttpRequest& request, Context& context) {
    const auto query = read_list_query(
        request, {"id", "username", "role", "disabled", "created_at", "last_login_at"}, Cursors::kTaken);
    if (!query) return query.error();
    std::vector<Json> rows;
    for (const auto& user : context.accounts.users()) rows.push_back(user_json(user));
    return list_response(std::move(rows), *query, Listed{{"username", "role"}});
}

HttpResponse create_user(const HttpRequest& request, Context& context) {
    const auto body = read_object(request);
    if (!body) return body.error();
    Members members(*body);
    const auto username = required(members, "username");
    const auto password = required(members, "password");
    const auto role = take_role(members);
    const auto must_change = members.flag("must_change_password").value_or(true);
    if (!role && !members.failed()) members.add_error("role", "missing_value", "role is required");
    if (username) check(members, "username", wrong_username(*username));
    if (password) check(members, "password", wrong_password(*password));
    if (auto refusal = members.finish()) return std::move(*refusal);
    const auto user =
        context.accounts.create_user(*username, *password, *role, must_change, actor_of(request));
    if (!user) return problem(user.error());
    auto response = json_response(user_json(*user), 201);
    response.headers.emplace_back("Location", fmt::format("/api/v1/users/{}", user->id));
    return response;
}

HttpResponse show_user(const HttpRequest& request, Context& context) {
    const auto user = user_in_path(request, context.accounts);
    return user ? json_response(user_json(*user)) : missing("user", request.param("id"));
}

HttpResponse change_user(const HttpRequest& request, Context& context) {
    const auto body = read_object(request);
    if (!body) return body.error();
    Members members(*body);
    UserChange change;
    change.role = take_role(members);
    change.password = members.text("password");
    change.must_change_password = members.flag("must_change_password");
    change.disabled = members.flag("disabled");
    if (change.password) check(members, "password", wrong_password(*change.password));
    if (auto refusal = members.finish()) return std::move(*refusal);
    const auto user = user_in_path(request, context.accounts);
    if (!user) return missing("user", request.param("id"));
    const auto changed = context.accounts.change_user(user->id, change, actor_of(request));
    return changed ? json_response(user_json(*changed)) : problem(changed.error());
}

HttpResponse remove_user(const HttpRequest& request, Context& context) {
    const auto user = user_in_path(request, context.accounts);
    if (!user) return missing("user", request.param("id"));
    const auto done = context.accounts.remove_user(user->id, actor_of(request));
    return done ? no_content() : problem(done.error());
}

HttpResponse list_tokens(const HttpRequest& request, Context& context) {
    const auto query = read_list_query(
        request, {"id", "name", "username", "role", "created_at", "expires_at", "last_used_at"},
        Cursors::kTaken);
    if (!query) return query.error();
    std::vector<Json> rows;
    for (const auto& token : context.accounts.tokens()) {
        const auto owner = context.accounts.user(token.user_id);
        if (!owner) continue;
        if (request.identity.role != Role::kAdmin && owner->id != request.identity.user_id) continue;
        rows.push_back(token_json(token, owner->username));
    }
    return list_response(std::move(rows), *query, Listed{{"name", "username", "role"}});
}

HttpResponse create_token(const HttpRequest& request, Context& context) {
    const auto body = read_object(request);
    if (!body) return body.error();
    Members members(*body);
    const auto& who = request.identity;
    const auto name = required(members, "name");
    const auto role = take_role(members);
    const auto days = members.integer("expires_in_days", 1, kMostDays);
    // An administrator may make one for somebody else; the one of admin.token has no account of its own.
    const auto username = members.text("username").value_or(who.username);
    if (!role && !members.failed()) members.add_error("role", "missing_value", "role is required");
    if (name) check(members, "name", wrong_token_name(*name));
    auto& accounts = context.accounts;
    const auto owner = accounts.user_named(username);
    if (!owner || (who.role != Role::kAdmin && owner->id != who.user_id)) {
        members.add_error("username", "unknown_value",
                          "username is oneself or, for an administrator, any user");
    } else if (role && *role > std::min(who.role, owner->role)) {
        members.add_error("role", "bad_value",
                          fmt::format("role is at most {}", to_name(std::min(who.role, owner->role))));
    }
    if (auto refusal = members.finish()) return std::move(*refusal);
    std::optional<UtcTime> expires_at;
    if (days) expires_at = context.services.clock.utc_now() + std::chrono::days{*days};
    // A token that ends makes none that outlives it.
    if (who.by == SignedIn::By::kToken && who.expires_at)
        expires_at = std::min(expires_at.value_or(*who.expires_at), *who.expires_at);
    const auto made = accounts.create_token(owner->id, *name, *role, expires_at, actor_of(request));
    if (!made) return problem(made.error());
    auto answer = token_json(made->token, owner->username);
    answer["token"] = made->secret;
    return json_response(answer, 201);
}

HttpResponse remove_token(const HttpRequest& request, Context& context) {
    const auto id = number_in_path(request.param("id"));
    const auto& who = request.identity;
    const auto all = context.accounts.tokens();
    const auto found = std::ranges::find(all, id.value_or(0), &ApiToken::id);
    // Of somebody else's tokens one does not even learn that they exist.
    if (found == all.end() || (who.role != Role::kAdmin && found->user_id != who.user_id)) {
        return missing("token", request.param("id"));
    }
    const auto done = context.accounts.remove_token(found->id, actor_of(request));
    return done ? no_content() : problem(done.error());
}

}  // namespace fieldwarden::supervisor::gateway
