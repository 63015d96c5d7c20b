// WebSocket (RFC 6455): one coroutine reads commands, one waits for the end; what the plan and the hub have
// goes out as it comes.
#include <fmt/format.h>

#include <boost/asio/buffer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <exception>
#include <list>

#include "supervisor/gateway/api/json_input.h"
#include "supervisor/gateway/problem.h"
#include "supervisor/gateway/server_core.h"
#include "supervisor/gateway/socket_command.h"

namespace fieldwarden::supervisor::gateway {

namespace websocket = boost::beast::websocket;
using proto::Json;

namespace {

constexpr std::size_t kMostMessageBytes = 16 * 1024;
// Commands beyond this rate are an error of the client (or worse).
constexpr unsigned kMostCommands = 200;
constexpr std::chrono::seconds kCommandWindow{10};
constexpr std::size_t kMostReplies = 64;

// A text to be sent: one of the client's own, or part of an event that many clients share.
using Text = std::shared_ptr<const std::string>;

// Lives as long as a coroutine or an operation that uses it. What there is to send goes out one message at a
// time, each from the completion of the one before: an event costs a client one write and nothing else.
struct WebSocketClient : std::enable_shared_from_this<WebSocketClient> {
    WebSocketClient(ServerCore& core_, std::shared_ptr<Connection> connection_, StreamPlan plan_)
        : core(core_),
          connection(std::move(connection_)),
          plan(std::move(plan_)),
          socket(connection->stream),
          wakeup(core.io),
          client(core.hub, [this] { pump(); }) {}

    ServerCore& core;
    std::shared_ptr<Connection> connection;
    StreamPlan plan;
    websocket::stream<ClientStream&> socket;
    net::steady_timer wakeup;  // of the coroutine that waits for the end
    HubClient client;
    std::list<Text> own;  // answers to commands and rendered events, sent before further events
    bool busy = false;    // a message is being rendered or sent
    bool reachable = true;
    bool ended = false;
    websocket::close_reason reason{websocket::close_code::normal};

    void end(websocket::close_reason why) {
        if (!ended) reason = why;
        ended = true;
        wakeup.cancel();
    }
    void add(std::string text) { own.push_back(std::make_shared<const std::string>(std::move(text))); }
    void reply(std::string_view type, const Json& data) {
        add(control_envelope(core, type, data));
        pump();
    }
    void refuse(std::string_view detail) { reply("error", {{"detail", detail}}); }

    // Sends the next message unless one is on its way. Called whenever there may be one.
    void pump() {
        if (busy || ended) return;
        try {
            if (auto text = next()) send(std::move(text));
        } catch (const std::exception& error) {
            fail(error);
        }
    }

  private:
    // Null when nothing waits, or what waits is being rendered.
    Text next() {
        if (own.empty()) {
            if (const auto missed = client.take_missed(); missed > 0) add(missed_message(core, missed).text);
        }
        while (own.empty()) {
            const auto event = client.pop();
            if (!event) return nullptr;
            if (!plan.render) return {event, &event->envelope_with_topic()};
            if (plan.render_blocks) return render_elsewhere(event), nullptr;
            // Events that render to nothing are passed over.
            for (auto& message : plan.render(*event)) add(std::move(message.text));
        }
        auto text = std::move(own.front());
        own.pop_front();
        return text;
    }

    void send(Text text) {
        busy = true;
        const auto bytes = net::buffer(*text);
        socket.async_write(
            bytes, [self = shared_from_this(), text = std::move(text)](beast::error_code error, std::size_t) {
                self->busy = false;
                if (error) {
                    self->reachable = false;
                    self->end({websocket::close_code::abnormal});
                }
                self->pump();
            });
    }

    void render_elsewhere(const EventPtr& event) {
        busy = true;
        net::post(core.quick.pool, [self = shared_from_this(), event] {
            std::vector<StreamMessage> messages;
            std::exception_ptr failure;
            try {
                messages = self->plan.render(*event);
            } catch (...) {
                failure = std::current_exception();
            }
            net::post(self->core.io, [self, failure, messages = std::move(messages)]() mutable {
                self->take_rendered(failure, std::move(messages));
            });
        });
    }

    void take_rendered(const std::exception_ptr& failure, std::vector<StreamMessage> messages) {
        busy = false;
        try {
            if (failure) std::rethrow_exception(failure);
            for (auto& message : messages) add(std::move(message.text));
        } catch (const std::exception& error) {
            fail(error);
        }
        pump();
    }

    // A defect in one stream ends that stream only.
    void fail(const std::exception& error) {
        core.dispatcher.log(proto::LogLevel::kError, fmt::format("a WebSocket failed: {}", error.what()));
        end({websocket::close_code::internal_error});
    }
};

void obey(WebSocketClient& client, std::string_view text) {
    if (!client.plan.takes_commands) return client.refuse("this WebSocket takes no commands");
    const auto command = parse_socket_command(text);
    if (!command) return client.refuse(command.error().message);
    // Acknowledged before the topics' values, so that a client knows where they begin.
    client.reply(command->subscribe ? "subscribed" : "unsubscribed", {{"topics", command->topics}});
    for (const auto& prefix : command->topics) {
        if (!command->subscribe) {
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
        if (++commands > kMostCommands || client->own.size() >= kMostReplies) {
            client->end({websocket::close_code::policy_error, "too many commands"});
            break;
        }
        const auto bytes = buffer.cdata();
        obey(*client, {static_cast<const char*>(bytes.data()), bytes.size()});
        buffer.consume(buffer.size());
    }
    client->end({websocket::close_code::normal});
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

    for (auto& message : client->plan.first) client->add(std::move(message.text));
    client->plan.first.clear();
    client->plan.first.shrink_to_fit();
    subscribe(client->plan, client->client);
    client->pump();
    Permission permission{client->plan};
    while (!client->ended) {
        if (!permission.lasts()) {
            client->end({websocket::close_code::policy_error, "signed out"});
            break;
        }
        client->wakeup.expires_at(permission.next());
        co_await client->wakeup.async_wait(as_value);
    }
    connection->end = nullptr;
    if (client->reachable && socket.is_open()) co_await socket.async_close(client->reason, as_value);
    connection->stream.close();
}

}  // namespace fieldwarden::supervisor::gateway
