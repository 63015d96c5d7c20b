// Signing in, the cookie, CSRF, users and tokens over HTTP.
#include <gmock/gmock.h>

#include <gtest/gtest.h>

#include "gateway_fixture.h"
#include "supervisor/gateway/api/json_input.h"

namespace fieldwarden::supervisor::testing {
namespace {

using proto::Json;

class AccountsApi : public GatewayFixture {
  protected:
    struct Browser {
        std::string cookie;
        std::string csrf;
    };
    // Without the administrator's token.
    RawResponse bare(const std::string& method, const std::string& target, const Json& body = nullptr,
                     const std::string& headers = "") {
        const auto text = body.is_null() ? std::string{} : body.dump();
        auto request = method + " " + target + " HTTP/1.1\r\nHost: localhost\r\n" + headers;
        if (!text.empty()) {
            request +=
                "Content-Type: application/json\r\nContent-Length: " + std::to_string(text.size()) + "\r\n";
        }
        RawClient client(port_);
        client.send(request + "\r\n" + text);
        return client.response(method == "HEAD").value_or(RawResponse{});
    }
    RawResponse as(const Browser& browser, const std::string& method, const std::string& target,
                   const Json& body = nullptr) {
        return bare(method, target, body,
                    "Cookie: a=b; fieldwarden_session=" + browser.cookie +
                        "\r\nX-CSRF-Token: " + browser.csrf + "\r\n");
    }
    RawResponse try_login(const std::string& name, const std::string& password) {
        return bare("POST", "/api/v1/auth/login", {{"username", name}, {"password", password}});
    }
    Browser login(const std::string& name, const std::string& password) {
        const auto response = try_login(name, password);
        EXPECT_EQ(response.status, 200) << response.body;
        const auto set = response.header("set-cookie");
        EXPECT_NE(set.find("HttpOnly; SameSite=Strict; Path=/"), std::string::npos) << set;
        const auto begin = set.find('=') + 1;
        return {std::string{set.substr(begin, set.find(';') - begin)},
                Json::parse(response.body)["csrf_token"]};
    }
    void add_user(const std::string& name, const std::string& role) {
        const Json user{{"username", name},
                        {"password", "a long password"},
                        {"role", role},
                        {"must_change_password", false}};
        EXPECT_EQ(call("POST", "/api/v1/users", user.dump()).status, 201);
    }
    static Json json(const RawResponse& response) { return Json::parse(response.body, nullptr, false); }
};

TEST_F(AccountsApi, TheFirstPasswordMustBeChanged) {
    ASSERT_EQ(one_time_password_.size(), 16U);
    const auto admin = login("admin", one_time_password_);
    const auto me = json(as(admin, "GET", "/api/v1/auth/me"));
    EXPECT_EQ(me["kind"], "session");
    EXPECT_EQ(me["must_change_password"], true);
    EXPECT_EQ(me["csrf_token"], admin.csrf);
    for (const char* path : {"/api/v1/tasks", "/api/v1/users", "/api/v1/tokens"}) {
        const auto refused = as(admin, "GET", path);
        EXPECT_EQ(refused.status, 403);
        EXPECT_TRUE(std::string{json(refused)["type"]}.ends_with("password-change-required")) << refused.body;
    }
    const auto change = [&](const std::string& current, const std::string& wanted) {
        return as(admin, "POST", "/api/v1/auth/password",
                  {{"current_password", current}, {"new_password", wanted}})
            .status;
    };
    EXPECT_EQ(change(one_time_password_, "too short"), 422);
    EXPECT_EQ(change(one_time_password_, one_time_password_), 422);
    EXPECT_EQ(change("wrong", "a long password"), 409);
    EXPECT_EQ(change(one_time_password_, "a long password"), 204);
    EXPECT_EQ(as(admin, "GET", "/api/v1/tasks").status, 200);
    EXPECT_EQ(try_login("admin", one_time_password_).status, 401);
    EXPECT_EQ(as(admin, "POST", "/api/v1/auth/logout").status, 204);
    EXPECT_EQ(as(admin, "GET", "/api/v1/auth/me").status, 401);
}

TEST_F(AccountsApi, AChangeByCookieNeedsTheCsrfToken) {
    add_user("chen", "operator");
    const auto chen = login("chen", "a long password");
    for (const std::string& csrf : {std::string{}, std::string{"x"}, std::string(43, 'A')}) {
        EXPECT_EQ(as({chen.cookie, csrf}, "POST", "/api/v1/tasks/T1/start").status, 403) << csrf;
        EXPECT_EQ(as({chen.cookie, csrf}, "GET", "/api/v1/tasks").status, 200) << csrf;
        EXPECT_EQ(as({chen.cookie, csrf}, "HEAD", "/api/v1/tasks").status, 200) << csrf;
    }
    const auto other = login("chen", "a long password");
    EXPECT_EQ(as({chen.cookie, other.csrf}, "POST", "/api/v1/tasks/T1/start").status, 403);
    EXPECT_EQ(as(chen, "POST", "/api/v1/tasks/T1/start").status, 202);
    EXPECT_EQ(bare("GET", "/api/v1/tasks", nullptr, "Authorization: Bearer " + chen.cookie + "\r\n").status,
              401)
        << "a cookie is no token";
    EXPECT_EQ(bare("GET", "/api/v1/tasks", nullptr, "Cookie: fieldwarden_session=" + token_ + "\r\n").status,
              401)
        << "and a token no cookie";
}

TEST_F(AccountsApi, RolesCountAtOnce) {
    add_user("chen", "viewer");
    const auto chen = login("chen", "a long password");
    EXPECT_EQ(as(chen, "POST", "/api/v1/tasks/T1/start").status, 403);
    EXPECT_EQ(call("PATCH", "/api/v1/users/chen", R"({"role": "operator"})").status, 200);
    EXPECT_EQ(as(chen, "POST", "/api/v1/tasks/T1/start").status, 202);
    EXPECT_EQ(as(chen, "GET", "/api/v1/users").status, 403);
    EXPECT_EQ(call("PATCH", "/api/v1/users/chen", R"({"disabled": true})").status, 200);
    EXPECT_EQ(as(chen, "GET", "/api/v1/tasks").status, 401);
    EXPECT_EQ(call("PATCH", "/api/v1/users/admin", R"({"disabled": true})").status, 409);
    EXPECT_EQ(call("PATCH", "/api/v1/users/admin", R"({"role": "viewer"})").status, 409);
    EXPECT_EQ(call("DELETE", "/api/v1/users/admin").status, 409);
    EXPECT_EQ(call("DELETE", "/api/v1/users/chen").status, 204);
    EXPECT_EQ(call("GET", "/api/v1/users/chen").status, 404);
}

TEST_F(AccountsApi, TokensAreOnesOwnAndShownOnce) {
    add_user("chen", "operator");
    add_user("li", "viewer");
    const auto chen = login("chen", "a long password");
    EXPECT_EQ(as(chen, "POST", "/api/v1/tokens", {{"name", "a"}, {"role", "admin"}}).status, 422);
    EXPECT_EQ(
        as(chen, "POST", "/api/v1/tokens", {{"name", "a"}, {"role", "viewer"}, {"username", "li"}}).status,
        422);
    const auto made =
        as(chen, "POST", "/api/v1/tokens", {{"name", "a"}, {"role", "viewer"}, {"expires_in_days", 30}});
    ASSERT_EQ(made.status, 201) << made.body;
    const std::string secret = json(made)["token"];
    EXPECT_EQ(as(chen, "POST", "/api/v1/tokens", {{"name", "a"}, {"role", "viewer"}}).status, 409);
    const auto header = "Authorization: Bearer " + secret + "\r\n";
    EXPECT_EQ(json(bare("GET", "/api/v1/auth/me", nullptr, header))["kind"], "token");
    EXPECT_EQ(bare("POST", "/api/v1/tasks/T1/start", nullptr, header).status, 403) << "the token's own role";
    // What it makes ends no later than itself.
    const auto second = json(bare("POST", "/api/v1/tokens", {{"name", "b"}, {"role", "viewer"}}, header));
    EXPECT_EQ(second["expires_at"], json(made)["expires_at"]);
    EXPECT_EQ(as(chen, "DELETE", "/api/v1/tokens/" + second["id"].dump()).status, 204);
    const auto list = as(chen, "GET", "/api/v1/tokens");
    EXPECT_EQ(json(list)["total"], 1);
    EXPECT_EQ(list.body.find(secret), std::string::npos);
    const auto path = "/api/v1/tokens/" + json(made)["id"].dump();
    const auto li = login("li", "a long password");
    EXPECT_EQ(json(as(li, "GET", "/api/v1/tokens"))["total"], 0);
    EXPECT_EQ(as(li, "DELETE", path).status, 404);
    EXPECT_EQ(call("DELETE", path).status, 204);
    EXPECT_EQ(bare("GET", "/api/v1/auth/me", nullptr, header).status, 401);
}

TEST_F(AccountsApi, WrongSignInsAreAlikeAndSlowedDown) {
    add_user("chen", "viewer");
    const auto wrong = try_login("chen", "wrong");
    const auto unknown = try_login("nobody", "wrong");
    EXPECT_EQ(wrong.status, 401);
    EXPECT_EQ(wrong.body, unknown.body);
    EXPECT_TRUE(wrong.header("set-cookie").empty());
    int status = 0;
    RawResponse last;
    for (int i = 0; i < 20 && status != 429; ++i) status = (last = try_login("chen", "wrong")).status;
    EXPECT_EQ(status, 429);
    EXPECT_FALSE(last.header("retry-after").empty());
    EXPECT_EQ(call("GET", "/api/v1/tasks").status, 200) << "who is signed in goes on";
}

TEST_F(AccountsApi, TheTrailIsVerified) {
    add_user("chen", "viewer");
    login("chen", "a long password");
    const auto verdict = json(call("GET", "/api/v1/audit/verify"));
    EXPECT_EQ(verdict["ok"], true);
    EXPECT_TRUE(verdict["first_broken"].is_null());
    const auto newest = json(call("GET", "/api/v1/audit?page_size=1"))["items"][0];
    EXPECT_EQ(newest["action"], "auth.login");
    EXPECT_EQ(newest["hash"], verdict["newest_hash"]);
}

TEST_F(AccountsApi, WhatSaysWhoOneIsIsNotKept) {
    const auto me = call("GET", "/api/v1/auth/me");
    EXPECT_EQ(me.header("cache-control"), "no-store");
    EXPECT_EQ(me.header("etag"), "");
}

TEST_F(AccountsApi, EveryResponseCarriesTheSecurityHeaders) {
    using ::testing::AnyOf;
    using ::testing::HasSubstr;
    for (const auto& response :
         {bare("GET", "/healthz"), bare("GET", "/api/v1/tasks"), bare("GET", "/none"),
          bare("GET", "/api/none"), call("GET", "/api/v1/tasks"), call("DELETE", "/api/v1/tasks/none")}) {
        EXPECT_EQ(response.header("x-content-type-options"), "nosniff");
        EXPECT_EQ(response.header("x-frame-options"), "DENY");
        EXPECT_THAT(response.header("referrer-policy"), AnyOf("no-referrer", "same-origin"));
        EXPECT_THAT(response.header("content-security-policy"), HasSubstr("frame-ancestors 'none'"));
        EXPECT_THAT(response.header("cache-control"), AnyOf("no-store", "no-cache", "private, no-cache"));
        EXPECT_TRUE(response.header("strict-transport-security").empty()) << "no TLS here";
    }
}

// A page that is left open asks nothing; its streams count as use, but only until the session's end.
TEST_F(AccountsApi, AnOpenStreamEndsWithItsSession) {
    settings_.sign_in.session_idle = std::chrono::hours{2};
    settings_.sign_in.session_longest = std::chrono::hours{3};
    gateway_.reset();
    start_gateway();
    add_user("chen", "viewer");
    const auto chen = login("chen", "a long password");
    const auto cookie = "Cookie: fieldwarden_session=" + chen.cookie + "\r\n";
    RawClient socket(port_);
    ASSERT_TRUE(socket.upgrade("/ws/processor-status", "Origin: http://localhost\r\n" + cookie));
    RawClient events(port_);
    events.send("GET /api/v1/tasks/T1/stream HTTP/1.1\r\nHost: localhost\r\n" + cookie + "\r\n");
    ASSERT_TRUE(events.wait_for("text/event-stream"));
    const auto ends_at = [&] {
        return parse_rfc3339(json(as(chen, "GET", "/api/v1/auth/me"))["expires_at"].get<std::string>())
            .value();
    };
    const auto signed_in_at = clock_.utc_now();
    clock_.pass(std::chrono::hours{2} - std::chrono::minutes{1});
    EXPECT_LE(ends_at(), signed_in_at + std::chrono::hours{3}) << "use does not lead beyond the longest";
    EXPECT_GT(ends_at(), signed_in_at + std::chrono::hours{2}) << "but beyond the idle time";
    clock_.pass(std::chrono::hours{1} + std::chrono::minutes{1});
    EXPECT_TRUE(events.closed());
    while (socket.message()) {
    }
    EXPECT_EQ(socket.close_code(), 1008);
    EXPECT_EQ(as(chen, "GET", "/api/v1/auth/me").status, 401);
}

}  // namespace
}  // namespace fieldwarden::supervisor::testing
