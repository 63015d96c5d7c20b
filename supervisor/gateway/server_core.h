// What the three socket files of the gateway share: http_server.cpp, websocket.cpp and sse.cpp. Private to
// them, as it brings in Beast.
#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "supervisor/gateway/access_log.h"
#include "supervisor/gateway/client_stream.h"
#include "supervisor/gateway/http_server.h"
#include "supervisor/gateway/hub.h"
#include "supervisor/gateway/stream_plan.h"

namespace fieldwarden::supervisor::gateway {

namespace net = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using tcp = net::ip::tcp;
// An operation gives {error_code, result}; nothing throws.
inline constexpr auto as_value = net::as_tuple(net::use_awaitable);

// One accepted socket. Owned by its coroutine(s); known to the core for the drain.
struct Connection {
    explicit Connection(tcp::socket socket) : stream(std::move(socket)) {}

    ClientStream stream;
    beast::flat_buffer buffer{64 * 1024};  // the most that is read ahead
    std::string remote;
    std::function<void()> end;  // makes an idle connection or a stream end soon
};

// Calls on a pool with a bounded queue.
struct CallPool {
    CallPool(std::size_t threads, std::size_t queue) : pool(threads), most(threads + queue) {}

    net::thread_pool pool;
    std::size_t most;
    std::size_t running = 0;  // or waiting; touched on the gateway's thread only
};

struct ServerCore {
    static constexpr std::size_t kMostWaitingCalls = 256;

    ServerCore(HttpOptions options_, Dispatcher& dispatcher_, StatusBus& bus_)
        : options(std::move(options_)),
          dispatcher(dispatcher_),
          bus(bus_),
          hub(bus, [this](std::function<void()> work) { net::post(io, std::move(work)); }),
          quick(options.threads, kMostWaitingCalls),
          slow(std::max(2U, options.threads / 2), kMostWaitingCalls / 8) {}

    HttpOptions options;
    Dispatcher& dispatcher;
    StatusBus& bus;
    std::unordered_set<Connection*> connections;
    std::map<std::string, std::size_t, std::less<>> streams;  // open ones, by user
    bool draining = false;
    // The order matters: coroutines that are still suspended at the end are destroyed with `io`, and they use
    // what stands above it; calls that still run on a pool complete into `io`.
    Hub hub;
    net::io_context io{1};
    CallPool quick;
    CallPool slow;
    net::thread_pool disk{1};  // writes uploads: never behind a call that waits for a device
};

// Runs `function` on the pool; the coroutine goes on on its own executor. `function` captures by reference
// only: GCC 12 destroys temporary closures in a co_await expression twice. The pools are joined before any
// coroutine is destroyed.
template <class F>
net::awaitable<std::invoke_result_t<F>> run_on(net::thread_pool& pool, F function) {
    static_assert(std::is_trivially_copyable_v<F>, "see above");
    using R = std::invoke_result_t<F>;
    auto body = [function = std::move(function)]() mutable -> net::awaitable<R> { co_return function(); };
    co_return co_await net::co_spawn(pool, std::move(body), net::use_awaitable);
}

// Asks the plan whether the stream may go on, at most once in a while.
class Permission {
  public:
    using Clock = std::chrono::steady_clock;

    explicit Permission(const StreamPlan& plan) : plan_(plan) {}
    bool lasts() {
        const auto now = Clock::now();
        if (now < next_) return true;
        next_ = after(now);
        return !plan_.still_allowed || plan_.still_allowed();
    }
    // When to ask again: at a few moments a second that all streams share, as a thread that wakes for each of
    // thousands does little else.
    [[nodiscard]] Clock::time_point next() const { return next_; }

  private:
    static constexpr std::chrono::seconds kEvery{2};
    using Shared = std::chrono::duration<std::int64_t, std::deci>;

    static Clock::time_point after(Clock::time_point now) {
        return Clock::time_point{std::chrono::ceil<Shared>((now + kEvery).time_since_epoch())};
    }

    const StreamPlan& plan_;
    Clock::time_point next_ = after(Clock::now());
};
// Puts the plan's topics in force.
void subscribe(const StreamPlan& plan, HubClient& client);
// {"missed": n}: the client lost n events because it was slow, or asked to resume from too far back.
StreamMessage missed_message(const ServerCore& core, std::uint64_t count);
// An envelope of the gateway itself, outside the bus's numbering.
std::string control_envelope(const ServerCore& core, std::string_view type, const proto::Json& data);

using Upgrade = http::request<http::empty_body>;

// Both end when the client leaves, falls silent, or the server drains.
net::awaitable<void> run_websocket(ServerCore& core, std::shared_ptr<Connection> connection, Upgrade upgrade,
                                   std::string subprotocol, StreamPlan plan);
net::awaitable<void> run_event_stream(ServerCore& core, std::shared_ptr<Connection> connection,
                                      std::string request_id, StreamPlan plan);

}  // namespace fieldwarden::supervisor::gateway
