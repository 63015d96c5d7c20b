#include "supervisor/status/zmq_loop.h"

#include <fmt/format.h>
#include <sys/un.h>

#include <boost/asio/post.hpp>

namespace fieldwarden::supervisor {

namespace asio = boost::asio;

ZmqLoopSocket::ZmqLoopSocket(asio::io_context& loop, zmq::socket_t socket)
    : loop_(loop), socket_(std::move(socket)), descriptor_(loop, socket_.get(zmq::sockopt::fd)) {}

ZmqLoopSocket::~ZmqLoopSocket() {
    *alive_ = false;
    descriptor_.release();  // the descriptor belongs to ZeroMQ
}

void ZmqLoopSocket::start(std::function<void(ZmqFrames&)> on_message) {
    on_message_ = std::move(on_message);
    drain();
}

void ZmqLoopSocket::wait() {
    if (waiting_) return;
    waiting_ = true;
    descriptor_.async_wait(asio::posix::stream_descriptor::wait_read,
                           [this, alive = alive_](const boost::system::error_code& error) {
                               if (error || !*alive) return;
                               waiting_ = false;
                               drain();
                           });
}

void ZmqLoopSocket::drain_soon() {
    if (drain_posted_) return;
    drain_posted_ = true;
    asio::post(loop_, [this, alive = alive_] {
        if (!*alive) return;
        drain_posted_ = false;
        drain();
    });
}

void ZmqLoopSocket::drain() {
    const auto alive = alive_;
    for (int count = 0; count < kBurst; ++count) {
        ZmqFrames frames;
        try {
            do {
                zmq::message_t frame;
                if (!socket_.recv(frame, zmq::recv_flags::dontwait)) {
                    wait();
                    return;
                }
                frames.push_back(std::move(frame));
            } while (frames.back().more());
        } catch (const zmq::error_t& error) {
            if (error.num() == EINTR) continue;
            return;  // the context is being closed
        }
        on_message_(frames);
        if (!*alive) return;
    }
    drain_soon();
}

bool ZmqLoopSocket::send(ZmqFrames& frames) {
    try {
        for (std::size_t i = 0; i < frames.size(); ++i) {
            const auto more = i + 1 < frames.size() ? zmq::send_flags::sndmore : zmq::send_flags::none;
            if (!socket_.send(frames[i], more | zmq::send_flags::dontwait)) return false;
        }
        // Sending may have taken the edge of a message that arrived meanwhile.
        if ((socket_.get(zmq::sockopt::events) & ZMQ_POLLIN) != 0) drain_soon();
        return true;
    } catch (const zmq::error_t&) {
        return false;  // EHOSTUNREACH: no such peer any more
    }
}

zmq::message_t zmq_message(ByteSpan bytes) {
    return zmq::message_t{bytes.data(), bytes.size()};
}

ByteSpan bytes_of(const zmq::message_t& message) {
    return {static_cast<const std::byte*>(message.data()), message.size()};
}

Result<std::string> ipc_endpoint(const std::string& path) {
    if (path.size() >= sizeof(sockaddr_un::sun_path)) {
        return make_error(ErrorKind::kInvalidArgument,
                          fmt::format("the socket path {} has {} characters, the operating system takes {}; "
                                      "choose a shorter data directory",
                                      path, path.size(), sizeof(sockaddr_un::sun_path) - 1));
    }
    return "ipc://" + path;
}

}  // namespace fieldwarden::supervisor
