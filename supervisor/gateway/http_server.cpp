#include "supervisor/gateway/http_server.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>

#include <boost/asio/write.hpp>
#include <boost/beast/core/detect_ssl.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/serializer.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <future>
#include <thread>

#include "supervisor/gateway/problem.h"
#include "supervisor/gateway/representation.h"
#include "supervisor/gateway/security_headers.h"
#include "supervisor/gateway/server_core.h"
#include "supervisor/gateway/upload.h"

namespace fieldwarden::supervisor::gateway {

namespace {

using namespace std::chrono_literals;
using Parser = http::request_parser<http::buffer_body>;
using SteadyClock = std::chrono::steady_clock;

constexpr std::uint32_t kMostHeadBytes = 16 * 1024;
constexpr std::uint64_t kMultipartFraming = 64 * 1024;
constexpr std::size_t kChunk = 64 * 1024;
constexpr std::uint64_t kSlowestBytesPerSecond = 16 * 1024;
constexpr auto kBodyGrace = 30s;
constexpr auto kFarewell = 2s;
// What is read and thrown away after an early refusal, so that the client gets to read the answer.
constexpr std::uint64_t kMostDiscarded = 64U << 20;

SteadyClock::time_point transfer_deadline(SteadyClock::time_point begun, std::uint64_t bytes) {
    return begun + kBodyGrace + std::chrono::seconds(bytes / kSlowestBytesPerSecond);
}

RequestHead head_of(const Parser& parser, const Connection& connection) {
    const auto& message = parser.get();
    RequestHead head{
        std::string(message.method_string()),  std::string(message.target()), {}, connection.remote, {},
        beast::websocket::is_upgrade(message), connection.stream.is_secure()};
    for (const auto& field : message.base()) {
        std::string name(field.name_string());
        for (auto& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        auto& value = head.headers[std::move(name)];
        // Repeated fields are one list (RFC 9110, section 5.3).
        if (!value.empty()) value += ", ";
        value += std::string_view(field.value().data(), field.value().size());
    }
    const auto offered = head.headers.find("x-request-id");
    head.request_id = request_id(offered == head.headers.end() ? std::string_view{} : offered->second);
    return head;
}

// A stream's place among those of its user.
class StreamPlace {
  public:
    StreamPlace(ServerCore& core, const std::string& user)
        : core_(core), place_(core.streams.try_emplace(user).first) {
        ++place_->second;
    }
    ~StreamPlace() {
        if (--place_->second == 0) core_.streams.erase(place_);
    }
    StreamPlace(const StreamPlace&) = delete;
    StreamPlace& operator=(const StreamPlace&) = delete;
    [[nodiscard]] bool granted() const { return place_->second <= core_.options.max_streams_per_user; }
    [[nodiscard]] const std::string& user() const { return place_->first; }

  private:
    ServerCore& core_;
    std::map<std::string, std::size_t, std::less<>>::iterator place_;
};

// One connection: requests one after the other until either side is done.
class Session {
  public:
    Session(ServerCore& core, std::shared_ptr<Connection> connection)
        : core_(core), connection_(std::move(connection)), stream_(connection_->stream) {
        core_.connections.insert(connection_.get());
    }
    ~Session() { core_.connections.erase(connection_.get()); }
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    net::awaitable<void> run() {
        bool again = !core_.options.tls || co_await secure();
        while (again && !core_.draining) again = co_await serve_one();
        if (stream_.is_secure() && stream_.socket().is_open()) {
            stream_.expires_after(kFarewell);
            co_await stream_.tls().async_shutdown(as_value);
        }
        beast::error_code ignored;
        stream_.socket().shutdown(tcp::socket::shutdown_both, ignored);
    }

  private:
    // The handshake; false when the connection is to end. Who speaks plain HTTP is told so.
    net::awaitable<bool> secure() {
        stream_.expires_after(core_.options.head_timeout);
        auto& buffer = connection_->buffer;
        const auto [unknown, is_tls] =
            co_await beast::async_detect_ssl(stream_.next_layer(), buffer, as_value);
        if (unknown) co_return false;
        if (!is_tls) {
            speaks_plain_ = true;
            co_return true;
        }
        auto& tls = stream_.secure(core_.options.tls->current(SteadyClock::now()));
        const auto [error, used] =
            co_await tls.async_handshake(net::ssl::stream_base::server, buffer.data(), as_value);
        buffer.consume(used);
        co_return !error;
    }

    // Everything about one request; false when the connection is to end.
    net::awaitable<bool> serve_one() {
        request_id_.clear();
        parser_.emplace();
        parser_->header_limit(kMostHeadBytes);
        parser_->body_limit(boost::none);
        const bool begun = co_await wait_for_request();
        if (!begun) co_return false;
        const auto started = SteadyClock::now();
        stream_.expires_after(core_.options.head_timeout);
        const auto [error, size] =
            co_await http::async_read_header(stream_, connection_->buffer, *parser_, as_value);
        if (error) {
            if (const int status = status_of(error); status != 0) {
                // The head cannot be trusted, so neither can what follows it.
                co_await respond(
                    problem(status, fmt::format("the request is not valid HTTP: {}", error.message())), false,
                    false);
                co_await discard_input();
            }
            co_return false;
        }
        head_only_ = parser_->get().method() == http::verb::head;
        keep_alive_ = parser_->keep_alive();
        route_ = nullptr;
        status_ = 0;
        note_ = {};
        const bool again = co_await answer();
        const auto took = SteadyClock::now() - started;
        core_.dispatcher.record(route_, status_, took);
        if (core_.options.access_log) {
            note_.at = core_.dispatcher.clock().utc_now();
            note_.remote = connection_->remote;
            note_.status = status_;
            note_.took = took;
            note_.request_id = request_id_;
            core_.options.access_log->note(std::move(note_));
        }
        co_return again;
    }

    net::awaitable<bool> wait_for_request() {
        if (connection_->buffer.size() > 0) co_return true;
        connection_->end = [this] { stream_.cancel(); };
        stream_.expires_after(core_.options.idle_timeout);
        const auto [error, size] =
            co_await stream_.async_read_some(connection_->buffer.prepare(4096), as_value);
        connection_->end = nullptr;
        if (error) co_return false;
        connection_->buffer.commit(size);
        co_return true;
    }

    net::awaitable<bool> answer() {
        auto head = head_of(*parser_, *connection_);
        request_id_ = head.request_id;
        note_.method = head.method.substr(0, 16);
        note_.path = head.target.substr(0, head.target.find('?'));
        if (speaks_plain_) {
            keep_alive_ = false;
            co_return co_await refuse(
                problem(400, "this port speaks TLS: write https:// instead of http://"));
        }
        auto admission = core_.dispatcher.admit(std::move(head));
        if (auto* refusal = std::get_if<HttpResponse>(&admission))
            co_return co_await refuse(std::move(*refusal));
        auto admitted = std::get<Admitted>(std::move(admission));
        route_ = admitted.route;
        note_.user = admitted.request.identity.username;

        auto refusal = co_await read_body(admitted);
        if (refusal) co_return co_await refuse(std::move(*refusal));
        auto response = co_await call(admitted);
        remove_upload(admitted.request);
        if (response.stream && !head_only_) co_return co_await run_stream(admitted, std::move(response));
        co_return co_await respond(std::move(response), head_only_, keep_alive_ && !core_.draining);
    }

    // Answers without having read the body, which may be large or endless: the connection ends then.
    net::awaitable<bool> refuse(HttpResponse response) {
        const bool body_pending = !parser_->is_done();
        const bool again = co_await respond(std::move(response), head_only_, !body_pending && keep_alive_);
        if (body_pending) co_await discard_input();
        co_return again && !body_pending;
    }

    // nullopt when the body is in the request.
    net::awaitable<std::optional<HttpResponse>> read_body(Admitted& admitted) {
        if (parser_->is_done()) co_return std::nullopt;
        const bool upload = admitted.route->kind == RouteKind::kUpload;
        const auto most = upload ? core_.options.max_upload_bytes + kMultipartFraming : kMostBodyBytes;
        const auto announced = parser_->content_length();
        if (announced && *announced > most) co_return too_large(most);
        if (upload) co_return co_await read_upload(admitted, most);
        co_await send_continue();
        co_return co_await read_chunks(most, [&](std::string_view chunk) -> net::awaitable<Status> {
            admitted.request.body.append(chunk);
            co_return Status{};
        });
    }

    net::awaitable<std::optional<HttpResponse>> read_upload(Admitted& admitted, std::uint64_t most) {
        auto receiver =
            UploadReceiver::create(core_.options.upload_dir, admitted.request.header("content-type"),
                                   core_.options.max_upload_bytes);
        if (!receiver) co_return upload_problem(receiver.error());
        auto& upload = **receiver;
        co_await send_continue();
        // The disk may be slow: its writes run on the pool, a chunk at a time.
        auto refusal = co_await read_chunks(most, [&](std::string_view chunk) -> net::awaitable<Status> {
            co_return co_await run_on(core_.disk, [&upload, chunk] { return upload.feed(chunk); });
        });
        if (refusal) co_return refusal;
        auto finished = co_await run_on(core_.disk, [&upload] { return upload.finish(); });
        if (!finished) co_return upload_problem(finished.error());
        admitted.request.form = std::move(finished->fields);
        admitted.request.upload = std::move(finished->file);
        co_return std::nullopt;
    }

    template <class Consume>
    net::awaitable<std::optional<HttpResponse>> read_chunks(std::uint64_t most, Consume consume) {
        std::vector<char> chunk(kChunk);
        std::uint64_t received = 0;
        const auto begun = SteadyClock::now();
        while (!parser_->is_done()) {
            auto& body = parser_->get().body();
            body.data = chunk.data();
            body.size = chunk.size();
            stream_.expires_at(transfer_deadline(begun, received));
            auto [error, size] = co_await http::async_read(stream_, connection_->buffer, *parser_, as_value);
            if (error == http::error::need_buffer) error = {};
            if (error) {
                keep_alive_ = false;
                co_return problem(400, fmt::format("the body could not be read: {}", error.message()));
            }
            const auto filled = chunk.size() - parser_->get().body().size;
            received += filled;
            if (received > most) co_return too_large(most);
            const auto consumed = co_await consume(std::string_view(chunk.data(), filled));
            if (!consumed) co_return upload_problem(consumed.error());
        }
        co_return std::nullopt;
    }

    static HttpResponse too_large(std::uint64_t most) {
        return problem(413, fmt::format("the body is larger than {} bytes", most));
    }
    // A body that is not what it says is the request's syntax (400), not a field of it (422).
    static HttpResponse upload_problem(const Error& error) {
        return error.kind == ErrorKind::kInvalidArgument ? problem(400, error.message) : problem(error);
    }
    static void remove_upload(const HttpRequest& request) {
        if (!request.upload) return;
        std::error_code ignored;
        std::filesystem::remove(request.upload->path, ignored);
    }

    net::awaitable<void> send_continue() {
        if (!beast::iequals(parser_->get()[http::field::expect], "100-continue")) co_return;
        static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
        stream_.expires_after(10s);
        co_await net::async_write(stream_, net::buffer(kContinue), as_value);
    }

    net::awaitable<HttpResponse> call(const Admitted& admitted) {
        auto& pool = admitted.route->pace == Pace::kQuick ? core_.quick : core_.slow;
        if (pool.running >= pool.most) {
            auto busy = problem(503, "too many calls are waiting; try again in a moment");
            busy.headers.emplace_back("Retry-After", "1");
            co_return busy;
        }
        ++pool.running;
        auto response = co_await run_on(
            pool.pool, [&] { return represent(admitted.request, core_.dispatcher.call(admitted)); });
        --pool.running;
        co_return response;
    }

    net::awaitable<bool> run_stream(const Admitted& admitted, HttpResponse response) {
        const StreamPlace place{core_, admitted.request.identity.username};
        if (!place.granted()) {
            auto refusal =
                problem(429, fmt::format("{} has {} streams open, the most that are allowed; close some, or "
                                         "raise server.max_streams_per_user",
                                         place.user(), core_.options.max_streams_per_user));
            refusal.headers.emplace_back("Retry-After", "10");
            co_return co_await respond(std::move(refusal), head_only_, false);
        }
        status_ = admitted.route->kind == RouteKind::kWebSocket ? 101 : 200;
        if (admitted.route->kind == RouteKind::kWebSocket) {
            Upgrade upgrade{parser_->get().base()};
            co_await run_websocket(core_, connection_, std::move(upgrade),
                                   accepted_subprotocol(admitted.request.header("sec-websocket-protocol")),
                                   std::move(*response.stream));
        } else {
            co_await run_event_stream(core_, connection_, request_id_, std::move(*response.stream));
        }
        co_return false;
    }

    // Sends the response; whether the connection may be used again.
    net::awaitable<bool> respond(HttpResponse response, bool head_only, bool keep_alive) {
        status_ = response.status;
        http::response<http::string_body> message;
        message.version(11);
        message.result(static_cast<unsigned>(response.status));
        message.reason(to_beast(reason_phrase(response.status)));
        message.set(http::field::server, "fieldwarden");
        for (const auto& [name, value] : security_headers(stream_.is_secure()))
            message.set(to_beast(name), to_beast(value));
        if (!request_id_.empty()) message.set("X-Request-Id", request_id_);
        for (const auto& [name, value] : response.headers) message.set(name, value);
        const bool bodiless = response.status == 204 || response.status == 304;
        if (!bodiless) message.set(http::field::content_type, response.content_type);
        message.body() = std::move(response.body);
        const auto size = message.body().size();
        note_.bytes = size;
        if (!bodiless) message.content_length(size);
        message.keep_alive(keep_alive);

        stream_.expires_at(transfer_deadline(SteadyClock::now(), size));
        http::response_serializer<http::string_body> serializer{message};
        if (head_only) {
            const auto [error, sent] = co_await http::async_write_header(stream_, serializer, as_value);
            co_return !error && keep_alive;
        }
        const auto [error, sent] = co_await http::async_write(stream_, serializer, as_value);
        co_return !error && keep_alive;
    }

    static beast::string_view to_beast(std::string_view text) { return {text.data(), text.size()}; }

    // Closing a socket with unread input resets it, and the client may never see the answer.
    net::awaitable<void> discard_input() {
        beast::error_code ignored;
        stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
        std::vector<char> chunk(kChunk);
        std::uint64_t discarded = 0;
        stream_.expires_after(10s);
        while (discarded < kMostDiscarded && !core_.draining) {
            const auto [error, size] = co_await stream_.async_read_some(net::buffer(chunk), as_value);
            if (error) break;
            discarded += size;
        }
    }

    // 0: the client went away or was too slow; nobody is there to be answered.
    static int status_of(beast::error_code error) {
        if (error == http::error::header_limit || error == http::error::buffer_overflow) return 431;
        if (error == http::error::end_of_stream || error == http::error::partial_message) return 0;
        return error.category() == http::make_error_code(http::error::bad_method).category() ? 400 : 0;
    }

    ServerCore& core_;
    std::shared_ptr<Connection> connection_;
    ClientStream& stream_;
    std::optional<Parser> parser_;
    bool speaks_plain_ = false;  // to a port that speaks TLS
    AccessNote note_;
    bool head_only_ = false;
    bool keep_alive_ = false;
    const Route* route_ = nullptr;
    int status_ = 0;
    std::string request_id_;
};

net::awaitable<void> serve(ServerCore& core, tcp::socket socket) {
    auto connection = std::make_shared<Connection>(std::move(socket));
    beast::error_code ignored;
    const auto remote = connection->stream.socket().remote_endpoint(ignored);
    connection->remote = remote.address().to_string();
    connection->stream.socket().set_option(tcp::no_delay(true), ignored);
    Session session(core, connection);
    co_await session.run();
}

// Over the limit of connections: says so and closes.
net::awaitable<void> turn_away(tcp::socket socket) {
    static constexpr std::string_view kAnswer =
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\nRetry-After: 5\r\n"
        "Content-Length: 91\r\nConnection: close\r\n\r\n"
        R"({"type":"about:blank","title":"Service Unavailable","status":503,"detail":"no connections"})";
    beast::tcp_stream stream(std::move(socket));
    stream.expires_after(5s);
    co_await net::async_write(stream, net::buffer(kAnswer), as_value);
}

}  // namespace

struct HttpServer::Impl {
    Impl(HttpOptions options, Dispatcher& dispatcher, StatusBus& bus)
        : core(std::move(options), dispatcher, bus), acceptor(core.io), drained(core.io) {}

