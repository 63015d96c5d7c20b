#include "worker/drivers/opcua/channel.h"

#include <fmt/format.h>

#include <algorithm>

#include "worker/drivers/opcua/status_codes.h"

namespace fieldwarden::worker::opcua {

using std::chrono::milliseconds;

namespace {

constexpr milliseconds kWantedLifetime{600'000};
constexpr std::size_t kMostWaiting = 256;

MonoTime now() {
    return system_clock().mono_now();
}

// A request that is sent before the session exists: its header has no token.
Buffer channel_request(std::uint32_t type, const auto& request) {
    Buffer body;
    Encoder out{body};
    out.node({0, type});
    RequestHeader{}.encode(out);
    request.encode(out);
    return body;
}

std::string_view hint(StatusCode code) {
    switch (bare(code)) {
        case 0x8013'0000:  // BadSecurityChecksFailed
        case 0x801A'0000:  // BadCertificateUntrusted
            return "; the server does not trust our certificate: move it to the trusted ones on the server "
                   "(it is certificate.der under pki/opcua/own of the data directory)";
        case 0x8054'0000:  // BadSecurityModeRejected
        case 0x8055'0000:  // BadSecurityPolicyRejected
            return "; choose another option security";
        case 0x8083'0000:  // BadTcpEndpointUrlInvalid
            return "; check the path in the device's address";
        case 0x8056'0000:  // BadTooManySessions
        case 0x807D'0000:  // BadTcpServerTooBusy
        case 0x8081'0000:  // BadTcpNotEnoughResources
            return "; too many clients are connected to the server";
        default:
            return "";
    }
}

}  // namespace

Error SecureChannel::refuse(const Error& error) {
    open_ = false;
    return line_.error(error.kind, error.message);
}

Error SecureChannel::refuse_transport() {
    const auto told = decode_transport_error(View{chunk_}.subspan(kChunkHeader));
    server_error_ = told.code;
    open_ = false;
    return line_.error(ErrorKind::kUnavailable,
                       fmt::format("the server ends the connection with {}{}{}{}", status_name(told.code),
                                   told.reason.empty() ? "" : ": ", told.reason, hint(told.code)));
}

AsymmetricKeys SecureChannel::asymmetric() const {
    if (security_.mode == SecurityMode::kNone) return {};
    return {kPolicyBasic256Sha256, &security_.own->certificate, security_.own->key.get(), &*security_.server,
            server_key_.get()};
}

std::uint32_t SecureChannel::next_sequence() {
    // Begun anew before the last 1024 numbers are used up (Part 6, 6.7.2.4).
    sequence_ = sequence_ >= UINT32_MAX - 1024 ? 1 : sequence_ + 1;
    return sequence_;
}

void SecureChannel::hang_up() {
    open_ = false;
    input_size_ = 0;
    token_.reset();
    previous_token_.reset();
    peer_sequence_.reset();
    partial_.reset();
    opened_.reset();
    waiting_.clear();
    line_.hang_up();
}

Status SecureChannel::open(const std::string& url, ChannelSecurity security, milliseconds timeout) {
    security_ = std::move(security);
    server_key_.reset();
    server_error_ = 0;
    sequence_ = 0;
    channel_ = 0;
    request_id_ = 0;
    if (security_.mode != SecurityMode::kNone) {
        auto key = security_.server->key();
        if (!key) return refuse(key.error());
        server_key_ = std::move(*key);
    }
    const auto deadline = now() + timeout;
    if (auto status = hello(url, deadline); !status) return status;
    auto status = exchange_keys(false, deadline);
    if (status) open_ = true;
    return status;
}

Status SecureChannel::hello(const std::string& url, MonoTime deadline) {
    const Limits ours;
    receive_limit_ = ours.receive_buffer;
    input_.resize(receive_limit_);
    input_size_ = 0;
    if (auto sent = line_.send(encode_hello(ours, url), deadline); !sent) return sent;
    for (;;) {
        const auto whole = receive_chunk(deadline);
        if (!whole) return whole.error();
        if (*whole) break;
        if (now() >= deadline)
            return refuse(make_error(ErrorKind::kTimeout, "the server does not answer Hello"));
    }
    const auto header = parse_chunk_header(chunk_, receive_limit_);
    if (!header) return refuse(header.error());
    if (header->type == ChunkType::kError) return refuse_transport();
    if (header->type != ChunkType::kAcknowledge)
        return refuse(make_error(ErrorKind::kCorrupt, "the server answers Hello with another message"));
    const auto limits = decode_acknowledge(View{chunk_}.subspan(kChunkHeader));
    if (!limits) return refuse(limits.error());
    peer_limits_ = *limits;
    // What the server receives bounds what we send; it may only lower what we asked for.
    peer_limits_.receive_buffer = std::min(limits->receive_buffer, ours.send_buffer);
    return {};
}

Status SecureChannel::exchange_keys(bool renew, MonoTime deadline) {
    // Before a sequence number is used up: the channel stays whole for the farewell.
    if (line_.called_off()) return line_.error(ErrorKind::kUnavailable, "interrupted");
    const bool secure = security_.mode != SecurityMode::kNone;
    OpenSecureChannelRequest request;
    request.renew = renew;
    request.mode = security_.mode;
    if (secure) request.nonce = random_bytes(kNonce);
    request.lifetime_ms = static_cast<std::uint32_t>(kWantedLifetime.count());
    const auto id = ++request_id_;
    const auto chunk = seal_open(channel_, {next_sequence(), id},
                                 channel_request(OpenSecureChannelRequest::kType, request), asymmetric());
    if (!chunk) return refuse(chunk.error());
    if (auto sent = line_.send(*chunk, deadline); !sent) {
        open_ = false;
        return sent;
    }
    opened_.reset();
    while (!opened_) {
        auto message = receive_one(deadline);
        if (!message) return message.error();
        if (*message) {
            if (waiting_.size() == kMostWaiting)
                return refuse(make_error(ErrorKind::kTooLarge, "the server sends more than was asked for"));
            waiting_.push_back(std::move(**message));
        } else if (!opened_ && now() >= deadline) {
            return refuse(make_error(ErrorKind::kTimeout, "the server does not answer OpenSecureChannel"));
        }
    }
    const auto opened = std::move(*opened_);
    opened_.reset();
    if (opened.sequence.request_id != id)
        return refuse(make_error(ErrorKind::kCorrupt, "an OpenSecureChannel answer belongs to no request"));
    Decoder in{opened.body};
    const auto type = in.node();
    ResponseHeader header;
    header.decode(in);
    if (type != NodeId{0, OpenSecureChannelResponse::kType} || is_bad(header.result)) {
        return refuse(make_error(ErrorKind::kUnavailable,
                                 fmt::format("the server refuses the secure channel with {}{}",
                                             status_name(header.result), hint(header.result))));
    }
    OpenSecureChannelResponse answer;
    answer.decode(in);
    if (in.failed() || (secure && answer.nonce.size() != kNonce))
        return refuse(make_error(ErrorKind::kCorrupt, "the OpenSecureChannel answer does not decode"));
    if (renew && answer.channel != channel_)
        return refuse(make_error(ErrorKind::kCorrupt, "the server renewed another channel than ours"));
    return adopt(answer, request.nonce);
}

Status SecureChannel::adopt(const OpenSecureChannelResponse& answer, View client_nonce) {
    const auto lifetime = milliseconds{std::clamp<std::int64_t>(answer.lifetime_ms, 1'000, 24 * 3'600'000)};
    Token token;
    token.id = answer.token;
    if (security_.mode != SecurityMode::kNone) {
        token.ours = derive_keys(answer.nonce, client_nonce);
        token.theirs = derive_keys(client_nonce, answer.nonce);
    }
    // The server takes the old token a quarter longer (Part 4, 5.5.2.1), and so do we.
    token.ends = now() + lifetime * 5 / 4;
    renew_at_ = now() + lifetime * 3 / 4;
    channel_ = answer.channel;
    previous_token_ = std::move(token_);
    token_ = std::move(token);
    return {};
}

Status SecureChannel::renew(milliseconds timeout) {
    return exchange_keys(true, now() + timeout);
}

void SecureChannel::close(MonoTime deadline) {
    if (open_ && token_) {
        const auto body = channel_request(CloseSecureChannelRequest::kType, CloseSecureChannelRequest{});
        const auto chunk = seal(ChunkType::kClose, 'F', channel_, token_->id,
                                {next_sequence(), ++request_id_}, body, security_.mode, token_->ours);
        // A server that does not take it closes by itself.
        if (chunk) (void)line_.send(*chunk, deadline).has_value();
    }
    hang_up();
}

Result<std::uint32_t> SecureChannel::send(View body, MonoTime deadline) {
    if (!open_) return line_.error(ErrorKind::kUnavailable, "not connected");
    // Before a sequence number is used up: the channel stays whole for the farewell.
    if (line_.called_off()) return line_.error(ErrorKind::kUnavailable, "interrupted");
    const auto room = body_limit(security_.mode, peer_limits_.receive_buffer);
    const auto chunks = std::max<std::size_t>((body.size() + room - 1) / room, 1);
    if ((peer_limits_.max_message != 0 && body.size() > peer_limits_.max_message) ||
        (peer_limits_.max_chunks != 0 && chunks > peer_limits_.max_chunks)) {
        return line_.error(ErrorKind::kTooLarge,
                           fmt::format("a request of {} bytes is over the server's limits", body.size()));
    }
    const auto id = ++request_id_;
    for (std::size_t i = 0; i < chunks; ++i) {
        const auto part = body.subspan(i * room, std::min(room, body.size() - i * room));
        const auto chunk = seal(ChunkType::kMessage, i + 1 == chunks ? 'F' : 'C', channel_, token_->id,
                                {next_sequence(), id}, part, security_.mode, token_->ours);
        if (!chunk) return refuse(chunk.error());
        if (auto sent = line_.send(*chunk, deadline); !sent) {
            open_ = false;
            return sent.error();
        }
    }
    return id;
}

Result<std::optional<SecureChannel::Message>> SecureChannel::receive(MonoTime deadline) {
    if (!waiting_.empty()) {
        auto first = std::move(waiting_.front());
        waiting_.pop_front();
        return std::optional{std::move(first)};
    }
    if (!open_) return line_.error(ErrorKind::kUnavailable, "not connected");
    auto message = receive_one(deadline);
    if (message && opened_)
        return refuse(make_error(ErrorKind::kCorrupt, "an OpenSecureChannel answer belongs to no request"));
    return message;
}

// One message, or nothing: at the deadline, when woken, or after an OPN, which then is in opened_.
Result<std::optional<SecureChannel::Message>> SecureChannel::receive_one(MonoTime deadline) {
    for (;;) {
        const auto whole = receive_chunk(deadline);
        if (!whole) return whole.error();
        if (!*whole) return std::optional<Message>{};
        const auto header = parse_chunk_header(chunk_, receive_limit_);
        if (!header) return refuse(header.error());
        switch (header->type) {
            case ChunkType::kError:
                return refuse_transport();
            case ChunkType::kOpen: {
                auto opened = take_open_chunk();
                if (!opened) return opened.error();
                opened_ = std::move(*opened);
                return std::optional<Message>{};
            }
            case ChunkType::kMessage: {
                auto message = take_message_chunk(*header);
                if (!message || *message) return message;
                break;
            }
            case ChunkType::kClose:
                return refuse(make_error(ErrorKind::kUnavailable, "the server closed the secure channel"));
            case ChunkType::kHello:
            case ChunkType::kAcknowledge:
                return refuse(
                    make_error(ErrorKind::kCorrupt, "the server sends a Hello or Acknowledge again"));
        }
    }
}

Result<bool> SecureChannel::receive_chunk(MonoTime deadline) {
    for (;;) {
        if (input_size_ >= kChunkHeader) {
            const auto header = parse_chunk_header(View{input_}.first(kChunkHeader), receive_limit_);
            if (!header) return refuse(header.error());
            if (input_size_ >= header->size) {
                const auto end = input_.begin() + header->size;
                chunk_.assign(input_.begin(), end);
                std::move(end, input_.begin() + static_cast<std::ptrdiff_t>(input_size_), input_.begin());
                input_size_ -= header->size;
                return true;
            }
        }
        const auto got = line_.receive(std::span{input_}.subspan(input_size_), deadline);
        if (!got) {
            // Interrupted, nothing is lost: the rest of the chunk can still be taken.
            if (!line_.interrupted()) open_ = false;
            return got.error();
        }
        if (*got == 0) return false;
        input_size_ += *got;
    }
}

Status SecureChannel::check_sequence(std::uint32_t number) {
    if (peer_sequence_ && !follows(*peer_sequence_, number)) {
        return refuse(make_error(ErrorKind::kCorrupt,
                                 fmt::format("sequence number {} came after {}", number, *peer_sequence_)));
    }
    peer_sequence_ = number;
    return {};
}

Result<OpenedOpen> SecureChannel::take_open_chunk() {
    auto opened = open_open(chunk_, asymmetric());
    if (!opened) return refuse(opened.error());
    if (auto checked = check_sequence(opened->sequence.number); !checked) return checked.error();
    return std::move(*opened);
}

Result<std::optional<SecureChannel::Message>> SecureChannel::take_message_chunk(const ChunkHeader& header) {
    const auto id = token_of(chunk_);
    const Token* token = nullptr;
    if (token_ && id && *id == token_->id) {
        token = &*token_;
    } else if (previous_token_ && id && *id == previous_token_->id && now() < previous_token_->ends) {
        token = &*previous_token_;
    }
    if (token == nullptr)
        return refuse(make_error(ErrorKind::kCorrupt, "an answer is secured with a token that is not valid"));
    const auto opened = opcua::open(chunk_, security_.mode, token->theirs);
    if (!opened) return refuse(opened.error());
    if (opened->channel != channel_)
        return refuse(make_error(ErrorKind::kCorrupt, fmt::format("an answer is of channel {}, ours is {}",
                                                                  opened->channel, channel_)));
    if (auto checked = check_sequence(opened->sequence.number); !checked) return checked.error();
    const auto request = opened->sequence.request_id;
    if (partial_ && partial_->request_id != request)
        return refuse(make_error(ErrorKind::kCorrupt, "the chunks of two answers are mixed"));
    if (header.final == 'A') {
        partial_.reset();
        const auto told = decode_transport_error(opened->body);
        return std::optional{
            Message{request, is_bad(told.code) ? told.code : status::kBadUnexpectedError, {}}};
    }
    if (!partial_) partial_ = Partial{request, 0, {}};
    const Limits ours;
    if (++partial_->chunks > ours.max_chunks ||
        partial_->body.size() + opened->body.size() > ours.max_message)
        return refuse(make_error(ErrorKind::kTooLarge, "an answer is longer than agreed"));
    partial_->body.insert(partial_->body.end(), opened->body.begin(), opened->body.end());
    if (header.final == 'C') return std::optional<Message>{};
    Message message{request, 0, std::move(partial_->body)};
    partial_.reset();
    return std::optional{std::move(message)};
}

}  // namespace fieldwarden::worker::opcua
