#include "worker/drivers/modbus/tcp_link.h"

#include <fmt/format.h>
#include <modbus/modbus.h>
#include <sys/select.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

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
    : stream_("modbus", peer), timeouts_(timeouts), frame_(MODBUS_TCP_MAX_ADU_LENGTH) {
    context_.reset(modbus_new_tcp_pi(peer.host.c_str(), std::to_string(peer.port).c_str()));
    if (context_ != nullptr) {
        modbus_set_error_recovery(context_.get(), MODBUS_ERROR_RECOVERY_NONE);
        // 0: the response timeout bounds the whole answer, so that a device which trickles single bytes
        // cannot hold the thread longer.
        modbus_set_byte_timeout(context_.get(), 0, 0);
    }
}

void TcpLink::disconnect() {
    stream_.disconnect();
    if (context_ != nullptr) modbus_set_socket(context_.get(), -1);
}

Status TcpLink::connect() {
    if (context_ == nullptr) return stream_.error(ErrorKind::kInternal, "out of memory");
    modbus_set_socket(context_.get(), -1);
    if (auto status = stream_.connect(timeouts_.connect); !status) return status;
    if (stream_.fd() >= FD_SETSIZE) {
        return stream_.error(
            ErrorKind::kTooLarge,
            fmt::format("this process has more than {} open files; divide the task's devices over several "
                        "tasks",
                        FD_SETSIZE));
    }
    modbus_set_socket(context_.get(), stream_.fd());
    abandoned_.clear();
    return {};
}

Reply TcpLink::read(const ReadCommand& command) {
    if (stream_.interrupted()) return reply_of(Outcome::kInterrupted);
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
        return stream_.interrupted() ? reply_of(Outcome::kInterrupted) : reply_of(Outcome::kLost, why);
    }
    bytes_sent += request.size();
    auto reply = receive(command, transaction);
    if (reply.outcome != Outcome::kAnswer && reply.outcome != Outcome::kException && stream_.interrupted())
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