    ServerCore core;
    tcp::acceptor acceptor;
    net::steady_timer drained;
    std::thread thread;

    net::awaitable<void> accept_loop() {
        auto pause = 10ms;
        net::steady_timer timer(core.io);
        while (acceptor.is_open()) {
            auto [error, socket] = co_await acceptor.async_accept(as_value);
            if (!error) {
                pause = 10ms;
                if (core.connections.size() >= core.options.max_connections) {
                    net::co_spawn(core.io, turn_away(std::move(socket)), net::detached);
                } else {
                    net::co_spawn(core.io, serve(core, std::move(socket)), on_end());
                }
                continue;
            }
            if (!acceptor.is_open()) break;
            // Out of descriptors or memory, or a connection that died in the queue: never the end of the
            // loop.
            core.dispatcher.log(proto::LogLevel::kWarning,
                                fmt::format("cannot accept a connection: {}; trying again in {} ms",
                                            error.message(), pause.count()));
            timer.expires_after(pause);
            co_await timer.async_wait(as_value);
            pause = std::min(pause * 2, 1000ms);
        }
    }

    // A defect in one session ends that session only.
    std::function<void(std::exception_ptr)> on_end() {
        return [this](std::exception_ptr failure) {
            if (!failure) return;
            try {
                std::rethrow_exception(failure);
            } catch (const std::exception& error) {
                core.dispatcher.log(proto::LogLevel::kError,
                                    fmt::format("a connection failed: {}", error.what()));
            }
        };
    }

