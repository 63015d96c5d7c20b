#include "worker/drivers/modbus/rtu_frame.h"

#include <algorithm>

namespace fieldwarden::worker::modbus {

namespace {

constexpr std::uint8_t kExceptionBit = 0x80;
constexpr std::size_t kExceptionLength = 5;
constexpr unsigned kBitsPerCharacter = 11;  // start, 8 data, parity or a second stop bit, stop

constexpr auto kCrcTable = [] {
    std::array<std::uint16_t, 256> table{};
    for (unsigned i = 0; i < table.size(); ++i) {
        unsigned crc = i;
        for (int bit = 0; bit < 8; ++bit) crc = (crc & 1) != 0 ? crc >> 1 ^ 0xA001 : crc >> 1;
        table[i] = static_cast<std::uint16_t>(crc);
    }
    return table;
}();

}  // namespace

std::uint16_t crc16(std::span<const std::uint8_t> bytes) {
    unsigned crc = 0xFFFF;
    for (const auto byte : bytes) crc = crc >> 8 ^ kCrcTable[(crc ^ byte) & 0xFF];
    return static_cast<std::uint16_t>(crc);
}

RtuFrame rtu_frame_of(const Request& request) {
    RtuFrame frame;
    frame.bytes[0] = request.unit;
    std::copy_n(request.bytes.begin(), request.size, frame.bytes.begin() + 1);
    frame.size = request.size + 1U;
    const auto crc = crc16(frame.all());
    frame.bytes[frame.size++] = static_cast<std::uint8_t>(crc);
    frame.bytes[frame.size++] = static_cast<std::uint8_t>(crc >> 8);
    return frame;
}

std::optional<std::size_t> rtu_answer_length(std::span<const std::uint8_t> bytes) {
    if (bytes.size() < 2) return std::nullopt;
    if ((bytes[1] & kExceptionBit) != 0) return kExceptionLength;
    switch (static_cast<Function>(bytes[1])) {
        case Function::kReadCoils:
        case Function::kReadDiscreteInputs:
        case Function::kReadHoldingRegisters:
        case Function::kReadInputRegisters:
            if (bytes.size() < 3) return std::nullopt;
            // Unit, function, byte count, data, CRC.
            return bytes[2] == 0 || bytes[2] > kLongestPdu - 2 ? 0 : 5U + bytes[2];
        case Function::kWriteCoil:
        case Function::kWriteRegister:
        case Function::kDiagnostics:
        case Function::kWriteCoils:
        case Function::kWriteRegisters:
            return 8;
        case Function::kMaskRegister:
            return 10;
    }
    return 0;
}

std::chrono::nanoseconds wire_time(std::size_t bytes, std::uint32_t baud_rate) {
    return std::chrono::nanoseconds{bytes * kBitsPerCharacter * 1'000'000'000ULL / baud_rate};
}

std::chrono::nanoseconds frame_silence(std::uint32_t baud_rate) {
    constexpr std::uint32_t kFastest = 19200;
    if (baud_rate > kFastest) return std::chrono::microseconds{1750};
    return wire_time(7, baud_rate) / 2;
}

std::span<std::uint8_t> RtuReceiver::space() {
    // A whole answer fits behind whatever is still worth keeping.
    if (have_ == bytes_.size()) drop(have_ - kLongestRtuFrame);
    return std::span{bytes_}.subspan(have_);
}

void RtuReceiver::drop(std::size_t bytes) {
    std::copy(bytes_.begin() + static_cast<std::ptrdiff_t>(bytes),
              bytes_.begin() + static_cast<std::ptrdiff_t>(have_), bytes_.begin());
    have_ -= bytes;
}

bool RtuReceiver::whole(std::size_t at, std::size_t length) const {
    if (have_ - at < length) return false;
    const auto frame = std::span{bytes_}.subspan(at, length);
    const auto crc = static_cast<std::uint16_t>(frame[length - 2] | frame[length - 1] << 8);
    return crc16(frame.first(length - 2)) == crc;
}

// Length of the frame at `at` when its head is one that an answer to the request has; 0 otherwise.
std::size_t RtuReceiver::answer_at(std::size_t at) const {
    const auto bytes = std::span{bytes_}.subspan(at, have_ - at);
    if (bytes.size() < kExceptionLength || bytes[0] != request_.unit) return 0;
    if (bytes[1] == (request_.function() | kExceptionBit)) return kExceptionLength;
    if (bytes[1] != request_.function()) return 0;
    const auto length = rtu_answer_length(bytes).value_or(0);
    return length == request_.answer_size + 3U ? length : 0;
}

RtuReceiver::Found RtuReceiver::look() {
    // Whatever frame the bytes begin with is taken whole, so that nothing inside it passes for an answer.
    const auto first = rtu_answer_length(std::span{bytes_}.first(have_)).value_or(0);
    const bool stray = first != 0 && answer_at(0) == 0 && whole(0, first);
    if (stray) {
        drop(first);
        return Found::kStray;
    }
    // Behind noise only the answer itself is looked for: it alone has a head that chance hardly makes.
    for (std::size_t at = 0; at + kExceptionLength <= have_; ++at) {
        const auto length = answer_at(at);
        if (length == 0 || !whole(at, length)) continue;
        const auto size = length - 3;
        std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(at + 1), size, answer_.begin());
        pdu_ = std::span{answer_}.first(size);
        if (check_answer(request_, pdu_).outcome == Outcome::kGarbled) {
            // The repeat of another write, or a late echo.
            drop(at + length);
            return Found::kStray;
        }
        drop(at + length);
        return Found::kAnswer;
    }
    const auto own = answer_at(0);
    return own != 0 && have_ >= own ? Found::kSpoiled : Found::kNothing;
}

}  // namespace fieldwarden::worker::modbus
