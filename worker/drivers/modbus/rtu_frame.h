// RTU frames: unit id, PDU, CRC. Pure: bytes in, frames out.
//
// Source: MODBUS over Serial Line, Specification and Implementation Guide V1.02: 2.3 (frame), 2.5.1 (RTU,
// silence between frames), 6.2.2 (CRC). A frame ends where its function code says, not where silence begins:
// USB adapters and TCP converters hand bytes over in pieces with pauses of their own making.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>

#include "worker/drivers/modbus/pdu.h"

namespace fieldwarden::worker::modbus {

inline constexpr std::size_t kLongestRtuFrame = kLongestPdu + 3;

// Polynomial A001h (reflected 8005h), preset FFFFh; goes out low byte first.
std::uint16_t crc16(std::span<const std::uint8_t> bytes);

struct RtuFrame {
    std::array<std::uint8_t, kLongestRtuFrame> bytes;
    std::size_t size = 0;

    [[nodiscard]] std::span<const std::uint8_t> all() const { return std::span{bytes}.first(size); }
};
RtuFrame rtu_frame_of(const Request& request);

// Length of the answer that begins with `bytes`, its CRC included; 0: no answer begins so; nullopt: more
// bytes are needed to tell.
std::optional<std::size_t> rtu_answer_length(std::span<const std::uint8_t> bytes);

// The silence that separates two frames: 3.5 characters of eleven bits, and 1.75 ms above 19200 baud
// (2.5.1.1).
std::chrono::nanoseconds frame_silence(std::uint32_t baud_rate);
// The time `bytes` characters of eleven bits take.
std::chrono::nanoseconds wire_time(std::size_t bytes, std::uint32_t baud_rate);

// Finds the answer to one request in a stream of bytes that may hold noise before it and answers to others.
class RtuReceiver {
  public:
    explicit RtuReceiver(const Request& request) : request_(request) {}

    // Where the next bytes go, never empty; took() says how many came.
    [[nodiscard]] std::span<std::uint8_t> space();
    void took(std::size_t bytes) { have_ += bytes; }

    enum class Found : std::uint8_t {
        kNothing,  // yet
        kAnswer,   // pdu() is an answer to the request, or an exception
        kStray,  // a whole frame that belongs to no request, or to an earlier one; it is dropped: look again
        kSpoiled,  // the answer's own head and length, but another CRC
    };
    Found look();
    [[nodiscard]] std::span<const std::uint8_t> pdu() const { return pdu_; }  // until the next space()
    // Bytes that came, without the dropped frames; after kAnswer only those behind the answer.
    [[nodiscard]] std::size_t left() const { return have_; }

  private:
    [[nodiscard]] bool whole(std::size_t at, std::size_t length) const;
    [[nodiscard]] std::size_t answer_at(std::size_t at) const;
    void drop(std::size_t bytes);

    const Request& request_;
    std::array<std::uint8_t, 2 * kLongestRtuFrame> bytes_;
    std::size_t have_ = 0;
    std::array<std::uint8_t, kLongestPdu> answer_;
    std::span<const std::uint8_t> pdu_;
};

}  // namespace fieldwarden::worker::modbus
