// Who is calling: the seam between the HTTP surface and the ways to sign in.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "supervisor/accounts/throttle.h"
#include "supervisor/gateway/http.h"

namespace fieldwarden::supervisor {
class Accounts;
}

namespace fieldwarden::supervisor::gateway {

// Threads: thread safe.
class Authenticator {
  public:
    virtual ~Authenticator() = default;
    // The identity behind a bearer token; nullopt when it is not known.
    [[nodiscard]] virtual std::optional<Identity> identify(std::string_view bearer_token) = 0;
    // … behind the console's cookie.
    [[nodiscard]] virtual std::optional<Identity> identify_session(std::string_view) { return std::nullopt; }
};

// One token, one administrator: <data-dir>/admin.token.
std::unique_ptr<Authenticator> admin_token_authenticator(std::string token);

// That, and what Accounts knows, which outlives it.
std::unique_ptr<Authenticator> account_authenticator(std::string admin_token, Accounts& accounts);

// Takes the same time wherever the texts differ.
bool equal_in_constant_time(std::string_view a, std::string_view b);

// The token a request carries: `Authorization: Bearer …`, or, on a WebSocket, where a browser can set no
// header, an entry "bearer.<token>" of Sec-WebSocket-Protocol. "" when there is none. Never taken from the
// URL, which ends up in logs and histories.
std::string bearer_token(const HttpRequest& request, bool websocket);

inline constexpr std::string_view kSessionCookie = "fieldwarden_session";
// The value of the session cookie; "" when there is none.
std::string session_cookie(const HttpRequest& request);

// The subprotocol to answer a WebSocket handshake with: "fieldwarden.v1" when it is offered, otherwise the
// bearer entry (a browser gives up when none of its offers is taken); "" when nothing was offered.
std::string accepted_subprotocol(std::string_view offered);

// A browser names the page that opens a WebSocket: only pages of this server may. True without an Origin
// header (not a browser).
bool origin_allowed(std::string_view origin, std::string_view host);

}  // namespace fieldwarden::supervisor::gateway
