#include "worker/drivers/modbus/tcp_link.h"

#include <fmt/format.h>
#include <modbus/modbus.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "worker/drivers/resolve.h"

namespace fieldwarden::worker::modbus {

namespace {

using std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

constexpr std::size_t kHeader = 7;  // MBAP: transaction 2, protocol 2, length 2, unit 1
constexpr std::size_t kMostAbandoned = 64;

std::uint16_t big_endian(std::span<const std::uint8_t> bytes, std::size_t at) {
    return static_cast<std::uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}

// Rounded up, so that a wait never ends just before its deadline.
milliseconds left_until(SteadyClock::time_point deadline) {
    return std::max(milliseconds{0}, std::chrono::ceil<milliseconds>(deadline - SteadyClock::now()));
}

Reply reply_of(Outcome outcome, std::string why = {}) {
    Reply reply;
    reply.outcome = outcome;
    reply.why = std::move(why);
    return reply;
}

// Waits until a non-blocking connect() has succeeded: 0, or its errno.
int await_connection(int fd, SteadyClock::time_point deadline) {
    for (;;) {
        pollfd wait{fd, POLLOUT, 0};
        const int ready = poll(&wait, 1, static_cast<int>(left_until(deadline).count()));
        if (ready == 0) return ETIMEDOUT;
        if (ready < 0) {
            if (errno == EINTR) continue;
            return errno;
        }
        int error = 0;
        socklen_t size = sizeof error;
        if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) return errno;
        // A socket that interrupt() shut down before it was connected has no error but no peer either.
        sockaddr_storage peer{};
        socklen_t length = sizeof peer;
        if (error == 0 && getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &length) != 0) return errno;
        return error;
    }
}

}  // namespace

std::uint8_t function_of(ModbusArea area) {
    switch (area) {
        case ModbusArea::kCoil:
            return MODBUS_FC_READ_COILS;
        case ModbusArea::kDiscreteInput:
            return MODBUS_FC_READ_DISCRETE_INPUTS;
        case ModbusArea::kInputRegister:
            return MODBUS_FC_READ_INPUT_REGISTERS;
        case ModbusArea::kHoldingRegister:
            return MODBUS_FC_READ_HOLDING_REGISTERS;
    }
    return MODBUS_FC_READ_HOLDING_REGISTERS;
}

std::size_t answer_bytes(const ReadCommand& command) {
    const bool bits = command.area == ModbusArea::kCoil || command.area == ModbusArea::kDiscreteInput;
    return bits ? (command.count + 7U) / 8U : command.count * 2U;
}

void TcpLink::FreeContext::operator()(_modbus* context) const {
    modbus_free(context);
}

TcpLink::TcpLink(HostPort peer, TcpTimeouts timeouts)
    : peer_(std::move(peer)),
      timeouts_(timeouts),
      name_(peer_.host.find(':') == std::string::npos ? fmt::format("{}:{}", peer_.host, peer_.port)
                                                      : fmt::format("[{}]:{}", peer_.host, peer_.port)),
      frame_(MODBUS_TCP_MAX_ADU_LENGTH) {
    context_.reset(modbus_new_tcp_pi(peer_.host.c_str(), std::to_string(peer_.port).c_str()));
    if (context_ != nullptr) {
        modbus_set_error_recovery(context_.get(), MODBUS_ERROR_RECOVERY_NONE);
        // 0: the response timeout bounds the whole answer, so that a device which trickles single bytes
        // cannot hold the thread longer.
        modbus_set_byte_timeout(context_.get(), 0, 0);
    }
}

TcpLink::~TcpLink() {
    drop_socket();
}

Status TcpLink::fail(ConnectStep step, ErrorKind kind, std::string why) {
    failed_step_ = step;
    return make_error(kind, fmt::format("modbus {}: {}", name_, why));
}

// Makes `fd` the one that interrupt() shuts down; false when it has been called already.
bool TcpLink::adopt(int fd) {
    const std::lock_guard lock{mutex_};
    fd_ = fd;
    return !interrupted();
}

