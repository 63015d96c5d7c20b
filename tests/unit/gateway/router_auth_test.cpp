#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "supervisor/gateway/api/json_input.h"
#include "supervisor/gateway/auth.h"
#include "supervisor/gateway/gateway.h"
#include "supervisor/gateway/openapi.h"
#include "supervisor/gateway/router.h"
#include "supervisor/gateway/uri.h"

namespace fieldwarden::supervisor::gateway {
namespace {

using namespace std::chrono_literals;

Router::Match match(std::string_view method, std::string_view path) {
    static const Router kRouter(all_routes());
    return kRouter.match(method, parse_target(path)->segments);
}

TEST(Router, FindsARouteAndItsParameters) {
    const auto found = match("POST", "/api/v1/tasks/T1/start");
    ASSERT_TRUE(found.route);
    EXPECT_EQ(found.route->pattern, "/api/v1/tasks/{id}/start");
    EXPECT_EQ(found.params.at("id"), "T1");
}

TEST(Router, LiteralSegmentsWinOverParameters) {
    EXPECT_EQ(match("GET", "/api/v1/sessions/active").route->pattern, "/api/v1/sessions/active");
    EXPECT_EQ(match("GET", "/api/v1/sessions/7").route->pattern, "/api/v1/sessions/{id}");
    EXPECT_EQ(match("GET", "/api/v1/import-jobs/template").route->pattern, "/api/v1/import-jobs/template");
    // A task may be called "actions": what the literal does not take, the pattern does.
    EXPECT_EQ(match("POST", "/api/v1/tasks/actions").route->pattern, "/api/v1/tasks/actions");
    EXPECT_EQ(match("GET", "/api/v1/tasks/actions").route->pattern, "/api/v1/tasks/{id}");
}

TEST(Router, NamesTheMethodsOfAPath) {
    EXPECT_EQ(match("PUT", "/api/v1/tasks").allowed, "GET, HEAD, OPTIONS, POST");
    EXPECT_FALSE(match("PUT", "/api/v1/tasks").route);
    EXPECT_EQ(match("GET", "/api/v1/tasks/T1/start").allowed, "OPTIONS, POST");
    EXPECT_EQ(match("GET", "/api/v1/nothing").allowed, "");
    EXPECT_EQ(match("GET", "/api/v1/tasks/T1/start/more/and/more/than/any").allowed, "");
    EXPECT_TRUE(match("HEAD", "/healthz").route);
}

TEST(Router, EveryRouteHasAHandlerAndOneMeaning) {
    std::set<std::pair<Method, std::string_view>> seen;
    for (const auto& route : all_routes()) {
        EXPECT_NE(route.handler, nullptr) << route.pattern;
        EXPECT_FALSE(route.summary.empty()) << route.pattern;
        EXPECT_TRUE(seen.emplace(route.method, route.pattern).second) << route.pattern;
        // Only the five at the root go without sign-in, and signing in itself.
        if (route.pattern == "/api/v1/auth/login") {
            EXPECT_FALSE(route.role.has_value());
            continue;
        }
        if (!route.role) {
            EXPECT_EQ(route.method, Method::kGet) << route.pattern;
        }
        if (route.pattern.starts_with("/api/") || route.pattern.starts_with("/ws")) {
            EXPECT_TRUE(route.role.has_value()) << route.pattern;
        }
    }
}

TEST(Openapi, HasExactlyTheRoutes) {
    const auto contract = parse_json(openapi_json());
    ASSERT_TRUE(contract);
    std::set<std::string> documented;
    for (const auto& [path, operations] : contract->at("paths").items()) {
        for (const auto& [method, operation] : operations.items()) {
            if (method == "parameters") continue;
            std::string upper;
            for (const char c : method) upper.push_back(static_cast<char>(c - 'a' + 'A'));
            documented.insert(upper + " " + path + " " + operation.value("x-role", "public"));
            EXPECT_FALSE(operation.at("responses").empty());
        }
    }
    std::set<std::string> served;
    for (const auto& route : all_routes()) {
        served.insert(std::string(to_name(route.method)) + " " + std::string(route.pattern) + " " +
                      (route.role ? std::string(to_name(*route.role)) : "public"));
    }
    EXPECT_EQ(documented, served);
}

TEST(Auth, FindsTheTokenWhereItMayBe) {
    HttpRequest request;
    EXPECT_EQ(bearer_token(request, false), "");
    request.headers["authorization"] = "bEaReR  abc ";
    EXPECT_EQ(bearer_token(request, false), "abc");
    request.headers["authorization"] = "Basic abc";
    EXPECT_EQ(bearer_token(request, false), "");
    HttpRequest socket;
    socket.headers["sec-websocket-protocol"] = "fieldwarden.v1, bearer.abc";
    EXPECT_EQ(bearer_token(socket, true), "abc");
    EXPECT_EQ(bearer_token(socket, false), "");
    // Never from the URL.
    HttpRequest url;
    url.query = {{"token", "abc"}};
    EXPECT_EQ(bearer_token(url, true), "");
}

TEST(Auth, AnswersTheSubprotocolWithoutTheTokenWhenItCan) {
    EXPECT_EQ(accepted_subprotocol("bearer.abc, fieldwarden.v1"), "fieldwarden.v1");
    EXPECT_EQ(accepted_subprotocol("bearer.abc"), "bearer.abc");
    EXPECT_EQ(accepted_subprotocol("other"), "");
    EXPECT_EQ(accepted_subprotocol(""), "");
}

TEST(Auth, OnlyPagesOfThisServerOpenWebSockets) {
    EXPECT_TRUE(origin_allowed("", "127.0.0.1:8700"));
    EXPECT_TRUE(origin_allowed("http://127.0.0.1:8700", "127.0.0.1:8700"));
    EXPECT_TRUE(origin_allowed("https://Plant.example", "plant.example"));
    EXPECT_FALSE(origin_allowed("http://evil.example", "127.0.0.1:8700"));
    EXPECT_FALSE(origin_allowed("http://127.0.0.1:8701", "127.0.0.1:8700"));
    EXPECT_FALSE(origin_allowed("null", "127.0.0.1:8700"));
    EXPECT_FALSE(origin_allowed("http://", ""));
}

TEST(Auth, ComparesWholeTokens) {
    const auto authenticator = admin_token_authenticator("0123456789abcdef0123");
    EXPECT_TRUE(authenticator->identify("0123456789abcdef0123"));
    for (const auto* wrong : {"", "0123456789abcdef0124", "0123456789abcdef012", "0123456789abcdef01234"}) {
        EXPECT_FALSE(authenticator->identify(wrong)) << wrong;
    }
    const auto who = authenticator->identify("0123456789abcdef0123");
    EXPECT_EQ(who->role, Role::kAdmin);
    EXPECT_EQ(who->username, "admin.token") << "not the user admin";
}

TEST(Throttle, AsksToWaitAfterTooManyFailures) {
    const FailureThrottle::Limits limits{4, std::chrono::seconds{30}};
    FailureThrottle throttle{limits};
    const MonoTime start{};
    for (std::size_t i = 0; i < limits.allowed; ++i) EXPECT_FALSE(throttle.fail("a", start));
    EXPECT_EQ(throttle.fail("a", start + 10s), 20s);
    EXPECT_FALSE(throttle.fail("b", start + 10s));
    EXPECT_FALSE(throttle.fail("a", start + limits.window));
}

TEST(Throttle, RemembersABoundedNumberOfRemotes) {
    const FailureThrottle::Limits limits{4, std::chrono::seconds{30}};
    FailureThrottle throttle{limits};
    for (std::size_t i = 0; i < FailureThrottle::kMostRemotes * 3; ++i) {
        EXPECT_FALSE(throttle.fail(std::to_string(i), MonoTime{}));
    }
}

class AdminTokenFile : public ::testing::Test {
  protected:
    void SetUp() override {
        std::string pattern = ::testing::TempDir() + "fw-token-XXXXXX";
        directory_ = ::mkdtemp(pattern.data());
    }
    void TearDown() override { std::filesystem::remove_all(directory_); }
    [[nodiscard]] unsigned mode() const {
        struct stat info {};
        ::stat((directory_ + "/admin.token").c_str(), &info);
        return info.st_mode & 0777;
    }
    std::string directory_;
};

TEST_F(AdminTokenFile, IsCreatedPrivateAndKept) {
    const auto first = load_or_create_admin_token(directory_);
    ASSERT_TRUE(first);
    EXPECT_EQ(first->size(), 43U);  // 32 bytes in base64url
    EXPECT_EQ(mode(), 0600U);
    EXPECT_EQ(load_or_create_admin_token(directory_).value(), *first);
    std::filesystem::remove(directory_ + "/admin.token");
    EXPECT_NE(load_or_create_admin_token(directory_).value(), *first);
}

TEST_F(AdminTokenFile, AReadableOneIsMadePrivate) {
    std::ofstream(directory_ + "/admin.token") << "chosen-by-the-operator-01\n";
    ::chmod((directory_ + "/admin.token").c_str(), 0644);
    EXPECT_EQ(load_or_create_admin_token(directory_).value(), "chosen-by-the-operator-01");
    EXPECT_EQ(mode(), 0600U);
}

TEST_F(AdminTokenFile, AnEmptyOrShortOneIsRefused) {
    for (const auto* content : {"", "\n", "short", "with a blank in the middle of it"}) {
        std::ofstream(directory_ + "/admin.token") << content;
        EXPECT_FALSE(load_or_create_admin_token(directory_)) << content;
    }
}

}  // namespace
}  // namespace fieldwarden::supervisor::gateway
