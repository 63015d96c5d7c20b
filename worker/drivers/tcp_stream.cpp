#include "worker/drivers/tcp_stream.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "worker/drivers/resolve.h"

namespace fieldwarden::worker {

using std::chrono::milliseconds;

namespace {

// Rounded up, so that a wait never ends just before its deadline.
int left_until(MonoTime deadline) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - std::chrono::steady_clock::now());
    return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 3'600'000));
}

}  // namespace

TcpStream::TcpStream(std::string protocol, HostPort peer)
    : protocol_(std::move(protocol)),
      peer_(std::move(peer)),
      name_(peer_.host.find(':') == std::string::npos ? fmt::format("{}:{}", peer_.host, peer_.port)
                                                      : fmt::format("[{}]:{}", peer_.host, peer_.port)),
      wake_fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

TcpStream::~TcpStream() {
    close_socket();
    if (wake_fd_ >= 0) close(wake_fd_);
}

Error TcpStream::error(ErrorKind kind, const std::string& why) const {
    return make_error(kind, fmt::format("{} {}: {}", protocol_, name_, why));
}

Status TcpStream::fail(ConnectStep step, ErrorKind kind, const std::string& why) {
    failed_step_ = step;
    return error(kind, why);
}

// Makes `fd` the one that interrupt() shuts down; false when it has been called already.
bool TcpStream::adopt(int fd) {
    const std::lock_guard lock{mutex_};
    fd_ = fd;
    return !interrupted();
}

void TcpStream::close_socket() {
    const std::lock_guard lock{mutex_};
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
}

void TcpStream::disconnect() {
    close_socket();
    const std::lock_guard lock{mutex_};
    interrupted_ = false;
}

void TcpStream::interrupt() {
    const std::lock_guard lock{mutex_};
    interrupted_ = true;
    if (fd_ >= 0) shutdown(fd_, SHUT_RDWR);
    interruption_.notify_all();
}

void TcpStream::wake() {
    const std::uint64_t one = 1;
    // A full counter already wakes.
    [[maybe_unused]] const auto written = write(wake_fd_, &one, sizeof one);
}

bool TcpStream::pause(milliseconds duration) {
    std::unique_lock lock{mutex_};
    return interruption_.wait_for(lock, duration, [&] { return interrupted(); });
}

int TcpStream::await(short events, MonoTime deadline, bool wakeable) {
    for (;;) {
        const int left = left_until(deadline);
        if (left == 0) return ETIMEDOUT;  // the caller has just seen that nothing is there
        std::array<pollfd, 2> waits{pollfd{fd_, events, 0}, pollfd{wake_fd_, POLLIN, 0}};
        const int ready = poll(waits.data(), wakeable ? 2 : 1, left);
        if (ready < 0 && errno != EINTR) return errno;
        if (ready < 0) continue;
        if (ready == 0) return ETIMEDOUT;
        if (waits[0].revents != 0) return 0;
        std::uint64_t count = 0;
        [[maybe_unused]] const auto taken = ::read(wake_fd_, &count, sizeof count);
        return ECANCELED;
    }
}

