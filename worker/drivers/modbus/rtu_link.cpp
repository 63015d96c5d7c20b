#include "worker/drivers/modbus/rtu_link.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <random>

#include "worker/drivers/tcp_stream.h"

namespace fieldwarden::worker::modbus {

namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr auto kToken = static_cast<std::uint8_t>(Function::kDiagnostics);
// Tokens that go unanswered before a unit is asked directly. Not without end even for one that has returned
// a token: another device may have taken its address.
constexpr std::uint8_t kTokensToAStranger = 2;
constexpr std::uint8_t kTokensToOneThatReturnsThem = 8;

// After bytes that were no answer: longer than a USB adapter (16 ms) or a converter holds bytes back.
constexpr std::chrono::milliseconds kSilenceAfterNoise{50};

class TcpChannel final : public RtuChannel {
  public:
    TcpChannel(HostPort peer, std::chrono::milliseconds connect_timeout)
        : stream_("modbus", std::move(peer)), connect_timeout_(connect_timeout) {}

    Status connect() override { return stream_.connect(connect_timeout_); }
    void disconnect() override { stream_.disconnect(); }
    [[nodiscard]] ConnectStep failed_step() const override { return stream_.failed_step(); }
    void interrupt() override { stream_.interrupt(); }
    [[nodiscard]] bool interrupted() const override { return stream_.interrupted(); }
    bool pause(std::chrono::milliseconds duration) override { return stream_.pause(duration); }
    [[nodiscard]] const std::string& name() const override { return stream_.name(); }
    [[nodiscard]] std::uint64_t activity() const override {
        return activity_.load(std::memory_order_relaxed);
    }
    [[nodiscard]] LineState& line() override { return line_; }
    Status send(std::span<const std::uint8_t> bytes, MonoTime deadline) override {
        if (auto sent = stream_.send(bytes, deadline); !sent) return unnamed(sent.error());
        moved();
        return {};
    }
    Result<std::size_t> receive(std::span<std::uint8_t> out, MonoTime deadline) override {
        auto got = stream_.receive(out, deadline);
        if (!got) return unnamed(got.error());
        if (*got != 0) moved();
        return got;
    }
    // The converter's line has a speed, which is not known here.
    [[nodiscard]] std::chrono::nanoseconds wire_time(std::size_t) const override { return {}; }

  private:
    [[nodiscard]] Error unnamed(const Error& error) const {
        const auto prefix = stream_.error(error.kind, {}).message;
        if (!error.message.starts_with(prefix)) return error;
        return make_error(ErrorKind::kUnavailable, error.message.substr(prefix.size()));
    }
    void moved() { activity_.fetch_add(1, std::memory_order_relaxed); }

    TcpStream stream_;
    const std::chrono::milliseconds connect_timeout_;
    LineState line_;
    std::atomic<std::uint64_t> activity_ = 0;
};

}  // namespace

std::unique_ptr<RtuChannel> make_tcp_channel(HostPort peer, std::chrono::milliseconds connect_timeout) {
    return std::make_unique<TcpChannel>(std::move(peer), connect_timeout);
}

// Tokens begin anywhere, so that a token of an earlier process is none of this one's.
RtuLink::RtuLink(std::unique_ptr<RtuChannel> channel, RtuTiming timing)
    : channel_(std::move(channel)),
      timing_(timing),
      token_(static_cast<std::uint16_t>(std::random_device{}())) {}

Reply RtuLink::failed(const Error& error) const {
    return channel_->interrupted() ? reply_of(Outcome::kInterrupted)
                                   : reply_of(Outcome::kLost, error.message);
}

Reply RtuLink::exchange(const Request& request) {
    if (const auto turn = channel_->begin_turn(); !turn) return failed(turn.error());
    auto reply = settle_then_talk(request);
    channel_->end_turn();
    return reply;
}

Reply RtuLink::settle_then_talk(const Request& request) {
    auto& unit = channel_->line().units[request.unit];
    if (unit.owes_an_answer) {
        if (auto unsettled = settle(request.unit)) return *unsettled;
    }
    unit.owes_an_answer = true;
    unit.unanswered_tokens = 0;
    return talk(request);
}

