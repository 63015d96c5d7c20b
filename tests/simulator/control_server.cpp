#include "tests/simulator/control_server.h"

#include <fmt/format.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/write.hpp>
#include <set>
#include <thread>

namespace fieldwarden::simulator {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr std::size_t kLongestCommand = 64 * 1024;

}  // namespace

struct ControlServer::Impl {
    explicit Impl(Execute given) : execute(std::move(given)) {}

    void accept() {
        acceptor.async_accept([this](const error_code& error, tcp::socket socket) {
            if (error == asio::error::operation_aborted || !acceptor.is_open()) return;
            if (!error) {
                auto client = std::make_shared<tcp::socket>(std::move(socket));
                clients.insert(client);
                serve(client, std::make_shared<asio::streambuf>(kLongestCommand));
            }
            accept();
        });
    }

    void serve(const std::shared_ptr<tcp::socket>& socket, const std::shared_ptr<asio::streambuf>& input) {
        asio::async_read_until(
            *socket, *input, '\n', [this, socket, input](const error_code& error, std::size_t length) {
                if (error) {
                    clients.erase(socket);
                    return;
                }
                const auto from = asio::buffers_begin(input->data());
                const std::string line{from, from + static_cast<std::ptrdiff_t>(length)};
                input->consume(length);
                const auto answer = std::make_shared<std::string>(execute(line) + "\n");
                asio::async_write(*socket, asio::buffer(*answer),
                                  [this, socket, input, answer](const error_code& failed, std::size_t) {
                                      if (failed) {
                                          clients.erase(socket);
                                          return;
                                      }
                                      serve(socket, input);
                                  });
            });
    }

    Execute execute;
    asio::io_context io{1};
    tcp::acceptor acceptor{io};
    std::set<std::shared_ptr<tcp::socket>> clients;
    std::uint16_t port = 0;
    std::thread thread;
};

ControlServer::ControlServer(Execute execute) : impl_(std::make_unique<Impl>(std::move(execute))) {}

ControlServer::~ControlServer() {
    stop();
}

std::uint16_t ControlServer::port() const {
    return impl_->port;
}

Status ControlServer::start(const std::string& host, std::uint16_t port) {
    error_code error;
    const auto address = asio::ip::make_address(host, error);
    if (error) {
        return make_error(ErrorKind::kInvalidArgument,
                          fmt::format("'{}' is not an IP address to listen on", host));
    }
    const tcp::endpoint endpoint{address, port};
    auto& acceptor = impl_->acceptor;
    acceptor.open(endpoint.protocol(), error);
    if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor.bind(endpoint, error);
    if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
    if (error) {
        return make_error(ErrorKind::kIo,
                          fmt::format("cannot listen on {}:{} for control: {}", host, port, error.message()));
    }
    impl_->port = acceptor.local_endpoint(error).port();
    impl_->accept();
    impl_->thread = std::thread([this] { impl_->io.run(); });
    return {};
}

void ControlServer::stop() {
    if (!impl_->thread.joinable()) return;
    asio::post(impl_->io, [this] {
        error_code ignored;
        impl_->acceptor.close(ignored);
        for (const auto& client : impl_->clients) client->close(ignored);
        impl_->io.stop();
    });
    impl_->thread.join();
    impl_->io.restart();
    impl_->io.poll();
}

}  // namespace fieldwarden::simulator