Status TcpStream::connect(milliseconds timeout) {
    close_socket();
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    const auto addresses = resolve(peer_, timeout, [&] { return interrupted(); });
    if (!addresses) return fail(ConnectStep::kResolve, addresses.error().kind, addresses.error().message);

    int error = 0;
    for (std::size_t i = 0; i < addresses->size(); ++i) {
        const auto& address = (*addresses)[i];
        const int fd = socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0) {
            error = errno;
            continue;
        }
        const int on = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
        // The addresses left share the time left, so that one that swallows packets leaves some for the next.
        const auto now = std::chrono::steady_clock::now();
        const auto share = std::max(deadline - now, decltype(deadline - now){}) / (addresses->size() - i);
        const bool go_on = adopt(fd);
        error = 0;
        if (::connect(fd, reinterpret_cast<const sockaddr*>(&address.storage), address.length) != 0)
            error = errno;
        if (!go_on || interrupted()) break;
        if (error == EINPROGRESS) {
            error = await(POLLOUT, now + share, false);
            socklen_t size = sizeof error;
            if (error == 0 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
            // A socket that interrupt() shut down before it was connected has no error but no peer either.
            sockaddr_storage reached{};
            socklen_t length = sizeof reached;
            if (error == 0 && getpeername(fd, reinterpret_cast<sockaddr*>(&reached), &length) != 0)
                error = errno;
        }
        if (error == 0) return {};
        close_socket();
    }
    close_socket();
    if (interrupted()) {
        return fail(ConnectStep::kConnect, ErrorKind::kUnavailable, "connecting was interrupted");
    }
    switch (error) {
        case ECONNREFUSED:
            return fail(ConnectStep::kConnect, ErrorKind::kUnavailable,
                        fmt::format("connection refused; check that the device serves {} on this port and "
                                    "allows another connection",
                                    protocol_));
        case ETIMEDOUT:
            return fail(ConnectStep::kConnect, ErrorKind::kTimeout,
                        fmt::format("no connection within {} ms; check power, cable, address and firewall",
                                    timeout.count()));
        default:
            return fail(ConnectStep::kConnect, ErrorKind::kUnavailable,
                        fmt::format("cannot connect: {}", errno_text(error)));
    }
}

Status TcpStream::send(std::span<const std::uint8_t> bytes, MonoTime deadline) {
    while (!bytes.empty()) {
        if (interrupted()) return error(ErrorKind::kUnavailable, "interrupted");
        if (fd_ < 0) return error(ErrorKind::kUnavailable, "not connected");
        const auto sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent > 0) {
            bytes_sent_ += static_cast<std::uint64_t>(sent);
            bytes = bytes.subspan(static_cast<std::size_t>(sent));
            just_sent_ = true;
            continue;
        }
        if (errno == EINTR) continue;
        int why = errno;
        if (why == EAGAIN) why = await(POLLOUT, deadline, false);
        if (why == 0) continue;
        if (interrupted()) return error(ErrorKind::kUnavailable, "interrupted");
        if (why == ETIMEDOUT) return error(ErrorKind::kTimeout, "the device takes no more bytes");
        return error(ErrorKind::kUnavailable, fmt::format("sending failed: {}", errno_text(why)));
    }
    return {};
}

Result<std::size_t> TcpStream::receive(std::span<std::uint8_t> out, MonoTime deadline) {
    // Right after a send the answer is not there yet: asking for it first would be a system call in vain.
    bool wait_first = std::exchange(just_sent_, false) && fd_ >= 0 && !interrupted();
    for (;;) {
        if (std::exchange(wait_first, false)) {
            if (const int why = await(POLLIN, deadline, true); why == ECANCELED) return std::size_t{0};
        }
        if (interrupted()) return error(ErrorKind::kUnavailable, "interrupted");
        if (fd_ < 0) return error(ErrorKind::kUnavailable, "not connected");
        const auto received = recv(fd_, out.data(), out.size(), 0);
        if (received > 0) {
            bytes_received_ += static_cast<std::uint64_t>(received);
            return static_cast<std::size_t>(received);
        }
        if (interrupted()) return error(ErrorKind::kUnavailable, "interrupted");
        if (received == 0) return error(ErrorKind::kUnavailable, "the device closed the connection");
        if (errno == EINTR) continue;
        int why = errno;
        if (why == EAGAIN) why = await(POLLIN, deadline, true);
        if (why == ETIMEDOUT || why == ECANCELED) return std::size_t{0};
        if (why == ECONNRESET) return error(ErrorKind::kUnavailable, "the device closed the connection");
        if (why != 0) {
            return error(ErrorKind::kUnavailable, fmt::format("receiving failed: {}", errno_text(why)));
        }
    }
}

Status TcpStream::receive_all(std::span<std::uint8_t> out, MonoTime deadline) {
    std::size_t have = 0;
    while (have < out.size()) {
        const auto got = receive(out.subspan(have), deadline);
        if (!got) return got.error();
        have += *got;
        if (*got == 0 && std::chrono::steady_clock::now() >= deadline) {
            return error(ErrorKind::kTimeout,
                         fmt::format("{} of {} bytes of the answer came in time", have, out.size()));
        }
    }
    return {};
}

}  // namespace fieldwarden::worker