// The reply that ends the exchange while late answers may still come.
std::optional<Reply> RtuLink::settle(std::uint8_t id) {
    auto& unit = channel_->line().units[id];
    const auto patience = unit.returns_tokens ? kTokensToOneThatReturnsThem : kTokensToAStranger;
    if (unit.unanswered_tokens >= patience) {
        unit.returns_tokens = false;
        return std::nullopt;
    }
    const auto unanswered = unit.unanswered_tokens;
    if (unit.exceptions_due != UINT8_MAX) ++unit.exceptions_due;
    auto reply = talk(echo_request(id, ++token_));
    switch (reply.outcome) {
        case Outcome::kAnswer:
            unit.returns_tokens = true;
            return std::nullopt;
        case Outcome::kException:
            return std::nullopt;
        case Outcome::kTimeout:
        case Outcome::kSpoiled:
            unit.owes_an_answer = true;
            unit.unanswered_tokens = static_cast<std::uint8_t>(unanswered + 1);
            return reply;
        case Outcome::kTornTimeout:
        case Outcome::kGarbled:
        case Outcome::kLost:
        case Outcome::kInterrupted:
            return reply;
    }
    return reply;
}

std::optional<Reply> RtuLink::await_silence() {
    auto& line = channel_->line();
    const auto begun = SteadyClock::now();
    std::array<std::uint8_t, kLongestRtuFrame> dropped;
    for (bool heard = line.unclean;;) {
        const auto silence =
            heard ? std::max<std::chrono::nanoseconds>(timing_.silence, kSilenceAfterNoise) : timing_.silence;
        const auto got = channel_->receive(dropped, line.last_byte + silence);
        if (!got) return failed(got.error());
        if (*got == 0) break;
        bytes_received += *got;
        if (!heard) ++stray_answers;
        heard = true;
        line.last_byte = SteadyClock::now();
        if (line.last_byte - begun > timing_.response) {
            return reply_of(Outcome::kSpoiled,
                            "the line does not fall silent; check that no other master is on it, its "
                            "termination, and that baud rate and parity are those of the devices");
        }
    }
    line.unclean = false;
    return std::nullopt;
}

Reply RtuLink::talk(const Request& request) {
    if (auto noisy = await_silence()) return *noisy;
    auto& line = channel_->line();
    auto& unit = line.units[request.unit];
    const auto settled = [&unit] { unit = UnitState{.returns_tokens = unit.returns_tokens}; };
    const auto frame = rtu_frame_of(request);
    const auto sent_at = SteadyClock::now();
    const auto on_the_wire = channel_->wire_time(frame.size + request.answer_size + 3U);
    const auto deadline = sent_at + timing_.response + on_the_wire;
    if (const auto sent = channel_->send(frame.all(), deadline); !sent) return failed(sent.error());
    bytes_sent += frame.size;
    line.last_byte = sent_at + channel_->wire_time(frame.size);

    RtuReceiver receiver{request};
    for (;;) {
        const auto got = channel_->receive(receiver.space(), deadline);
        if (!got) return failed(got.error());
        if (*got == 0) {
            if (receiver.left() == 0) return reply_of(Outcome::kTimeout);
            line.unclean = true;
            return reply_of(Outcome::kSpoiled,
                            fmt::format("{} bytes came within {} ms, but no whole answer; check baud rate, "
                                        "parity and cable",
                                        receiver.left(), timing_.response.count()));
        }
        bytes_received += *got;
        line.last_byte = SteadyClock::now();
        receiver.took(*got);
        for (bool again = true; again;) {
            again = false;
            switch (receiver.look()) {
                case RtuReceiver::Found::kNothing:
                    break;
                case RtuReceiver::Found::kStray:
                    ++stray_answers;
                    again = true;
                    break;
                case RtuReceiver::Found::kSpoiled:
                    settled();
                    line.unclean = true;
                    return reply_of(Outcome::kSpoiled,
                                    "the answer's checksum is wrong; check cable, termination and shielding");
                case RtuReceiver::Found::kAnswer: {
                    std::copy(receiver.pdu().begin(), receiver.pdu().end(), answer_.begin());
                    auto reply = check_answer(request, std::span{answer_}.first(receiver.pdu().size()));
                    if (reply.outcome == Outcome::kException && request.function() == kToken &&
                        unit.exceptions_due > 1) {
                        // An earlier token's.
                        --unit.exceptions_due;
                        ++stray_answers;
                        again = true;
                        break;
                    }
                    settled();
                    if (receiver.left() != 0) {
                        line.unclean = true;
                        ++stray_answers;
                    }
                    reply.took = line.last_byte - sent_at;
                    return reply;
                }
            }
        }
    }
}

}  // namespace fieldwarden::worker::modbus
