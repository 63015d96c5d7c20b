#include "worker/drivers/opcua/chunks.h"

#include <fmt/format.h>

#include <array>

namespace fieldwarden::worker::opcua {

namespace {

constexpr std::size_t kAesBlock = 16;
constexpr std::uint32_t kWrapZone = 1024;
// The policy URI has at most 255 bytes, a certificate chain is bounded by the chunk itself.
constexpr std::int32_t kLongestUri = 255;

struct TypeName {
    ChunkType type;
    std::string_view name;
};
constexpr std::array kTypes{
    TypeName{ChunkType::kHello, "HEL"},   TypeName{ChunkType::kAcknowledge, "ACK"},
    TypeName{ChunkType::kError, "ERR"},   TypeName{ChunkType::kOpen, "OPN"},
    TypeName{ChunkType::kMessage, "MSG"}, TypeName{ChunkType::kClose, "CLO"},
};

std::string_view name_of(ChunkType type) {
    for (const auto& entry : kTypes)
        if (entry.type == type) return entry.name;
    return "MSG";
}

Error corrupt(std::string why) {
    return make_error(ErrorKind::kCorrupt, std::move(why));
}

void begin(Encoder& out, ChunkType type, char final) {
    for (const char c : name_of(type)) out.put(static_cast<std::uint8_t>(c));
    out.put(static_cast<std::uint8_t>(final));
    out.put(std::uint32_t{0});  // the size, by set_size()
}

void set_size(Buffer& chunk, std::size_t size) {
    const auto value = static_cast<std::uint32_t>(size);
    std::memcpy(chunk.data() + 4, &value, sizeof value);
}

// Padding so that everything from the sequence header to the signature fills whole blocks. With an encrypting
// key of more than 2048 bits its length takes two bytes, the higher one behind the padding (Part 6, 6.7.2.5).
void pad(Buffer& chunk, std::size_t from, std::size_t signature, std::size_t block, bool two_bytes) {
    const auto fixed = chunk.size() - from + (two_bytes ? 2 : 1) + signature;
    const auto padding = (block - fixed % block) % block;
    chunk.insert(chunk.end(), padding + 1, static_cast<std::uint8_t>(padding & 0xff));
    if (two_bytes) chunk.push_back(static_cast<std::uint8_t>(padding >> 8));
}

// The bytes before the padding, or nothing when the padding is not one.
std::optional<View> unpad(View bytes, bool two_bytes) {
    const std::size_t tail = two_bytes ? 2 : 1;
    if (bytes.size() < tail) return std::nullopt;
    const std::size_t low = two_bytes ? bytes[bytes.size() - 2] : bytes.back();
    const std::size_t padding = two_bytes ? low | static_cast<std::size_t>(bytes.back()) << 8 : low;
    if (padding + tail > bytes.size()) return std::nullopt;
    const auto padded = bytes.subspan(bytes.size() - padding - tail, padding + 1);
    for (const auto byte : padded)
        if (byte != static_cast<std::uint8_t>(low)) return std::nullopt;
    return bytes.first(bytes.size() - padding - tail);
}

}  // namespace

Result<ChunkHeader> parse_chunk_header(View bytes, std::size_t most) {
    if (bytes.size() < kChunkHeader) return corrupt("the header of a chunk is cut short");
    const std::string_view name{reinterpret_cast<const char*>(bytes.data()), 3};
    ChunkHeader header;
    bool known = false;
    for (const auto& entry : kTypes) {
        if (entry.name != name) continue;
        header.type = entry.type;
        known = true;
    }
    header.final = static_cast<char>(bytes[3]);
    if (!known || (header.final != 'F' && header.final != 'C' && header.final != 'A'))
        return corrupt(
            "the answer is no OPC UA message; check that the port is the one of the OPC UA server");
    std::memcpy(&header.size, bytes.data() + 4, sizeof header.size);
    if (header.size < kChunkHeader) return corrupt(fmt::format("a chunk says it has {} bytes", header.size));
    if (header.size > most) {
        return make_error(
            ErrorKind::kTooLarge,
            fmt::format("a chunk says it has {} bytes, agreed were at most {}", header.size, most));
    }
    return header;
}

SymmetricKeys derive_keys(View secret, View seed) {
    constexpr std::size_t kKey = 32;
    const auto material = p_sha256(secret, seed, kSignature + kKey + kAesBlock);
    const View all{material};
    const auto part = [&](std::size_t from, std::size_t count) {
        const auto bytes = all.subspan(from, count);
        return Buffer{bytes.begin(), bytes.end()};
    };
    return {part(0, kSignature), part(kSignature, kKey), part(kSignature + kKey, kAesBlock)};
}

std::size_t body_limit(SecurityMode mode, std::size_t chunk_size) {
    if (chunk_size < 128) return 0;
    const auto room = chunk_size - kSymmetricHeader;
    switch (mode) {
        case SecurityMode::kNone:
            return room - kSequenceHeader;
        case SecurityMode::kSign:
            return room - kSequenceHeader - kSignature;
        case SecurityMode::kSignAndEncrypt:
            return room / kAesBlock * kAesBlock - kSequenceHeader - kSignature - 1;
    }
    return 0;
}

Result<Buffer> seal(ChunkType type, char final, std::uint32_t channel, std::uint32_t token, Sequence sequence,
                    View body, SecurityMode mode, const SymmetricKeys& keys) {
    Buffer chunk;
    chunk.reserve(body.size() + 96);
    Encoder out{chunk};
    begin(out, type, final);
    out.put(channel);
    out.put(token);
    out.put(sequence.number);
    out.put(sequence.request_id);
    out.raw(body);
    const bool encrypted = mode == SecurityMode::kSignAndEncrypt;
    if (encrypted) pad(chunk, kSymmetricHeader, kSignature, kAesBlock, false);
    set_size(chunk, chunk.size() + (mode == SecurityMode::kNone ? 0 : kSignature));
    if (mode != SecurityMode::kNone) {
        const auto signature = hmac_sha256(keys.sign, chunk);
        chunk.insert(chunk.end(), signature.begin(), signature.end());
    }
    if (encrypted) {
        if (auto done = aes_encrypt(keys.encrypt, keys.iv, std::span{chunk}.subspan(kSymmetricHeader)); !done)
            return done.error();
    }
    return chunk;
}

std::optional<std::uint32_t> token_of(View chunk) {
    if (chunk.size() < kSymmetricHeader) return std::nullopt;
    std::uint32_t token = 0;
    std::memcpy(&token, chunk.data() + kChunkHeader + 4, sizeof token);
    return token;
}

Result<Opened> open(std::span<std::uint8_t> chunk, SecurityMode mode, const SymmetricKeys& keys) {
    const std::size_t signature = mode == SecurityMode::kNone ? 0 : kSignature;
    if (chunk.size() < kSymmetricHeader + kSequenceHeader + signature)
        return corrupt(fmt::format("a message chunk of {} bytes is too short", chunk.size()));
    if (mode == SecurityMode::kSignAndEncrypt) {
        if (auto done = aes_decrypt(keys.encrypt, keys.iv, chunk.subspan(kSymmetricHeader)); !done)
            return done.error();
    }
    View rest{chunk};
    if (signature != 0) {
        const auto given = rest.last(signature);
        rest = rest.first(rest.size() - signature);
        if (!equal(hmac_sha256(keys.sign, rest), given))
            return corrupt("the signature of a message is wrong");
    }
    if (mode == SecurityMode::kSignAndEncrypt) {
        const auto unpadded = unpad(rest.subspan(kSymmetricHeader), false);
        if (!unpadded || unpadded->size() < kSequenceHeader)
            return corrupt("the padding of a message is wrong");
        rest = rest.first(kSymmetricHeader + unpadded->size());
    }
    Decoder in{rest.subspan(kChunkHeader)};
    Opened out;
    out.channel = in.get<std::uint32_t>();
    out.token = in.get<std::uint32_t>();
    out.sequence.number = in.get<std::uint32_t>();
    out.sequence.request_id = in.get<std::uint32_t>();
    out.body = rest.subspan(kSymmetricHeader + kSequenceHeader);
    return out;
}

Result<Buffer> seal_open(std::uint32_t channel, Sequence sequence, View body, const AsymmetricKeys& keys) {
    Buffer chunk;
    Encoder out{chunk};
    begin(out, ChunkType::kOpen, 'F');
    out.put(channel);
    out.text(keys.policy);
    const bool secure = keys.own_key != nullptr && keys.peer_key != nullptr;
    if (secure) {
        out.bytes(keys.own->der());
        out.bytes(keys.peer->sha1());
    } else {
        out.null_bytes();
        out.null_bytes();
    }
    const auto from = chunk.size();
    out.put(sequence.number);
    out.put(sequence.request_id);
    out.raw(body);
    if (!secure) {
        set_size(chunk, chunk.size());
        return chunk;
    }
    const auto signature_size = key_bytes(keys.own_key);
    const auto block = plain_block(keys.peer_key, Oaep::kSha1);
    const auto cipher_block = key_bytes(keys.peer_key);
    pad(chunk, from, signature_size, block, cipher_block > 256);
    const auto plain_size = chunk.size() - from + signature_size;
    set_size(chunk, from + plain_size / block * cipher_block);
    const auto signature = sign(keys.own_key, chunk);
    if (!signature) return signature.error();
    chunk.insert(chunk.end(), signature->begin(), signature->end());
    const auto cipher = encrypt(keys.peer_key, View{chunk}.subspan(from), Oaep::kSha1);
    if (!cipher) return cipher.error();
    chunk.resize(from);
    chunk.insert(chunk.end(), cipher->begin(), cipher->end());
    return chunk;
}

Result<OpenedOpen> open_open(View chunk, const AsymmetricKeys& keys) {
    Decoder in{chunk};
    (void)in.raw(kChunkHeader);
    OpenedOpen out;
    out.channel = in.get<std::uint32_t>();
    const auto uri_length = in.get<std::int32_t>();
    if (in.failed() || uri_length < 0 || uri_length > kLongestUri)
        return corrupt("an OpenSecureChannel answer is broken");
    const auto uri = in.raw(static_cast<std::size_t>(uri_length));
    const auto sender = in.bytes();
    const auto thumbprint = in.bytes();
    if (in.failed()) return corrupt("an OpenSecureChannel answer is cut short");
    const std::string_view policy{reinterpret_cast<const char*>(uri.data()), uri.size()};
    if (policy != keys.policy)
        return corrupt(fmt::format("the server answers with security policy '{}', asked was '{}'",
                                   policy.substr(policy.rfind('#') + 1),
                                   keys.policy.substr(keys.policy.rfind('#') + 1)));
    const auto from = in.position();
    View rest = chunk.subspan(from);
    Buffer plain;
    if (keys.own_key != nullptr && keys.peer_key != nullptr) {
        const auto certificate = Certificate::parse(sender);
        if (!certificate || certificate->der() != keys.peer->der())
            return corrupt("the server answers with another certificate than it announces");
        if (!equal(thumbprint, keys.own->sha1()))
            return corrupt("the server answers to another certificate than ours");
        auto decrypted = decrypt(keys.own_key, rest, Oaep::kSha1);
        if (!decrypted) return decrypted.error();
        const auto signature_size = key_bytes(keys.peer_key);
        if (decrypted->size() < signature_size + kSequenceHeader)
            return corrupt("an OpenSecureChannel answer is too short");
        // Signed is the whole chunk as it was before encryption.
        plain.assign(chunk.begin(), chunk.begin() + static_cast<std::ptrdiff_t>(from));
        plain.insert(plain.end(), decrypted->begin(), decrypted->end());
        const View all{plain};
        if (!verify(keys.peer_key, all.first(all.size() - signature_size), all.last(signature_size)))
            return corrupt("the signature of the OpenSecureChannel answer is wrong");
        const auto unpadded =
            unpad(all.subspan(from, all.size() - from - signature_size), key_bytes(keys.own_key) > 256);
        if (!unpadded) return corrupt("the padding of the OpenSecureChannel answer is wrong");
        rest = *unpadded;
    }
    Decoder body{rest};
    out.sequence.number = body.get<std::uint32_t>();
    out.sequence.request_id = body.get<std::uint32_t>();
    if (body.failed()) return corrupt("an OpenSecureChannel answer is cut short");
    const auto left = rest.subspan(kSequenceHeader);
    out.body.assign(left.begin(), left.end());
    return out;
}

bool follows(std::uint32_t last, std::uint32_t next) {
    if (next == last + 1 && next != 0) return true;
    return last > UINT32_MAX - kWrapZone && next < kWrapZone;
}

}  // namespace fieldwarden::worker::opcua
