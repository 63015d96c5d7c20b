// The socket of one client, plain or under TLS, as one type: so that HTTP, WebSocket and event streams are
// written once. An AsyncStream as Asio and Beast mean it. Not movable: layers above hold a reference.
// Threads: the gateway's.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/websocket/teardown.hpp>
#include <memory>
#include <optional>
#include <utility>

namespace fieldwarden::supervisor::gateway {

class ClientStream {
  public:
    using executor_type = boost::beast::tcp_stream::executor_type;
    using next_layer_type = boost::beast::tcp_stream;

    explicit ClientStream(boost::asio::ip::tcp::socket socket) : tcp_(std::move(socket)) {}
    ClientStream(const ClientStream&) = delete;
    ClientStream& operator=(const ClientStream&) = delete;

    executor_type get_executor() noexcept { return tcp_.get_executor(); }
    next_layer_type& next_layer() noexcept { return tcp_; }
    [[nodiscard]] const next_layer_type& next_layer() const noexcept { return tcp_; }
    boost::asio::ip::tcp::socket& socket() { return tcp_.socket(); }

    // TLS from here on; the handshake is the caller's. Keeps the context for as long as the stream lives: a
    // renewed certificate is for new connections.
    boost::asio::ssl::stream<boost::beast::tcp_stream&>& secure(
        std::shared_ptr<boost::asio::ssl::context> context) {
        context_ = std::move(context);
        return tls_.emplace(tcp_, *context_);
    }
    [[nodiscard]] bool is_secure() const { return tls_.has_value(); }
    boost::asio::ssl::stream<boost::beast::tcp_stream&>& tls() { return *tls_; }

    template <class Duration>
    void expires_after(Duration duration) {
        tcp_.expires_after(duration);
    }
    template <class Time>
    void expires_at(Time time) {
        tcp_.expires_at(time);
    }
    void expires_never() { tcp_.expires_never(); }
    void cancel() { tcp_.cancel(); }
    void close() { tcp_.close(); }

    template <class Buffers, class Token>
    auto async_read_some(const Buffers& buffers, Token&& token) {
        return boost::asio::async_initiate<Token, void(boost::beast::error_code, std::size_t)>(
            [this](auto handler, const Buffers& into) {
                if (tls_) {
                    tls_->async_read_some(into, std::move(handler));
                } else {
                    tcp_.async_read_some(into, std::move(handler));
                }
            },
            token, buffers);
    }
    template <class Buffers, class Token>
    auto async_write_some(const Buffers& buffers, Token&& token) {
        return boost::asio::async_initiate<Token, void(boost::beast::error_code, std::size_t)>(
            [this](auto handler, const Buffers& from) {
                if (tls_) {
                    tls_->async_write_some(from, std::move(handler));
                } else {
                    tcp_.async_write_some(from, std::move(handler));
                }
            },
            token, buffers);
    }

  private:
    boost::beast::tcp_stream tcp_;
    std::shared_ptr<boost::asio::ssl::context> context_;
    std::optional<boost::asio::ssl::stream<boost::beast::tcp_stream&>> tls_;
};

// How a WebSocket ends its stream (found by argument-dependent look-up).
inline void teardown(boost::beast::role_type role, ClientStream& stream, boost::beast::error_code& error) {
    boost::beast::websocket::teardown(role, stream.socket(), error);
}
template <class Handler>
void async_teardown(boost::beast::role_type role, ClientStream& stream, Handler&& handler) {
    // The close frames have been exchanged; nothing is lost without TLS's own farewell.
    boost::beast::websocket::async_teardown(role, stream.socket(), std::forward<Handler>(handler));
}

}  // namespace fieldwarden::supervisor::gateway
