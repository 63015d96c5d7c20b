// Message chunks and their security (OPC UA Part 6, 6.7.2 and 7.1.2). Pure: bytes in, bytes out.
//
//   8  type "MSG" "OPN" "CLO" "HEL" "ACK" "ERR", then 'F' last, 'C' more follow, 'A' given up; size of all
//   4  channel id                                     (not HEL, ACK, ERR; nor do these have what follows)
//   MSG, CLO: 4 token id · OPN: policy URI, sender's certificate, thumbprint of the receiver's
//   8  sequence number, request id  ┐
//   n  part of the message          │ encrypted, with SignAndEncrypt and always in an OPN of a policy
//   p  padding, its length first    │
//   s  signature of all before it   ┘
#pragma once

#include <optional>

#include "worker/drivers/opcua/crypto.h"

namespace fieldwarden::worker::opcua {

enum class ChunkType : std::uint8_t { kHello, kAcknowledge, kError, kOpen, kMessage, kClose };

// Part 4, 7.20: the numbers on the wire.
enum class SecurityMode : std::uint32_t { kNone = 1, kSign = 2, kSignAndEncrypt = 3 };

inline constexpr std::size_t kChunkHeader = 8;
inline constexpr std::size_t kSequenceHeader = 8;
inline constexpr std::size_t kSymmetricHeader = kChunkHeader + 8;
inline constexpr std::size_t kSignature = 32;  // HMAC-SHA256
inline constexpr std::size_t kNonce = 32;      // of Basic256Sha256

struct ChunkHeader {
    ChunkType type = ChunkType::kMessage;
    char final = 'F';
    std::uint32_t size = 0;  // of the whole chunk
};
// kCorrupt: no chunk begins so; kTooLarge: longer than `most`.
Result<ChunkHeader> parse_chunk_header(View eight_bytes, std::size_t most);

struct SymmetricKeys {
    Buffer sign;
    Buffer encrypt;
    Buffer iv;
};
// Part 6, 6.7.5: the keys of the side whose nonce is `seed`.
SymmetricKeys derive_keys(View secret, View seed);

struct Sequence {
    std::uint32_t number = 0;
    std::uint32_t request_id = 0;
};

// How many bytes of a message fit a chunk of `chunk_size`.
std::size_t body_limit(SecurityMode mode, std::size_t chunk_size);

Result<Buffer> seal(ChunkType type, char final, std::uint32_t channel, std::uint32_t token, Sequence sequence,
                    View body, SecurityMode mode, const SymmetricKeys& keys);

struct Opened {
    std::uint32_t channel = 0;
    std::uint32_t token = 0;
    Sequence sequence;
    View body;  // into the chunk
};
// Which token a MSG or CLO chunk is of; it is not checked yet. nullopt: too short.
std::optional<std::uint32_t> token_of(View chunk);
// Decrypts in place. kCorrupt: the signature or the padding is wrong.
Result<Opened> open(std::span<std::uint8_t> chunk, SecurityMode mode, const SymmetricKeys& keys);

// An OPN of the policy None has neither keys nor certificates.
struct AsymmetricKeys {
    std::string_view policy = kPolicyNone;
    const Certificate* own = nullptr;
    evp_pkey_st* own_key = nullptr;
    const Certificate* peer = nullptr;
    evp_pkey_st* peer_key = nullptr;
};
Result<Buffer> seal_open(std::uint32_t channel, Sequence sequence, View body, const AsymmetricKeys& keys);
struct OpenedOpen {
    std::uint32_t channel = 0;
    Sequence sequence;
    Buffer body;
};
Result<OpenedOpen> open_open(View chunk, const AsymmetricKeys& keys);

// Whether `next` may follow `last` (Part 6, 6.7.2.4): one more, or begun anew below 1024 near the end.
bool follows(std::uint32_t last, std::uint32_t next);

}  // namespace fieldwarden::worker::opcua