    net::awaitable<void> drain() {
        core.draining = true;
        beast::error_code ignored;
        acceptor.close(ignored);
        for (auto* connection : core.connections) {
            if (connection->end) connection->end();
        }
        const auto deadline = SteadyClock::now() + core.options.drain_timeout;
        while (!core.connections.empty() && SteadyClock::now() < deadline) {
            drained.expires_after(5ms);
            co_await drained.async_wait(as_value);
        }
        core.hub.close();
        core.io.stop();
    }
};

HttpServer::HttpServer(HttpOptions options, Dispatcher& dispatcher, StatusBus& bus)
    : impl_(std::make_unique<Impl>(std::move(options), dispatcher, bus)) {}

HttpServer::~HttpServer() {
    stop();
}

namespace {

// A socket that somebody else has bound: systemd, or the supervisor that this one replaces.
beast::error_code take_over(tcp::acceptor& acceptor, int listener) {
    sockaddr_storage address{};
    socklen_t size = sizeof(address);
    beast::error_code error;
    if (::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
        return {errno, beast::system_category()};
    }
    acceptor.assign(address.ss_family == AF_INET6 ? tcp::v6() : tcp::v4(), listener, error);
    return error;
}

beast::error_code bind(tcp::acceptor& acceptor, const tcp::endpoint& endpoint) {
    beast::error_code error;
    acceptor.open(endpoint.protocol(), error);
    if (!error) acceptor.set_option(net::socket_base::reuse_address(true), error);
    if (!error) acceptor.bind(endpoint, error);
    if (!error) acceptor.listen(net::socket_base::max_listen_connections, error);
    return error;
}

}  // namespace

Result<std::uint16_t> HttpServer::start() {
    auto& options = impl_->core.options;
    const auto where = fmt::format("{}:{}", options.host, options.port);
    auto& acceptor = impl_->acceptor;
    beast::error_code error;
    if (options.listener >= 0) {
        error = take_over(acceptor, options.listener);
    } else {
        tcp::resolver resolver(impl_->core.io);
        const auto found =
            resolver.resolve(options.host, std::to_string(options.port), tcp::resolver::passive, error);
        if (error || found.empty()) {
            return make_error(ErrorKind::kInvalidArgument,
                              fmt::format("cannot listen on {}: {}", where, error.message()));
        }
        error = bind(acceptor, *found.begin());
    }
    if (error) {
        return make_error(ErrorKind::kIo, fmt::format("cannot listen on {}: {}", where, error.message()));
    }
    const auto port = acceptor.local_endpoint(error).port();
    net::co_spawn(impl_->core.io, impl_->accept_loop(), impl_->on_end());
    impl_->thread = std::thread([this] { impl_->core.io.run(); });
    return port;
}

int HttpServer::keep_listener() const {
    // The acceptor's descriptor does not change between start() and stop().
    return impl_->acceptor.is_open() ? ::fcntl(impl_->acceptor.native_handle(), F_DUPFD_CLOEXEC, 0) : -1;
}

void HttpServer::stop() {
    if (!impl_->thread.joinable()) return;
    net::co_spawn(impl_->core.io, impl_->drain(), net::detached);
    impl_->thread.join();
    for (auto* pool : {&impl_->core.quick.pool, &impl_->core.slow.pool, &impl_->core.disk}) {
        pool->stop();
        pool->join();
    }
}

}  // namespace fieldwarden::supervisor::gateway
