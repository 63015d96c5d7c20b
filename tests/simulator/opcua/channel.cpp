#include "tests/simulator/opcua/channel.h"

#include <algorithm>

namespace fieldwarden::simulator::opcua {

namespace {

using std::chrono::milliseconds;

constexpr std::size_t kHeader = 8;  // type, chunk, size
constexpr std::string_view kPolicyNone = "http://opcfoundation.org/UA/SecurityPolicy#None";
constexpr std::uint32_t kOpenRequest = 446;
constexpr std::uint32_t kOpenResponse = 449;
// Status codes of OPC 10000-6, annex A.
constexpr std::uint32_t kBadDecodingError = 0x80070000;
constexpr std::uint32_t kBadSecureChannelIdInvalid = 0x80220000;
constexpr std::uint32_t kBadRequestTypeInvalid = 0x80530000;
constexpr std::uint32_t kBadSecurityModeRejected = 0x80540000;
constexpr std::uint32_t kBadSecurityPolicyRejected = 0x80550000;
constexpr std::uint32_t kBadTcpMessageTypeInvalid = 0x807E0000;
constexpr std::uint32_t kBadTcpMessageTooLarge = 0x80800000;
constexpr std::uint32_t kBadSecureChannelTokenUnknown = 0x80870000;
constexpr std::uint32_t kBadSequenceNumberInvalid = 0x80880000;
// A sequence number may fall back below this when it has run over: OPC 10000-6, 6.7.2.4.
constexpr std::uint32_t kSequenceWrap = 1024;

void begin(Writer& writer, std::string_view type_and_chunk) {
    for (const char c : type_and_chunk) writer.u8(static_cast<std::uint8_t>(c));
    writer.u32(0);
}
void finish(Writer& writer, std::size_t at = 0) {
    writer.patch_u32(at + 4, static_cast<std::uint32_t>(writer.bytes.size() - at));
}

}  // namespace

bool Channel::refuse(std::uint32_t code, std::string_view why, Step& step) {
    Writer writer;
    begin(writer, "ERRF");
    writer.u32(code);
    writer.string(why);
    finish(writer);
    step.answer.insert(step.answer.end(), writer.bytes.begin(), writer.bytes.end());
    step.close = true;
    return false;
}

Channel::Step Channel::receive(std::span<const std::uint8_t> bytes) {
    Step step;
    pending_.insert(pending_.end(), bytes.begin(), bytes.end());
    std::size_t used = 0;
    while (pending_.size() - used >= kHeader) {
        const auto chunk = std::span{pending_}.subspan(used);
        Reader header{chunk.subspan(4, 4)};
        const auto size = header.u32();
        if (size < kHeader || size > kBufferSize) {
            refuse(kBadTcpMessageTooLarge, "a chunk of this size was not agreed on", step);
            break;
        }
        if (chunk.size() < size) break;
        const std::string kind{chunk.begin(), chunk.begin() + 3};
        const auto content = chunk.subspan(kHeader, size - kHeader);
        const char letter = kind == "HEL"   ? 'H'
                            : kind == "OPN" ? 'O'
                            : kind == "MSG" ? 'M'
                            : kind == "CLO" ? 'C'
                                            : '?';
        const auto chunk_type = static_cast<char>(chunk[3]);
        used += size;
        if (!take_chunk(letter, chunk_type, content, step)) break;
    }
    pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(used));
    return step;
}

bool Channel::take_chunk(char kind, char chunk, std::span<const std::uint8_t> content, Step& step) {
    Reader reader{content};
    if (kind == 'H') return hello(reader, step);
    if (!greeted_ || kind == '?') return refuse(kBadTcpMessageTypeInvalid, "Hello comes first", step);
    if (kind == 'O') return open(reader, step);
    if (!open_) return refuse(kBadTcpMessageTypeInvalid, "the channel is not open", step);
    if (kind == 'C') {
        step.close = true;
        return false;
    }
    return message(chunk, reader, step);
}

bool Channel::hello(Reader& reader, Step& step) {
    (void)reader.u32();
    const auto their_receive = reader.u32();
    (void)reader.u32();
    (void)reader.u32();
    (void)reader.u32();
    (void)reader.string();
    if (!reader.good() || greeted_ || their_receive < kSmallestBuffer)
        return refuse(kBadTcpMessageTypeInvalid, "this Hello does not fit", step);
    greeted_ = true;
    send_size_ = std::min(their_receive, kBufferSize);
    Writer writer;
    begin(writer, "ACKF");
    writer.u32(0);
    writer.u32(kBufferSize);
    writer.u32(send_size_);
    writer.u32(static_cast<std::uint32_t>(kLargestRequest));
    writer.u32(0);
    finish(writer);
    step.answer.insert(step.answer.end(), writer.bytes.begin(), writer.bytes.end());
    return true;
}

bool Channel::check_sequence(std::uint32_t number, Step& step) {
    const bool follows = !peer_sequence_ || number == *peer_sequence_ + 1 ||
                         (*peer_sequence_ > 0xFFFFFFFF - kSequenceWrap && number < kSequenceWrap);
    peer_sequence_ = number;
    return follows || refuse(kBadSequenceNumberInvalid, "the sequence number does not follow", step);
}

