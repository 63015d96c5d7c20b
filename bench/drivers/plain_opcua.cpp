#include "bench/drivers/plain_opcua.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cstring>

namespace fieldwarden::bench {

using namespace worker::opcua;

namespace {
constexpr std::size_t kInput = 1U << 20;
constexpr std::uint32_t kLifetimeMs = 3'600'000;

template <class Request>
Buffer channel_body(const Request& request) {
    Buffer body;
    Encoder out{body};
    out.node({0, Request::kType});
    RequestHeader{}.encode(out);
    request.encode(out);
    return body;
}
}  // namespace

PlainOpcUa::PlainOpcUa(const std::string& address) : fd_(connect_plain(address)), input_(kInput) {
    const auto url = "opc.tcp://" + address;
    good_ = fd_ >= 0 && open_channel(url);
    if (good_) sign_in(url);
}

PlainOpcUa::~PlainOpcUa() {
    if (fd_ >= 0) close(fd_);
}

bool PlainOpcUa::open_channel(const std::string& url) {
    if (!send_bytes(encode_hello({}, url)) || take_chunk().empty()) return false;
    OpenSecureChannelRequest request;
    request.lifetime_ms = kLifetimeMs;
    const auto open = seal_open(0, {sequence_, sequence_}, channel_body(request), {});
    if (!open || !send_bytes(*open)) return false;
    const auto answer = open_open(take_chunk(), {});
    if (!answer) return false;
    Decoder in{answer->body};
    (void)in.node();
    ResponseHeader header;
    header.decode(in);
    OpenSecureChannelResponse opened;
    opened.decode(in);
    channel_ = opened.channel;
    channel_token_ = opened.token;
    return !in.failed();
}

void PlainOpcUa::sign_in(const std::string& url) {
    CreateSessionRequest create;
    create.application_uri = "urn:fieldwarden:bench";
    create.url = url;
    create.name = "bench";
    create.nonce.resize(kNonce);
    create.timeout_ms = kLifetimeMs;
    const auto created = ask<CreateSessionResponse>(create);
    token_ = created.token;
    ActivateSessionRequest activate;
    for (const auto& endpoint : created.endpoints) {
        for (const auto& policy : endpoint.tokens)
            if (policy.type == static_cast<std::uint32_t>(TokenType::kAnonymous))
                activate.policy_id = policy.id;
    }
    (void)ask<ActivateSessionResponse>(activate);
}

Buffer PlainOpcUa::make(std::uint32_t type, View payload) {
    Buffer body;
    Encoder out{body};
    out.node({0, type});
    RequestHeader header;
    header.token = token_;
    header.encode(out);
    out.raw(payload);
    auto chunk = seal(ChunkType::kMessage, 'F', channel_, channel_token_, {}, body, SecurityMode::kNone, {});
    return chunk ? std::move(*chunk) : Buffer{};
}

bool PlainOpcUa::send(Buffer& chunk) {
    ++sequence_;
    std::memcpy(chunk.data() + kSymmetricHeader, &sequence_, sizeof sequence_);
    std::memcpy(chunk.data() + kSymmetricHeader + sizeof sequence_, &sequence_, sizeof sequence_);
    return send_bytes(chunk);
}

bool PlainOpcUa::send_bytes(View bytes) {
    return ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size());
}

View PlainOpcUa::take_chunk() {
    std::uint32_t size = kChunkHeader;
    for (;;) {
        if (end_ - begin_ >= kChunkHeader) std::memcpy(&size, input_.data() + begin_ + 4, sizeof size);
        if (end_ - begin_ >= size) {
            const View chunk{input_.data() + begin_, size};
            begin_ += size;
            return chunk;
        }
        if (begin_ == end_) {
            begin_ = end_ = 0;
        } else if (begin_ + size > input_.size()) {
            std::memmove(input_.data(), input_.data() + begin_, end_ - begin_);
            end_ -= std::exchange(begin_, 0);
        }
        if (size > input_.size() || size < kChunkHeader) return {};
        const auto got = recv(fd_, input_.data() + end_, input_.size() - end_, 0);
        if (got <= 0) return {};
        end_ += static_cast<std::size_t>(got);
    }
}

Buffer PlainOpcUa::take_body() {
    Buffer body;
    for (;;) {
        const auto chunk = take_chunk();
        if (chunk.empty()) return {};
        const auto part = chunk.subspan(kSymmetricHeader + kSequenceHeader);
        body.insert(body.end(), part.begin(), part.end());
        if (is_last(chunk)) return body;
    }
}

}  // namespace fieldwarden::bench
