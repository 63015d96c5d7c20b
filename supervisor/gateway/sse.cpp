// Server-sent events (WHATWG HTML, section 9.2) and what streams of both kinds share.
#include <fmt/format.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/serializer.hpp>
#include <boost/beast/http/write.hpp>

#include "supervisor/gateway/problem.h"
#include "supervisor/gateway/security_headers.h"
#include "supervisor/gateway/server_core.h"

namespace fieldwarden::supervisor::gateway {

namespace {

constexpr std::size_t kWriteTogether = 64 * 1024;
constexpr std::chrono::seconds kWriteTimeout{30};

void append_message(std::string& out, const StreamMessage& message) {
    // JSON texts have no line breaks, so one data line holds all of it.
    fmt::format_to(std::back_inserter(out), "id: {}\nevent: {}\ndata: {}\n\n", message.id, message.name,
                   message.text);
}

// Lives as long as either of the two coroutines that use it.
struct EventStream {
    EventStream(ServerCore& core, std::shared_ptr<Connection> connection_)
        : connection(std::move(connection_)),
          wakeup(core.io),
          client(core.hub, [this] { wakeup.cancel(); }) {}

    std::shared_ptr<Connection> connection;
    net::steady_timer wakeup;
    HubClient client;
    bool ended = false;

    void end() {
        ended = true;
        wakeup.cancel();
    }
};

// A client of an event stream sends nothing; reading finds out when it has gone.
net::awaitable<void> watch_for_end(std::shared_ptr<EventStream> stream) {
    std::array<char, 256> ignored{};
    for (;;) {
        const auto [error, size] =
            co_await stream->connection->stream.async_read_some(net::buffer(ignored), as_value);
        if (error) break;
    }
    stream->end();
}

net::awaitable<bool> send(EventStream& stream, const std::string& text) {
    auto& socket = stream.connection->stream;
    socket.expires_after(kWriteTimeout);
    const auto [error, size] = co_await net::async_write(socket, net::buffer(text), as_value);
    co_return !error;
}

net::awaitable<bool> send_head(EventStream& stream, const std::string& request_id) {
    http::response<http::empty_body> head{http::status::ok, 11};
    head.set(http::field::content_type, "text/event-stream");
    head.set("X-Accel-Buffering", "no");
    for (const auto& [name, value] : security_headers(stream.connection->stream.is_secure())) {
        head.set(beast::string_view{name.data(), name.size()},
                 beast::string_view{value.data(), value.size()});
    }
    head.set("X-Request-Id", request_id);
    head.keep_alive(false);
    http::response_serializer<http::empty_body> serializer{head};
    stream.connection->stream.expires_after(kWriteTimeout);
    const auto [error, size] =
        co_await http::async_write_header(stream.connection->stream, serializer, as_value);
    co_return !error;
}

// The messages of the client's next event; empty when none waits. Rendered on the pool when the plan says so.
net::awaitable<std::vector<StreamMessage>> next_messages(ServerCore& core, const StreamPlan& plan,
                                                         HubClient& client) {
    std::vector<StreamMessage> messages;
    // Events that render to nothing are passed over.
    while (messages.empty()) {
        const auto event = client.pop();
        if (!event) break;
        if (!plan.render) {
            messages.push_back({event->type, event->seq, event->envelope_with_topic()});
        } else if (plan.render_blocks) {
            // By reference: GCC 12 destroys a temporary closure in a co_await twice, and with it what it
            // owns.
            messages = co_await run_on(core.quick.pool, [&plan, &event] { return plan.render(*event); });
        } else {
            messages = plan.render(*event);
        }
    }
    co_return messages;
}

}  // namespace

void subscribe(const StreamPlan& plan, HubClient& client) {
    if (plan.resume_after) {
        client.subscribe_after(plan.topics, *plan.resume_after);
    } else {
        for (const auto& topic : plan.topics) client.subscribe(topic, plan.snapshot);
    }
}

std::string control_envelope(const ServerCore& core, std::string_view type, const proto::Json& data) {
    return dump({{"v", 1},
                 {"seq", core.bus.last_seq()},
                 {"ts", format_rfc3339(core.dispatcher.clock().utc_now())},
                 {"type", type},
                 {"data", data}});
}

StreamMessage missed_message(const ServerCore& core, std::uint64_t count) {
    return {"missed", core.bus.last_seq(), control_envelope(core, "missed", {{"missed", count}})};
}

net::awaitable<void> run_event_stream(ServerCore& core, std::shared_ptr<Connection> connection,
                                      std::string request_id, StreamPlan plan) {
    auto stream = std::make_shared<EventStream>(core, connection);
    connection->end = [stream = stream.get()] { stream->end(); };
    if (co_await send_head(*stream, request_id)) {
        connection->stream.expires_never();
        net::co_spawn(core.io, watch_for_end(stream), net::detached);

        std::string text = "retry: 2000\n\n";
        for (const auto& message : plan.first) append_message(text, message);
        subscribe(plan, stream->client);
        Permission permission{plan};
        auto beat = std::chrono::steady_clock::now() + core.options.heartbeat;
        while (!stream->ended && permission.lasts()) {
            while (text.size() < kWriteTogether) {
                const auto messages = co_await next_messages(core, plan, stream->client);
                if (messages.empty()) break;
                for (const auto& message : messages) append_message(text, message);
            }
            if (const auto missed = stream->client.take_missed(); missed > 0) {
                append_message(text, missed_message(core, missed));
            }
            if (!text.empty()) {
                const bool sent = co_await send(*stream, text);
                if (!sent) break;
                text.clear();
                beat = std::chrono::steady_clock::now() + core.options.heartbeat;
                continue;
            }
            stream->wakeup.expires_at(std::min(beat, permission.next()));
            if (!stream->client.idle() || stream->ended) continue;
            const auto [error] = co_await stream->wakeup.async_wait(as_value);
            if (!error && std::chrono::steady_clock::now() >= beat) text = ": heartbeat\n\n";
        }
    }
    // The watcher may hold the stream a moment longer; the connection must not call into it any more.
    connection->end = nullptr;
    connection->stream.close();
}

}  // namespace fieldwarden::supervisor::gateway
