// WebSocket (RFC 6455): one coroutine reads commands, one writes what the plan and the hub have.
#include <fmt/format.h>

#include <boost/asio/buffer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <boost/beast/websocket/stream.hpp>

#include "supervisor/gateway/api/json_input.h"
#include "supervisor/gateway/problem.h"
#include "supervisor/gateway/server_core.h"

namespace fieldwarden::supervisor::gateway {

namespace websocket = boost::beast::websocket;
using proto::Json;

namespace {

constexpr std::size_t kMostMessageBytes = 16 * 1024;
constexpr std::size_t kMostTopicsInCommand = 256;
// Commands beyond this rate are an error of the client (or worse).
constexpr unsigned kMostCommands = 200;
constexpr std::chrono::seconds kCommandWindow{10};
constexpr std::size_t kMostReplies = 64;

// Lives as long as either of the two coroutines that use it.
struct WebSocketClient {
    WebSocketClient(ServerCore& core_, std::shared_ptr<Connection> connection_, StreamPlan plan_)
        : core(core_),
          connection(std::move(connection_)),
          plan(std::move(plan_)),
          socket(connection->stream),
          wakeup(core.io),
          client(core.hub, [this] { wakeup.cancel(); }) {}

    ServerCore& core;
    std::shared_ptr<Connection> connection;
    StreamPlan plan;
    websocket::stream<ClientStream&> socket;
    net::steady_timer wakeup;
    HubClient client;
    std::vector<std::string> replies;  // to commands, sent before events
    bool ended = false;
    websocket::close_reason reason{websocket::close_code::normal};

