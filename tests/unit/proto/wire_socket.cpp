#include "tests/unit/proto/wire_socket.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace fieldwarden::proto {

namespace {
constexpr int kFlags = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK;
}

WireSocket WireSocket::connect(const std::string& path) {
    const auto address = unix_address(path);
    WireSocket socket{::socket(AF_UNIX, kFlags, 0)};
    if (!address ||
        ::connect(socket.fd_, reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0) {
        socket.close();
    }
    return socket;
}

WireSocket& WireSocket::operator=(WireSocket&& other) noexcept {
    close();
    fd_ = std::exchange(other.fd_, -1);
    reader_ = std::move(other.reader_);
    buffer_ = std::move(other.buffer_);
    unread_ = std::exchange(other.unread_, {});
    return *this;
}

void WireSocket::close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
}

bool WireSocket::send(const Message& message) {
    Bytes frame;
    return append_frame(message, frame) && send_bytes(as_text(frame));
}

bool WireSocket::send_raw(std::string_view header, std::string_view payload) {
    Bytes frame;
    ByteWriter writer{frame};
    writer.put_bytes(as_bytes(header));
    writer.put(static_cast<std::uint32_t>(payload.size()));
    writer.put_bytes(as_bytes(payload));
    return send_bytes(as_text(frame));
}

bool WireSocket::send_bytes(std::string_view bytes) {
    while (!bytes.empty()) {
        if (fd_ < 0) return false;
        const auto sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent >= 0) {
            bytes.remove_prefix(static_cast<std::size_t>(sent));
            continue;
        }
        if (errno != EAGAIN) return false;
        pollfd room{fd_, POLLOUT, 0};
        if (::poll(&room, 1, 1'000) == 0) return false;
    }
    return true;
}

std::optional<Message> WireSocket::receive() {
    for (;;) {
        const auto frame = reader_.next(unread_);
        if (!frame) close();
        if (fd_ < 0) return std::nullopt;
        if (frame->whole) {
            if (auto message = decode(frame->header, frame->payload)) return std::move(*message);
            continue;
        }
        buffer_.resize(64U << 10);
        const auto got = ::recv(fd_, buffer_.data(), buffer_.size(), 0);
        if (got < 0 && errno == EAGAIN) return std::nullopt;
        if (got <= 0) close();
        unread_ = ByteSpan{buffer_.data(), got > 0 ? static_cast<std::size_t>(got) : 0};
    }
}

WireListener::WireListener(const std::string& path) : path_(path), fd_(::socket(AF_UNIX, kFlags, 0)) {
    const auto address = unix_address(path);
    ::unlink(path.c_str());
    if (!address || ::bind(fd_, reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0 ||
        ::listen(fd_, 1024) != 0) {
        close();
    }
}

std::optional<WireSocket> WireListener::accept() {
    const int fd = ::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) return std::nullopt;
    return WireSocket{fd};
}

void WireListener::close() {
    if (fd_ < 0) return;
    ::close(std::exchange(fd_, -1));
    ::unlink(path_.c_str());
}

}  // namespace fieldwarden::proto
