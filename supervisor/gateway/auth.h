// Who is calling: the seam between the HTTP surface and the ways to sign in.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "common/clock.h"
#include "supervisor/gateway/http.h"

namespace fieldwarden::supervisor::gateway {

// Threads: thread safe.
class Authenticator {
  public:
    virtual ~Authenticator() = default;
    // The identity behind a bearer token; nullopt when it is not known.
    [[nodiscard]] virtual std::optional<Identity> identify(std::string_view bearer_token) const = 0;
};

// One token, one administrator: <data-dir>/admin.token.
std::unique_ptr<Authenticator> admin_token_authenticator(std::string token);

// Takes the same time wherever the texts differ.
bool equal_in_constant_time(std::string_view a, std::string_view b);

// The token a request carries: `Authorization: Bearer …`, or, on a WebSocket, where a browser can set no
// header, an entry "bearer.<token>" of Sec-WebSocket-Protocol. "" when there is none. Never taken from the
// URL, which ends up in logs and histories.
std::string bearer_token(const HttpRequest& request, bool websocket);

// The subprotocol to answer a WebSocket handshake with: "fieldwarden.v1" when it is offered, otherwise the
// bearer entry (a browser gives up when none of its offers is taken); "" when nothing was offered.
std::string accepted_subprotocol(std::string_view offered);

// A browser names the page that opens a WebSocket: only pages of this server may. True without an Origin
// header (not a browser).
bool origin_allowed(std::string_view origin, std::string_view host);

// Slows down guessing: after kAllowed failures within the window a remote is told to wait. A right token is
// always let in, so that nobody can lock others out from the same address.
class FailureThrottle {
  public:
    static constexpr std::size_t kAllowed = 10;
    static constexpr std::size_t kMostRemotes = 1024;
    static constexpr std::chrono::seconds kWindow{60};

    // Counts one failure; the seconds to wait when there were too many.
    std::optional<std::chrono::seconds> fail(const std::string& remote, MonoTime now);

  private:
    std::mutex mutex_;
    std::unordered_map<std::string, std::deque<MonoTime>> failures_;
};

}  // namespace fieldwarden::supervisor::gateway
