// UA Secure Conversation over UA TCP with security policy None: bytes in, requests out; responses in, bytes
// out. Written from OPC 10000-6 (1.05), sections 6.7 and 7.1. No socket.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "tests/simulator/opcua/codec.h"

namespace fieldwarden::simulator::opcua {

inline constexpr std::uint32_t kBufferSize = 65'536;       // of one chunk, ours
inline constexpr std::uint32_t kSmallestBuffer = 8'192;    // that a client may announce
inline constexpr std::size_t kLargestRequest = 16U << 20;  // all chunks together

class Channel {
  public:
    struct Request {
        std::uint32_t id = 0;
        Bytes body;
    };
    struct Step {
        Bytes answer;  // HEL, OPN and errors are answered here
        std::vector<Request> requests;
        bool close = false;  // after the answer
    };

    Channel(std::uint32_t id, std::chrono::milliseconds longest_lifetime)
        : id_(id), longest_lifetime_(longest_lifetime) {}

    Step receive(std::span<const std::uint8_t> bytes);
    // The chunks of one response; skip_sequence leaves out that many sequence numbers.
    Bytes respond(std::uint32_t request_id, std::span<const std::uint8_t> body,
                  std::uint32_t skip_sequence = 0);
    [[nodiscard]] std::uint64_t renewals() const { return renewals_; }

  private:
    struct Token {
        std::uint32_t id = 0;
        std::chrono::steady_clock::time_point ends;
    };
    bool take_chunk(char kind, char chunk, std::span<const std::uint8_t> content, Step& step);
    bool hello(Reader& reader, Step& step);
    bool open(Reader& reader, Step& step);
    bool message(char chunk, Reader& reader, Step& step);
    bool check_sequence(std::uint32_t number, Step& step);
    static bool refuse(std::uint32_t code, std::string_view why, Step& step);

    const std::uint32_t id_;
    const std::chrono::milliseconds longest_lifetime_;
    Bytes pending_;
    bool greeted_ = false;
    bool open_ = false;
    std::uint32_t send_size_ = kSmallestBuffer;
    std::vector<Token> tokens_;  // the newest last; the one before stays valid for a while
    std::uint32_t next_token_ = 1;
    std::uint32_t sequence_ = 0;
    std::optional<std::uint32_t> peer_sequence_;
    std::optional<Request> assembling_;
    std::uint64_t renewals_ = 0;
};

}  // namespace fieldwarden::simulator::opcua
