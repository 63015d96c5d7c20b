#include "worker/drivers/modbus/tcp_link.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace fieldwarden::worker::modbus {

namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::size_t kMostAbandoned = 64;
constexpr std::size_t kLengthEnd = 6;  // the length field counts what comes behind it

std::uint16_t big_endian(std::span<const std::uint8_t> bytes, std::size_t at) {
    return static_cast<std::uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}

void put_big_endian(std::span<std::uint8_t> bytes, std::size_t at, std::size_t value) {
    bytes[at] = static_cast<std::uint8_t>(value >> 8);
    bytes[at + 1] = static_cast<std::uint8_t>(value);
}

}  // namespace

TcpLink::TcpLink(HostPort peer, TcpTimeouts timeouts)
    : stream_("modbus", std::move(peer)), timeouts_(timeouts) {}

Status TcpLink::connect() {
    abandoned_.clear();
    have_ = used_ = 0;
    return stream_.connect(timeouts_.connect);
}

Reply TcpLink::exchange(const Request& request) {
    std::array<std::uint8_t, kLongestFrame> frame;
    put_big_endian(frame, 0, ++transaction_);
    put_big_endian(frame, 2, 0);
    put_big_endian(frame, 4, request.size + 1U);
    frame[6] = request.unit;
    std::memcpy(frame.data() + kHeader, request.bytes.data(), request.size);

    const auto sent_at = SteadyClock::now();
    const auto deadline = sent_at + timeouts_.response;
    if (const auto sent = stream_.send(std::span{frame}.first(kHeader + request.size), deadline); !sent)
        return stream_failed(sent.error());
    bytes_sent += kHeader + request.size;
    auto reply = receive(request, deadline);
    reply.took = SteadyClock::now() - sent_at;
    return reply;
}

Reply TcpLink::stream_failed(const Error& error) const {
    if (stream_.interrupted()) return reply_of(Outcome::kInterrupted);
    // The driver's sentence names the device already.
    const auto prefix = stream_.error(error.kind, {}).message;
    return reply_of(Outcome::kLost,
                    error.message.starts_with(prefix) ? error.message.substr(prefix.size()) : error.message);
}

// Has at least `wanted` bytes, or says why not.
std::optional<Reply> TcpLink::fill(std::size_t wanted, MonoTime deadline) {
    while (have_ < wanted) {
        const auto got = stream_.receive(std::span{bytes_}.subspan(have_), deadline);
        if (!got) return stream_failed(got.error());
        if (*got == 0) {
            if (have_ != 0) return reply_of(Outcome::kTornTimeout);
            if (abandoned_.size() == kMostAbandoned) abandoned_.erase(abandoned_.begin());
            abandoned_.push_back(transaction_);
            return reply_of(Outcome::kTimeout);
        }
        have_ += *got;
        bytes_received += *got;
    }
    return std::nullopt;
}

Reply TcpLink::receive(const Request& request, MonoTime deadline) {
    for (;;) {
        // What came behind the frame of the last answer.
        std::copy(bytes_.begin() + static_cast<std::ptrdiff_t>(used_),
                  bytes_.begin() + static_cast<std::ptrdiff_t>(have_), bytes_.begin());
        have_ -= used_;
        used_ = 0;
        if (auto failed = fill(kLengthEnd, deadline)) return *failed;
        const std::size_t length = big_endian(bytes_, 4);
        if (big_endian(bytes_, 2) != 0 || length < 3 || length > kLongestPdu + 1) {
            return reply_of(Outcome::kGarbled,
                            fmt::format("the answer's header says protocol {} and {} bytes, which no Modbus "
                                        "answer has",
                                        big_endian(bytes_, 2), length));
        }
        if (auto failed = fill(kLengthEnd + length, deadline)) return *failed;
        used_ = kLengthEnd + length;
        const std::span frame{bytes_.data(), used_};
        if (const auto answered = big_endian(frame, 0); answered != transaction_) {
            if (std::erase(abandoned_, answered) != 0) {
                ++stray_answers;
                continue;
            }
            return reply_of(Outcome::kGarbled, fmt::format("the answer is to transaction {}, asked was {}",
                                                           answered, transaction_));
        }
        return judge(request, frame);
    }
}

Reply TcpLink::judge(const Request& request, std::span<const std::uint8_t> frame) const {
    if (frame[6] != request.unit) {
        return reply_of(Outcome::kGarbled,
                        fmt::format("the answer is from unit {}, asked was {}", frame[6], request.unit));
    }
    return check_answer(request, frame.subspan(kHeader));
}

}  // namespace fieldwarden::worker::modbus
