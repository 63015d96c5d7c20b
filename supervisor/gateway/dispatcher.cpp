#include "supervisor/gateway/dispatcher.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>

#include "supervisor/gateway/metrics.h"
#include "supervisor/gateway/problem.h"
#include "supervisor/gateway/static_files.h"
#include "supervisor/gateway/uri.h"

namespace fieldwarden::supervisor::gateway {

std::string request_id(std::string_view offered) {
    const auto fine = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
               c == '_' || c == '.';
    };
    if (!offered.empty() && offered.size() <= 64 && std::ranges::all_of(offered, fine))
        return std::string(offered);
    static thread_local std::mt19937_64 random{std::random_device{}()};
    return fmt::format("{:016x}", random());
}

Dispatcher::Dispatcher(Context& context, std::unique_ptr<Authenticator> authenticator)
    : context_(context),
      authenticator_(std::move(authenticator)),
      router_(all_routes()),
      throttle_(
          {context.services.settings.sign_in.failures, context.services.settings.sign_in.failures_window}) {}

std::variant<Admitted, HttpResponse> Dispatcher::admit(RequestHead head) {
    auto target = parse_target(head.target);
    if (!target) {
        return problem(
            400,
            "the request target is malformed: a bad percent escape, bytes that are not UTF-8, an empty "
            "segment or too many parameters");
    }
    auto match = router_.match(head.method, target->segments);
    const bool reads = head.method == "GET" || head.method == "HEAD";
    if (match.allowed.empty() && reads && is_console_path(target->segments)) {
        match = router_.match(head.method, {});
    }
    if (match.allowed.empty()) {
        return problem(404, fmt::format("there is nothing at {}", target->path().substr(0, 200)));
    }
    if (head.method == "OPTIONS") {
        HttpResponse response;
        response.status = 204;
        response.headers.emplace_back("Allow", match.allowed);
        return response;
    }
    if (!match.route) {
        auto response =
            problem(405, fmt::format("{} takes {}", target->path().substr(0, 200), match.allowed));
        response.headers.emplace_back("Allow", match.allowed);
        return response;
    }
    Admitted admitted{match.route, {}};
    auto& request = admitted.request;
    request.method = match.route->method;
    request.path = target->path();
    request.params = std::move(match.params);
    request.query = std::move(target->query);
    request.headers = std::move(head.headers);
    request.remote = std::move(head.remote);
    request.request_id = std::move(head.request_id);
    request.secure = head.secure;

    const bool websocket = match.route->kind == RouteKind::kWebSocket;
    if (websocket) {
        if (head.method != "GET" || !head.websocket) {
            auto response = problem(426, "this path speaks WebSocket only");
            response.headers.emplace_back("Upgrade", "websocket");
            return response;
        }
        if (!origin_allowed(request.header("origin"), request.header("host"))) {
            return problem(403, "a WebSocket may only be opened by pages of this server");
        }
    }
    if (auto refusal = sign_in(*match.route, request)) return std::move(*refusal);
    return admitted;
}

namespace {

// What identify() needs of a request, for as long as a stream lasts.
HttpRequest credentials_of(const HttpRequest& request) {
    HttpRequest credentials;
    for (const auto* name : {"authorization", "cookie", "sec-websocket-protocol"}) {
        const auto found = request.headers.find(name);
        if (found != request.headers.end()) credentials.headers.insert(*found);
    }
    return credentials;
}

}  // namespace

std::optional<Identity> Dispatcher::identify(const HttpRequest& request, bool websocket) const {
    if (const auto token = bearer_token(request, websocket); !token.empty()) {
        return authenticator_->identify(token);
    }
    const auto cookie = session_cookie(request);
    return cookie.empty() ? std::nullopt : authenticator_->identify_session(cookie);
}

std::optional<HttpResponse> Dispatcher::sign_in(const Route& route, HttpRequest& request) {
    if (!route.role) return std::nullopt;
    const bool websocket = route.kind == RouteKind::kWebSocket;
    const auto token = bearer_token(request, websocket);
    const auto cookie = token.empty() ? session_cookie(request) : std::string{};
    auto identity = identify(request, websocket);
    if (!identity) {
        if (!token.empty()) {
            if (const auto wait = throttle_.fail(request.remote, context_.services.clock.mono_now())) {
                auto response =
                    problem(429, "too many failed sign-ins from this address; wait and try again");
                response.headers.emplace_back("Retry-After", std::to_string(wait->count()));
                return response;
            }
        }
        auto response = problem(401, !token.empty()    ? "the token is not valid"
                                     : !cookie.empty() ? "the session has ended; sign in again"
                                                       : "sign in: send Authorization: Bearer <token>");
        response.headers.emplace_back("WWW-Authenticate", "Bearer realm=\"fieldwarden\"");
        return response;
    }
    if (auto refusal = check_session(route, request, *identity)) return refusal;
    if (identity->role < *route.role) {
        return problem(403, fmt::format("this needs the role {}; {} is {}", to_name(*route.role),
                                        identity->username, to_name(identity->role)));
    }
    request.identity = std::move(*identity);
    return std::nullopt;
}

// What a right identity alone does not allow.
std::optional<HttpResponse> Dispatcher::check_session(const Route& route, const HttpRequest& request,
                                                      const Identity& identity) {
    // A page of another site can make a browser send the cookie, but it cannot read the token.
    if (identity.by == SignedIn::By::kSession && route.method != Method::kGet &&
        !equal_in_constant_time(identity.csrf_token, request.header("x-csrf-token"))) {
        return problem(403,
                       "a request by cookie that changes something needs the header X-CSRF-Token with the "
                       "csrf_token of /api/v1/auth/me");
    }
    if (identity.must_change_password && !route.pattern.starts_with("/api/v1/auth/")) {
        return problem_of_type("password-change-required", 403,
                               "the password must be changed first: POST /api/v1/auth/password");
    }
    return std::nullopt;
}

HttpResponse Dispatcher::call(const Admitted& admitted) {
    try {
        auto response = admitted.route->handler(admitted.request, context_);
        if (response.stream && admitted.route->role) {
            response.stream->still_allowed = [this, role = *admitted.route->role,
                                              websocket = admitted.route->kind == RouteKind::kWebSocket,
                                              head = credentials_of(admitted.request)] {
                const auto identity = identify(head, websocket);
                return identity && identity->role >= role;
            };
        }
        return response;
    } catch (const std::exception& error) {
        log(proto::LogLevel::kError,
            fmt::format("{} {} (request {}) failed: {}", to_name(admitted.route->method),
                        dump(admitted.request.path), admitted.request.request_id, error.what()));
        return problem(500, fmt::format("an internal error; the log names it under request {}",
                                        admitted.request.request_id));
    }
}

void Dispatcher::record(const Route* route, int status, std::chrono::duration<double> took) {
    context_.metrics.count_request(route, status, took);
}

}  // namespace fieldwarden::supervisor::gateway