    void end(websocket::close_reason why) {
        if (!ended) reason = why;
        ended = true;
        wakeup.cancel();
    }
    void reply(std::string_view type, const Json& data) {
        replies.push_back(control_envelope(core, type, data));
        wakeup.cancel();
    }
    void refuse(std::string_view detail) { reply("error", {{"detail", detail}}); }
};

// {"action": "subscribe" | "unsubscribe", "topics": ["process_status", "log_streams.TASK_001"]}
void obey(WebSocketClient& client, std::string_view text) {
    if (!client.plan.takes_commands) return client.refuse("this WebSocket takes no commands");
    const auto command = parse_json(text);
    if (!command || !command->is_object()) return client.refuse("a command is a JSON object");
    const auto action = command->find("action");
    const auto topics = command->find("topics");
    const bool subscribe = action != command->end() && *action == "subscribe";
    if (!subscribe && (action == command->end() || *action != "unsubscribe")) {
        return client.refuse("action is \"subscribe\" or \"unsubscribe\"");
    }
    if (topics == command->end() || !topics->is_array() || topics->size() > kMostTopicsInCommand) {
        return client.refuse("topics is an array of at most 256 topic prefixes");
    }
    for (const auto& topic : *topics) {
        if (!topic.is_string() || topic.get_ref<const std::string&>().size() > HubClient::kLongestTopic) {
            return client.refuse("a topic is a text of at most 200 bytes");
        }
    }
    // Acknowledged before the topics' values, so that a client knows where they begin.
    client.reply(subscribe ? "subscribed" : "unsubscribed", {{"topics", *topics}});
    for (const auto& topic : *topics) {
        const auto& prefix = topic.get_ref<const std::string&>();
        if (!subscribe) {
            client.client.unsubscribe(prefix);
        } else if (!client.client.subscribe(prefix, true) && client.client.full()) {
            return client.refuse("more than 256 topics on one connection");
        }
    }
}

net::awaitable<void> read_commands(std::shared_ptr<WebSocketClient> client) {
    beast::flat_buffer buffer(kMostMessageBytes);
    unsigned commands = 0;
    auto window_ends = std::chrono::steady_clock::now() + kCommandWindow;
    while (!client->ended) {
        const auto [error, size] = co_await client->socket.async_read(buffer, as_value);
        if (error) break;
        const auto now = std::chrono::steady_clock::now();
        if (now >= window_ends) {
            window_ends = now + kCommandWindow;
            commands = 0;
        }
        if (++commands > kMostCommands || client->replies.size() >= kMostReplies) {
            client->end({websocket::close_code::policy_error, "too many commands"});
            break;
        }
        const auto bytes = buffer.cdata();
        obey(*client, {static_cast<const char*>(bytes.data()), bytes.size()});
        buffer.consume(buffer.size());
    }
    client->end({websocket::close_code::normal});
}

net::awaitable<bool> send(WebSocketClient& client, const std::string& text) {
    const auto [error, size] = co_await client.socket.async_write(net::buffer(text), as_value);
    co_return !error;
}

// One round: everything that waits. False when the client has gone.
net::awaitable<bool> send_waiting(WebSocketClient& client) {
    while (!client.ended) {
        auto replies = std::exchange(client.replies, {});
        for (const auto& reply : replies) {
            const bool sent = co_await send(client, reply);
            if (!sent) co_return false;
        }
        if (const auto missed = client.client.take_missed(); missed > 0) {
            const auto message = missed_message(client.core, missed);
            const bool sent = co_await send(client, message.text);
            if (!sent) co_return false;
        }
        const auto messages = co_await next_messages(client.core, client.plan, client.client);
        for (const auto& message : messages) {
            const bool sent = co_await send(client, message.text);
            if (!sent) co_return false;
        }
        if (messages.empty() && client.replies.empty() && client.client.idle()) break;
    }
    co_return true;
}

websocket::stream_base::timeout timeouts(const HttpOptions& options) {
    // A client silent for a whole idle timeout (pings go out at half of it) has gone.
    return {options.head_timeout, options.heartbeat * 2, true};
}

// permessage-deflate (RFC 7692) within about 16 KiB a client: small windows, nothing kept between messages.
websocket::permessage_deflate compression() {
    websocket::permessage_deflate deflate;
    deflate.server_enable = true;
    deflate.server_max_window_bits = 11;
    deflate.client_max_window_bits = 11;
    deflate.server_no_context_takeover = true;
    deflate.client_no_context_takeover = true;
    deflate.compLevel = 1;
    deflate.memLevel = 4;
    deflate.msg_size_threshold = 512;
    return deflate;
}

}  // namespace

net::awaitable<void> run_websocket(ServerCore& core, std::shared_ptr<Connection> connection, Upgrade upgrade,
                                   std::string subprotocol, StreamPlan plan) {
    connection->stream.expires_never();
    auto client = std::make_shared<WebSocketClient>(core, connection, std::move(plan));
    auto& socket = client->socket;
    socket.set_option(timeouts(core.options));
    socket.set_option(compression());
    socket.set_option(websocket::stream_base::decorator([&subprotocol](websocket::response_type& response) {
        response.set(http::field::server, "fieldwarden");
        if (!subprotocol.empty()) response.set(http::field::sec_websocket_protocol, subprotocol);
    }));
    socket.read_message_max(kMostMessageBytes);
    socket.text(true);
    const auto [refused] = co_await socket.async_accept(upgrade, as_value);
    if (refused) co_return;

    connection->end = [client = client.get()] {
        client->end({websocket::close_code::going_away, "server stops"});
    };
    net::co_spawn(core.io, read_commands(client), net::detached);

    bool reachable = true;
    for (const auto& message : client->plan.first) {
        reachable = co_await send(*client, message.text);
        if (!reachable) break;
    }
    subscribe(client->plan, client->client);
    Permission permission{client->plan};
    while (reachable && !client->ended) {
        if (!permission.lasts()) {
            client->end({websocket::close_code::policy_error, "signed out"});
            break;
        }
        reachable = co_await send_waiting(*client);
        if (!reachable || client->ended || !client->replies.empty() || !client->client.idle()) continue;
        client->wakeup.expires_after(Permission::kEvery);
        co_await client->wakeup.async_wait(as_value);
    }
    connection->end = nullptr;
    if (reachable && socket.is_open()) co_await socket.async_close(client->reason, as_value);
    connection->stream.close();
}

}  // namespace fieldwarden::supervisor::gateway