void TcpLink::drop_socket() {
    const std::lock_guard lock{mutex_};
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
    if (context_ != nullptr) modbus_set_socket(context_.get(), -1);
}

void TcpLink::disconnect() {
    drop_socket();
    const std::lock_guard lock{mutex_};
    interrupted_ = false;
}

void TcpLink::interrupt() {
    const std::lock_guard lock{mutex_};
    interrupted_ = true;
    if (fd_ >= 0) shutdown(fd_, SHUT_RDWR);
    wake_.notify_all();
}

bool TcpLink::pause(milliseconds duration) {
    std::unique_lock lock{mutex_};
    return wake_.wait_for(lock, duration, [&] { return interrupted(); });
}

Status TcpLink::connect() {
    drop_socket();
    if (context_ == nullptr) return fail(ConnectStep::kConnect, ErrorKind::kInternal, "out of memory");
    const auto deadline = SteadyClock::now() + timeouts_.connect;
    const auto addresses = resolve(peer_, timeouts_.connect, [&] { return interrupted(); });
    if (!addresses) return fail(ConnectStep::kResolve, addresses.error().kind, addresses.error().message);

    int error = 0;
    for (std::size_t i = 0; i < addresses->size(); ++i) {
        const auto& address = (*addresses)[i];
        const int fd = socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0) {
            error = errno;
            continue;
        }
        if (fd >= FD_SETSIZE) {
            close(fd);
            return fail(
                ConnectStep::kConnect, ErrorKind::kTooLarge,
                fmt::format("this process has more than {} open files; divide the task's devices over "
                            "several tasks",
                            FD_SETSIZE));
        }
        const int on = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
        // The addresses left share the time left, so that one that swallows packets leaves some for the next.
        const auto share = left_until(deadline) / static_cast<int>(addresses->size() - i);
        const bool go_on = adopt(fd);
        error = 0;
        if (::connect(fd, reinterpret_cast<const sockaddr*>(&address.storage), address.length) != 0)
            error = errno;
        if (!go_on || interrupted()) {
            drop_socket();
            return fail(ConnectStep::kConnect, ErrorKind::kUnavailable, "connecting was interrupted");
        }
        if (error == EINPROGRESS) error = await_connection(fd, SteadyClock::now() + share);
        if (error == 0) {
            modbus_set_socket(context_.get(), fd);
            abandoned_.clear();
            return {};
        }
        drop_socket();
    }
    if (interrupted()) {
        return fail(ConnectStep::kConnect, ErrorKind::kUnavailable, "connecting was interrupted");
    }
    switch (error) {
        case ECONNREFUSED:
            return fail(ConnectStep::kConnect, ErrorKind::kUnavailable,
                        "connection refused; check that the device serves Modbus TCP on this port and allows "
                        "another connection");
        case ETIMEDOUT:
            return fail(ConnectStep::kConnect, ErrorKind::kTimeout,
                        fmt::format("no connection within {} ms; check power, cable, address and firewall",
                                    timeouts_.connect.count()));
        default:
            return fail(ConnectStep::kConnect, ErrorKind::kUnavailable,
                        fmt::format("cannot connect: {}", errno_text(error)));
    }
}

Reply TcpLink::read(const ReadCommand& command) {
    if (interrupted()) return reply_of(Outcome::kInterrupted);
    if (modbus_get_socket(context_.get()) < 0) return reply_of(Outcome::kLost, "not connected");
    const auto transaction = ++transaction_;
    const std::array<std::uint8_t, 12> request{
        static_cast<std::uint8_t>(transaction >> 8),
        static_cast<std::uint8_t>(transaction),
        0,
        0,
        0,
        6,
        command.unit,
        function_of(command.area),
        static_cast<std::uint8_t>(command.offset >> 8),
        static_cast<std::uint8_t>(command.offset),
        static_cast<std::uint8_t>(command.count >> 8),
        static_cast<std::uint8_t>(command.count),
    };
    const auto sent = send(modbus_get_socket(context_.get()), request.data(), request.size(), MSG_NOSIGNAL);
    if (sent != static_cast<ssize_t>(request.size())) {
        const std::string why = sent < 0 ? errno_text(errno) : "the device takes no more bytes";
        return interrupted() ? reply_of(Outcome::kInterrupted) : reply_of(Outcome::kLost, why);
    }
    bytes_sent += request.size();
    auto reply = receive(command, transaction);
    if (reply.outcome != Outcome::kAnswer && reply.outcome != Outcome::kException && interrupted())
        return reply_of(Outcome::kInterrupted);
    return reply;
}

