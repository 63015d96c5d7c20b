// user and token: who may sign in, and with what.
#include <fmt/format.h>

#include "supervisor/cli/cli.h"
#include "supervisor/cli/json_text.h"
#include "supervisor/cli/table.h"
#include "supervisor/cli/terminal.h"
#include "supervisor/cli/text.h"
#include "supervisor/cli/verbs.h"

namespace fieldwarden::supervisor::cli {

namespace {

std::string user_path(const std::string& name) {
    return "/users/" + ApiClient::escaped(name);
}

// What a change answers, or the sentence that says it is done.
int done(const Session& session, const Result<Json>& answer, const std::string& sentence) {
    if (!answer) return fail(answer.error());
    if (session.common.json && !answer->is_null()) return print_json(*answer);
    fmt::print("{}\n", printable(sentence));
    return kExitDone;
}

std::string when(const Json& item, std::string_view name, const char* never) {
    const auto time = text_of(item, name);
    return time.empty() ? never : local_time(time);
}

}  // namespace

int list_users(Session& session) {
    const auto users = session.api.get_all("/users");
    if (!users) return fail(users.error());
    if (session.common.json) return print_json(Json(*users));
    Table table{{{"ID", true}, {"USER"}, {"ROLE"}, {"STATE"}, {"LAST SIGN-IN"}, {"CREATED"}}};
    for (const auto& user : *users) {
        table.add({{text_of(user, "id")},
                   {text_of(user, "username")},
                   {text_of(user, "role")},
                   {flag_of(user, "disabled")               ? "disabled"
                    : flag_of(user, "must_change_password") ? "must change password"
                                                            : "enabled"},
                   {when(user, "last_login_at", "never")},
                   {when(user, "created_at", "")}});
    }
    fmt::print("{}", table.render(table_width(), session.colour));
    return kExitDone;
}

int add_user(Session& session, const AccountArguments& arguments) {
    const auto password = read_secret("Password of " + printable(arguments.name));
    if (!password) return fail(password.error());
    return done(session,
                session.api.post("/users", {{"username", arguments.name},
                                            {"password", *password},
                                            {"role", arguments.role},
                                            {"must_change_password", !arguments.keep}}),
                fmt::format("{} may sign in as {}.", arguments.name, arguments.role));
}

int set_password(Session& session, const AccountArguments& arguments) {
    const auto password = read_secret("New password of " + printable(arguments.name));
    if (!password) return fail(password.error());
    return done(session,
                session.api.patch(user_path(arguments.name),
                                  {{"password", *password}, {"must_change_password", !arguments.keep}}),
                fmt::format("{} has a new password; their sessions have ended.", arguments.name));
}

int disable_user(Session& session, const AccountArguments& arguments) {
    return done(session, session.api.patch(user_path(arguments.name), {{"disabled", !arguments.enable}}),
                fmt::format("{} is {}.", arguments.name, arguments.enable ? "enabled" : "disabled"));
}

int remove_user(Session& session, const AccountArguments& arguments) {
    return done(session, session.api.remove(user_path(arguments.name)),
                fmt::format("{} is removed.", arguments.name));
}

int list_tokens(Session& session) {
    const auto tokens = session.api.get_all("/tokens");
    if (!tokens) return fail(tokens.error());
    if (session.common.json) return print_json(Json(*tokens));
    if (tokens->empty()) {
        fmt::print("There are no tokens.\n");
        return kExitDone;
    }
    Table table{{{"ID", true}, {"NAME"}, {"USER"}, {"ROLE"}, {"EXPIRES"}, {"LAST USED"}}};
    for (const auto& token : *tokens) {
        table.add({{text_of(token, "id")},
                   {text_of(token, "name")},
                   {text_of(token, "username")},
                   {text_of(token, "role")},
                   {when(token, "expires_at", "never")},
                   {when(token, "last_used_at", "never")}});
    }
    fmt::print("{}", table.render(table_width(), session.colour));
    return kExitDone;
}

int create_token(Session& session, const AccountArguments& arguments) {
    Json body{{"name", arguments.name}, {"role", arguments.role}};
    if (!arguments.user.empty()) body["username"] = arguments.user;
    if (arguments.days > 0) body["expires_in_days"] = arguments.days;
    const auto answer = session.api.post("/tokens", body);
    if (!answer) return fail(answer.error());
    if (session.common.json) return print_json(*answer);
    // Alone on standard output, so that a script can take it.
    fmt::print(stderr, "Token {} of {}; it is not shown again:\n", text_of(*answer, "id"),
               printable(text_of(*answer, "username")));
    fmt::print("{}\n", text_of(*answer, "token"));
    return kExitDone;
}

int revoke_token(Session& session, const AccountArguments& arguments) {
    return done(session, session.api.remove(fmt::format("/tokens/{}", arguments.id)),
                fmt::format("Token {} is revoked.", arguments.id));
}

}  // namespace fieldwarden::supervisor::cli
