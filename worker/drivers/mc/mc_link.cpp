#include "worker/drivers/mc/mc_link.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace fieldwarden::worker::mc {

namespace {

constexpr std::size_t kMostAbandoned = 64;
constexpr std::uint16_t kCommunicationError1e = 0x5B;

MonoTime mono_now() {
    return system_clock().mono_now();
}

Reply reply_of(Outcome outcome, std::string why = {}) {
    Reply reply;
    reply.outcome = outcome;
    reply.why = std::move(why);
    return reply;
}

// Without the "mc host:port: " that the driver's own sentence begins with.
std::string reason(const TcpStream& stream, const Error& error) {
    const auto prefix = stream.error(error.kind, "").message;
    return error.message.starts_with(prefix) ? error.message.substr(prefix.size()) : error.message;
}

}  // namespace

McLink::McLink(HostPort peer, FrameFormat format, Timeouts timeouts)
    : stream_("mc", std::move(peer)), format_(format), timeouts_(timeouts) {}

Status McLink::connect() {
    received_.clear();
    abandoned_.clear();
    after_5b_ = false;
    return stream_.connect(timeouts_.connect);
}

void McLink::disconnect() {
    stream_.disconnect();
    received_.clear();
}

Status McLink::drain() {
    std::array<std::uint8_t, 1024> piece{};
    while (received_.size() <= kLongestAnswer) {
        const auto got = stream_.receive(piece, mono_now());
        if (!got) return got.error();
        if (*got == 0) return {};
        received_.insert(received_.end(), piece.begin(), piece.begin() + static_cast<std::ptrdiff_t>(*got));
    }
    return {};
}

Reply McLink::exchange(const Request& request) {
    if (stream_.interrupted()) return reply_of(Outcome::kInterrupted);
    const auto lost = [&](const Error& error) {
        return stream_.interrupted() ? reply_of(Outcome::kInterrupted)
                                     : reply_of(Outcome::kLost, reason(stream_, error));
    };
    if (!stream_.is_open()) return reply_of(Outcome::kLost, "not connected");
    if (const auto drained = drain(); !drained) return lost(drained.error());
    if (after_5b_) {
        const std::size_t unit = format_.is_ascii() ? 2 : 1;
        const std::uint8_t zero = format_.is_ascii() ? '0' : 0;
        if (received_.size() >= unit && received_[0] == zero && received_[unit - 1] == zero)
            received_.erase(received_.begin(), received_.begin() + static_cast<std::ptrdiff_t>(unit));
        after_5b_ = false;
    }
    if (!survives_timeout() && !received_.empty())
        return reply_of(Outcome::kGarbled, fmt::format("{} bytes came unasked", received_.size()));

    const auto bytes = encode_request(format_, request, ++serial_);
    if (const auto sent = stream_.send(bytes, mono_now() + timeouts_.response); !sent)
        return lost(sent.error());
    auto reply = receive(request);
    if (reply.outcome != Outcome::kAnswer && reply.outcome != Outcome::kRefused && stream_.interrupted())
        return reply_of(Outcome::kInterrupted);
    return reply;
}

Reply McLink::receive(const Request& request) {
    const auto deadline = mono_now() + timeouts_.response;
    const bool with_serial = format_.dialect.frame == McFrame::k4e;
    std::array<std::uint8_t, 4096> piece{};
    for (;;) {
        Answer answer;
        if (!received_.empty()) answer = split_answer(format_, request, received_);
        switch (answer.kind) {
            case Answer::Kind::kBroken:
                return reply_of(Outcome::kGarbled, std::move(answer.why));
            case Answer::Kind::kIncomplete: {
                const auto got = stream_.receive(piece, deadline);
                if (!got) return reply_of(Outcome::kLost, reason(stream_, got.error()));
                received_.insert(received_.end(), piece.begin(),
                                 piece.begin() + static_cast<std::ptrdiff_t>(*got));
                if (*got != 0 || mono_now() < deadline) continue;
                if (!received_.empty()) return reply_of(Outcome::kTornTimeout);
                if (with_serial) {
                    if (abandoned_.size() == kMostAbandoned) abandoned_.erase(abandoned_.begin());
                    abandoned_.push_back(serial_);
                }
                return reply_of(Outcome::kTimeout);
            }
            case Answer::Kind::kFrame:
                break;
        }
        const auto consumed = static_cast<std::ptrdiff_t>(answer.consumed);
        if (with_serial && answer.serial != serial_) {
            if (std::erase(abandoned_, answer.serial) == 0) {
                return reply_of(
                    Outcome::kGarbled,
                    fmt::format("the answer is to serial number {}, asked was {}", answer.serial, serial_));
            }
            received_.erase(received_.begin(), received_.begin() + consumed);
            continue;
        }
        Reply reply = reply_of(answer.end_code == 0 ? Outcome::kAnswer : Outcome::kRefused);
        reply.end_code = answer.end_code;
        reply.abnormal = answer.abnormal;
        after_5b_ = format_.is_1e() && answer.end_code == kCommunicationError1e;
        if (answer.end_code == 0 && !decode_data(format_, request, answer.data, words_)) {
            return reply_of(Outcome::kGarbled,
                            fmt::format("the answer carries {} bytes of data, or others than "
                                        "the {} asked for",
                                        answer.data.size(), answer_bytes(format_, request)));
        }
        reply.words = words_;
        received_.erase(received_.begin(), received_.begin() + consumed);
        // Only the answer was asked for: a device that sends more is out of step with us.
        if (!with_serial && !received_.empty() && !after_5b_)
            return reply_of(Outcome::kGarbled, fmt::format("{} bytes came unasked", received_.size()));
        return reply;
    }
}

}  // namespace fieldwarden::worker::mc