Reply TcpLink::receive(const ReadCommand& command, std::uint16_t transaction) {
    // Only where late answers may have to be dropped first is there more than one wait to bound.
    const bool late_ones = !abandoned_.empty();
    const auto deadline =
        late_ones ? SteadyClock::now() + timeouts_.response : SteadyClock::time_point::max();
    for (;;) {
        const auto left = late_ones ? std::max(milliseconds{1}, left_until(deadline)) : timeouts_.response;
        modbus_set_response_timeout(context_.get(), static_cast<std::uint32_t>(left.count() / 1000),
                                    static_cast<std::uint32_t>(left.count() % 1000 * 1000));
        // libmodbus does not say how much of an answer came before a timeout; a mark no answer begins with
        // does.
        frame_[2] = 0xA5;
        frame_[3] = 0x5A;
        const int length = modbus_receive_confirmation(context_.get(), frame_.data());
        const int error = errno;
        if (length < 0) {
            const bool begun = frame_[2] != 0xA5 || frame_[3] != 0x5A;
            switch (error) {
                case ETIMEDOUT:
                    if (begun) return reply_of(Outcome::kTornTimeout);
                    if (abandoned_.size() == kMostAbandoned) abandoned_.erase(abandoned_.begin());
                    abandoned_.push_back(transaction);
                    return reply_of(Outcome::kTimeout);
                case ECONNRESET:
                case EPIPE:
                case EBADF:
                    return reply_of(Outcome::kLost, "the device closed the connection");
                case EMBBADDATA:
                    return reply_of(Outcome::kGarbled, "the answer is longer than any Modbus answer");
                default:
                    return reply_of(Outcome::kLost, modbus_strerror(error));
            }
        }
        const std::span answer{frame_.data(), static_cast<std::size_t>(length)};
        bytes_received += answer.size();
        if (answer.size() < kHeader + 2) return reply_of(Outcome::kGarbled, "the answer is cut short");

        const auto answered = big_endian(answer, 0);
        if (big_endian(answer, 2) != 0 || big_endian(answer, 4) != answer.size() - 6)
            return reply_of(Outcome::kGarbled,
                            fmt::format("the answer's header says protocol {} and {} bytes "
                                        "but it has {}",
                                        big_endian(answer, 2), big_endian(answer, 4), answer.size() - 6));
        if (answered != transaction) {
            if (std::erase(abandoned_, answered) != 0) continue;
            return reply_of(Outcome::kGarbled, fmt::format("the answer is to transaction {}, asked was {}",
                                                           answered, transaction));
        }
        if (answer[6] != command.unit)
            return reply_of(Outcome::kGarbled,
                            fmt::format("the answer is from unit {}, asked was {}", answer[6], command.unit));
        const auto function = function_of(command.area);
        if (answer[7] == (function | 0x80)) {
            if (answer.size() != kHeader + 2)
                return reply_of(Outcome::kGarbled, "an exception with more bytes");
            Reply reply = reply_of(Outcome::kException);
            reply.exception = answer[8];
            return reply;
        }
        if (answer[7] != function)
            return reply_of(Outcome::kGarbled,
                            fmt::format("the answer is to function {}, asked was {}", answer[7], function));
        const auto wanted = answer_bytes(command);
        if (answer[8] != wanted || answer.size() != kHeader + 2 + wanted)
            return reply_of(Outcome::kGarbled,
                            fmt::format("the answer carries {} bytes, asked were {}", answer[8], wanted));
        Reply reply = reply_of(Outcome::kAnswer);
        reply.data = answer.subspan(kHeader + 2);
        return reply;
    }
}

}  // namespace fieldwarden::worker::modbus
