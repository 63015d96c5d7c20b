// MC protocol frames from the client's side, pure: request → bytes, bytes → answer.
//
//   3E, 4E   subheader, [serial,] route, length, timer, command, subcommand, data
//            SH-080008 chapters 4 to 6 (frames, route) and 8.1 to 8.3 (device access)
//   1E       command, PC number, timer, head device, points
//            SH-080008 chapter 18; FX3U-ENET user's manual 9.1 and 9.3
//
// In binary a number goes low byte first; in ASCII as hexadecimal digits, high digit first, so that every
// field takes twice the bytes. Device numbers in ASCII are in the device's own base. Bits in bit units are
// one nibble each (the first in the high one), or one character.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "common/mc_address.h"

namespace fieldwarden::worker::mc {

enum class Encoding : std::uint8_t { kBinary, kAscii };

struct FrameFormat {
    McDialect dialect;
    Encoding encoding = Encoding::kBinary;
    std::uint8_t network = 0;
    std::uint8_t pc = 0xFF;
    std::uint16_t module_io = 0x03FF;
    std::uint8_t station = 0;
    std::uint16_t timer = 2;  // × 250 ms; 0: for ever

    [[nodiscard]] bool is_1e() const { return dialect.frame == McFrame::k1e; }
    [[nodiscard]] bool is_ascii() const { return encoding == Encoding::kAscii; }
};

struct DeviceRef {
    McDevice device = McDevice::kD;
    std::uint32_t number = 0;

    bool operator==(const DeviceRef&) const = default;
};

enum class Operation : std::uint8_t {
    kReadWords,   // 0401/0000; 1E: 01. Of bit devices: 16 points a word
    kReadBits,    // 0401/0001; 1E: 00
    kReadRandom,  // 0403/0000; not in 1E
    kWriteWords,  // 1401/0000; 1E: 03
    kWriteBits,   // 1401/0001; 1E: 02
};

struct Request {
    Operation operation = Operation::kReadWords;
    DeviceRef head;                   // all but kReadRandom
    std::uint32_t points = 0;         // words or bits
    std::vector<DeviceRef> words;     // kReadRandom: read as one word each,
    std::vector<DeviceRef> dwords;    // and as two
    std::vector<std::uint16_t> data;  // to write: words, or bits (0 or 1)
};

// `serial` is that of 4E frames.
std::vector<std::uint8_t> encode_request(const FrameFormat& format, const Request& request,
                                         std::uint16_t serial);

// No answer of a device is longer; whatever says it is, is broken.
inline constexpr std::size_t kLongestAnswer = 8192;

struct Answer {
    enum class Kind : std::uint8_t {
        kIncomplete,  // more bytes are needed
        kFrame,
        kBroken,  // these bytes are no answer to `asked`: the connection is out of step
    };
    Kind kind = Kind::kIncomplete;
    std::size_t consumed = 0;
    std::uint16_t serial = 0;            // 4E
    std::uint16_t end_code = 0;          // 0: done
    std::uint8_t abnormal = 0;           // 1E, behind end code 5B
    std::span<const std::uint8_t> data;  // of `bytes`; behind the end code
    std::string why;                     // of kBroken
};

// Takes the first answer off `bytes`. 1E answers carry no length: theirs follows from `asked`. The answer of
// a 4E frame may belong to another request: compare `serial` before the data is decoded.
Answer split_answer(const FrameFormat& format, const Request& asked, std::span<const std::uint8_t> bytes);

// The data of an answer with end code 0 → words: those asked for in their order (of kReadRandom the words,
// then two for each double word, the low one first); bits are packed 16 a word, the first in bit 0. False
// when the data is not exactly what was asked for.
bool decode_data(const FrameFormat& format, const Request& asked, std::span<const std::uint8_t> data,
                 std::vector<std::uint16_t>& words);

// Bytes of data in an answer with end code 0.
std::size_t answer_bytes(const FrameFormat& format, const Request& asked);

}  // namespace fieldwarden::worker::mc
