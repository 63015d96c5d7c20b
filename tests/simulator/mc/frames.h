// MC protocol frames from the PLC's side, pure: bytes → request, answer → bytes. Written from SH-080008
// (chapters 4 to 6, 8 and 18) and the FX3U-ENET user's manual (9.1 and 9.3), not from the client under test.
//
// A 3E or 4E port tells the two and their code by the first bytes: 50 or 54 in binary, "5000" or "5400" in
// ASCII. A 1E port tells binary (00 to 3C) and ASCII ("0…" to "3…") likewise.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace fieldwarden::simulator::mc {

enum class Frame : std::uint8_t { k3e, k4e, k1e };
enum class Task : std::uint8_t { kReadWords, kReadBits, kReadRandom, kWriteWords, kWriteBits, kNone };

struct Place {
    std::uint8_t code = 0;
    std::uint32_t number = 0;
};

struct Request {
    Frame frame = Frame::k3e;
    bool ascii = false;
    std::uint16_t serial = 0;
    // Network, PC, module I/O (low, high), station: told back as they came.
    std::array<std::uint8_t, 5> route{};
    std::uint8_t command_1e = 0;
    std::uint16_t command = 0;
    std::uint16_t subcommand = 0;
    Task task = Task::kNone;
    Place head;
    std::uint32_t points = 0;
    std::vector<Place> words;         // kReadRandom
    std::vector<Place> dwords;        // kReadRandom
    std::vector<std::uint16_t> data;  // words, or bits
    std::uint16_t error = 0;          // what to answer instead
};

struct Parsed {
    enum class Kind : std::uint8_t { kIncomplete, kRequest, kNotMc };
    Kind kind = Kind::kIncomplete;
    std::size_t consumed = 0;
    Request request;
};

// Takes the first request off `bytes`. kNotMc: close the connection.
Parsed parse_request(std::span<const std::uint8_t> bytes, bool port_1e);

// The answer to a read: words, or bits (0 and 1); of a random read the words and then the halves of the
// double words, the low one first. Empty after a write.
void append_answer(const Request& request, std::span<const std::uint16_t> values,
                   std::vector<std::uint8_t>& out);
void append_error(const Request& request, std::uint16_t code, std::vector<std::uint8_t>& out);

}  // namespace fieldwarden::simulator::mc