bool Channel::open(Reader& reader, Step& step) {
    const auto channel = reader.u32();
    const auto policy = reader.string();
    (void)reader.string();
    (void)reader.string();
    const auto sequence = reader.u32();
    const auto request_id = reader.u32();
    if (!reader.good()) return refuse(kBadDecodingError, "OpenSecureChannel does not decode", step);
    if (policy != kPolicyNone)
        return refuse(kBadSecurityPolicyRejected, "only security policy None is spoken here", step);
    if (!check_sequence(sequence, step)) return false;
    const auto type = reader.node_id();
    (void)reader.node_id();
    (void)reader.i64();
    const auto handle = reader.u32();
    (void)reader.u32();
    (void)reader.string();
    (void)reader.u32();
    (void)reader.extension_object();
    (void)reader.u32();
    const auto request_type = reader.u32();  // 0 issue, 1 renew
    const auto mode = reader.u32();
    (void)reader.string();
    const auto lifetime = milliseconds{reader.u32()};
    if (!reader.good() || type != NodeId{0, kOpenRequest})
        return refuse(kBadDecodingError, "OpenSecureChannel does not decode", step);
    if (mode != 1) return refuse(kBadSecurityModeRejected, "only message security None is spoken here", step);
    if (request_type > 1 || (request_type == 1) != open_)
        return refuse(kBadRequestTypeInvalid, "issue a channel once, then renew it", step);
    if (open_ && channel != id_) return refuse(kBadSecureChannelIdInvalid, "this is another channel", step);
    if (open_) ++renewals_;
    open_ = true;
    const auto revised =
        std::clamp(lifetime, std::min(milliseconds{200}, longest_lifetime_), longest_lifetime_);
    // OPC 10000-4, 5.6.2.1: a token is taken for a quarter of its life longer.
    const auto ends = std::chrono::steady_clock::now() + revised + revised / 4;
    tokens_.push_back({next_token_++, ends});
    if (tokens_.size() > 2) tokens_.erase(tokens_.begin());

    Writer writer;
    begin(writer, "OPNF");
    writer.u32(id_);
    writer.string(kPolicyNone);
    writer.null_string();
    writer.null_string();
    writer.u32(++sequence_);
    writer.u32(request_id);
    writer.node_id({0, kOpenResponse});
    writer.i64(date_time_now());
    writer.u32(handle);
    writer.u32(0);
    writer.u8(0);
    writer.count(0);
    writer.null_extension_object();
    writer.u32(0);  // protocol version
    writer.u32(id_);
    writer.u32(tokens_.back().id);
    writer.i64(date_time_now());
    writer.u32(static_cast<std::uint32_t>(revised.count()));
    writer.null_string();
    finish(writer);
    step.answer.insert(step.answer.end(), writer.bytes.begin(), writer.bytes.end());
    return true;
}

bool Channel::message(char chunk, Reader& reader, Step& step) {
    const auto channel = reader.u32();
    const auto token = reader.u32();
    const auto sequence = reader.u32();
    const auto request_id = reader.u32();
    if (!reader.good()) return refuse(kBadDecodingError, "a message without its headers", step);
    if (channel != id_) return refuse(kBadSecureChannelIdInvalid, "this is another channel", step);
    const auto now = std::chrono::steady_clock::now();
    const bool known = std::any_of(tokens_.begin(), tokens_.end(),
                                   [&](const Token& each) { return each.id == token && now < each.ends; });
    if (!known) return refuse(kBadSecureChannelTokenUnknown, "this token is not, or no longer, valid", step);
    if (!check_sequence(sequence, step)) return false;
    if (assembling_ && assembling_->id != request_id)
        return refuse(kBadTcpMessageTypeInvalid, "the chunks of two requests are mixed", step);
    if (chunk == 'A') {
        assembling_.reset();
        return true;
    }
    if (!assembling_) assembling_ = Request{request_id, {}};
    const auto body = reader.take(reader.left());
    if (assembling_->body.size() + body.size() > kLargestRequest)
        return refuse(kBadTcpMessageTooLarge, "the request is too large", step);
    assembling_->body.insert(assembling_->body.end(), body.begin(), body.end());
    if (chunk != 'F') return true;
    step.requests.push_back(std::move(*assembling_));
    assembling_.reset();
    return true;
}

Bytes Channel::respond(std::uint32_t request_id, std::span<const std::uint8_t> body,
                       std::uint32_t skip_sequence) {
    constexpr std::size_t kChunkHeaders = 24;
    Writer writer;
    sequence_ += skip_sequence;
    std::size_t sent = 0;
    do {
        const auto at = writer.bytes.size();
        const auto size = std::min<std::size_t>(body.size() - sent, send_size_ - kChunkHeaders);
        begin(writer, sent + size == body.size() ? "MSGF" : "MSGC");
        writer.u32(id_);
        writer.u32(tokens_.empty() ? 0 : tokens_.back().id);
        writer.u32(++sequence_);
        writer.u32(request_id);
        writer.raw(body.subspan(sent, size));
        finish(writer, at);
        sent += size;
    } while (sent < body.size());
    return std::move(writer.bytes);
}

}  // namespace fieldwarden::simulator::opcua
