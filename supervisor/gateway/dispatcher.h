// From a request's head to the handler that answers it: routing, sign-in, rights, request ids, and the last
// resort when a handler throws. No sockets.
//
// Threads: admit() and record() on the gateway's thread, call() on the pool; thread safe among each other.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <variant>

#include "supervisor/gateway/auth.h"
#include "supervisor/gateway/context.h"
#include "supervisor/gateway/http.h"
#include "supervisor/gateway/router.h"

namespace fieldwarden::supervisor::gateway {

struct RequestHead {
    std::string method;
    std::string target;
    std::map<std::string, std::string, std::less<>> headers;  // names in lower case
    std::string remote;
    std::string request_id;
    bool websocket = false;  // asks for an upgrade to WebSocket
    bool secure = false;     // came over TLS
};

struct Admitted {
    const Route* route = nullptr;
    HttpRequest request;
};

class Dispatcher {
  public:
    Dispatcher(Context& context, std::unique_ptr<Authenticator> authenticator);

    // The route and the request without its body, or the response that ends the matter.
    std::variant<Admitted, HttpResponse> admit(RequestHead head);
    HttpResponse call(const Admitted& admitted);
    // After the response has been sent; `route` is null when none matched.
    void record(const Route* route, int status, std::chrono::duration<double> took);

    [[nodiscard]] const Clock& clock() const { return context_.services.clock; }
    void log(proto::LogLevel level, std::string_view line) const { context_.services.log(level, line); }

  private:
    [[nodiscard]] std::optional<Identity> identify(const HttpRequest& request, bool websocket) const;
    std::optional<HttpResponse> sign_in(const Route& route, HttpRequest& request);
    static std::optional<HttpResponse> check_session(const Route& route, const HttpRequest& request,
                                                     const Identity& identity);

    Context& context_;
    std::unique_ptr<Authenticator> authenticator_;
    Router router_;
    FailureThrottle throttle_;
};

// The client's X-Request-Id when it is well-formed, otherwise a new one.
std::string request_id(std::string_view offered);

}  // namespace fieldwarden::supervisor::gateway
