// The route table: one row per method and path, from which dispatch, 405 with Allow, the access rules, the
// metrics' labels and the test of proto/openapi.yaml are derived. The rows are in routes.cpp.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "supervisor/gateway/http.h"

namespace fieldwarden::supervisor::gateway {

struct Context;

// Runs on the pool; may block; does not throw (what escapes becomes a 500 and is logged).
using Handler = HttpResponse (*)(const HttpRequest&, Context&);

enum class RouteKind : std::uint8_t {
    kCall,         // body up to kMostBodyBytes
    kUpload,       // multipart/form-data, its file streamed to disk
    kEventStream,  // the handler's plan is carried out as text/event-stream
    kWebSocket,    // … on a WebSocket
};

// How long the handler may take: a waiting one (probes, acquire_once, imports) only gets half the pool, so
// that others always find a thread.
enum class Pace : std::uint8_t { kQuick, kWaiting };

struct Route {
    Method method = Method::kGet;
    std::string_view pattern;  // "/api/v1/tasks/{id}"
    std::optional<Role> role;  // unset: no sign-in
    RouteKind kind = RouteKind::kCall;
    Pace pace = Pace::kQuick;
    Handler handler = nullptr;
    std::string_view summary;
};

std::span<const Route> all_routes();

inline constexpr std::size_t kMostBodyBytes = 1U << 20;

class Router {
  public:
    explicit Router(std::span<const Route> routes);

    struct Match {
        const Route* route = nullptr;  // null: see `allowed`
        std::map<std::string, std::string, std::less<>> params;
        std::string allowed;  // "GET, HEAD, OPTIONS, POST"; empty when no route has this path
    };
    // `method` as on the wire; HEAD is served by GET's route. Of several patterns that fit, the one with the
    // longer run of literal segments wins (/sessions/active before /sessions/{id}).
    [[nodiscard]] Match match(std::string_view method, const std::vector<std::string>& segments) const;

  private:
    struct Entry {
        const Route* route;
        std::vector<std::string_view> segments;
    };
    std::vector<std::vector<Entry>> by_length_;
};

}  // namespace fieldwarden::supervisor::gateway
