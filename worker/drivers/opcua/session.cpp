#include "worker/drivers/opcua/session.h"

#include <algorithm>

#include "worker/drivers/opcua/status_codes.h"

namespace fieldwarden::worker::opcua {

using std::chrono::milliseconds;

namespace {

constexpr milliseconds kFarewell{500};
constexpr std::uint32_t kServerState = 2259;  // Server_ServerStatus_State
constexpr std::string_view kRsaSha256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";

MonoTime now() {
    return system_clock().mono_now();
}

Buffer joined(View a, View b) {
    Buffer out{a.begin(), a.end()};
    out.insert(out.end(), b.begin(), b.end());
    return out;
}

std::string_view sign_in_hint(StatusCode code) {
    switch (bare(code)) {
        case status::kBadUserAccessDenied:
        case 0x8020'0000:  // BadIdentityTokenInvalid
        case 0x8021'0000:  // BadIdentityTokenRejected
            return "; check options username and password and the user's rights on the server";
        case 0x8056'0000:  // BadTooManySessions
            return "; the server holds no more sessions: close another client, or wait for old ones to time "
                   "out";
        case 0x801A'0000:  // BadCertificateUntrusted
        case 0x8013'0000:  // BadSecurityChecksFailed
            return "; trust our certificate on the server (certificate.der under pki/opcua/own of the data "
                   "directory)";
        default:
            return "";
    }
}

}  // namespace

// --- errors ----------------------------------------------------------------------------------------------

Error Session::broken(ErrorKind kind, const std::string& why) {
    active_ = false;
    return line_.error(kind, why);
}

Error Session::broken_answer(std::uint32_t type) {
    ++stats_.broken_answers;
    return broken(ErrorKind::kCorrupt, fmt::format("an answer of type {} does not decode", type));
}

// The channel's error, counted. An interrupted channel is whole, for the farewell.
Error Session::lost(const Error& error) {
    if (channel_.is_open()) return error;
    active_ = false;
    switch (error.kind) {
        case ErrorKind::kTimeout:
            ++stats_.timeouts;
            break;
        case ErrorKind::kCorrupt:
        case ErrorKind::kTooLarge:
            ++stats_.broken_answers;
            break;
        default:
            ++stats_.lost_connections;
            break;
    }
    return error;
}

Error Session::at(ConnectStep step, const Error& error) {
    failed_step_ = step;
    active_ = false;
    channel_.hang_up();
    return error;
}

void Session::forget_session() {
    session_.reset();
    server_nonce_.clear();
}

// --- connecting ------------------------------------------------------------------------------------------

Status Session::connect() {
    // Before anything is given up: what stands is closed by disconnect().
    if (line_.interrupted()) return line_.error(ErrorKind::kUnavailable, "connecting was interrupted");
    active_ = false;
    farewell_ = false;
    posted_.clear();
    identity_.reset();
    server_certificate_.reset();
    if (auto opened = open_channel(); !opened) return opened;
    const auto endpoint = discover();
    if (!endpoint) return at(ConnectStep::kHandshake, endpoint.error());
    endpoint_ = *endpoint;
    const auto named = [&](const Error& error) { return line_.error(error.kind, error.message); };
    const auto token = choose_token(endpoint_, settings_.sign_in);
    if (!token) return at(ConnectStep::kSignIn, named(token.error()));
    token_policy_ = *token;
    const bool secure = settings_.mode != SecurityMode::kNone;
    if (secure || token_policy_.cipher.encrypted) {
        auto certificate = Certificate::parse(endpoint_.certificate);
        if (!certificate) return at(ConnectStep::kHandshake, named(certificate.error()));
        if (auto trusted =
                check_server_certificate(data_directory(), settings_.url, *certificate, settings_.trust);
            !trusted)
            return at(ConnectStep::kHandshake, named(trusted.error()));
        server_certificate_ = std::move(*certificate);
    }
    if (secure) {
        auto identity = own_identity(data_directory());
        if (!identity) return at(ConnectStep::kHandshake, named(identity.error()));
        identity_ = *identity;
        // Endpoints are told over a channel of their own, which needs no security (Part 4, 5.4.1).
        channel_.close(now() + kFarewell);
        if (auto opened = open_channel(); !opened) return opened;
    }
    return sign_in();
}

// TCP, Hello and the channel: the discovery one first, then, when identity_ and the server's certificate are
// known, the secure one.
Status Session::open_channel() {
    if (auto connected = line_.connect(settings_.connect_timeout); !connected) {
        failed_step_ = line_.stream().failed_step();
        channel_.hang_up();
        return connected;
    }
    ChannelSecurity security;
    if (identity_ != nullptr && server_certificate_)
        security = {settings_.mode, identity_, server_certificate_};
    auto opened = channel_.open(settings_.url, std::move(security), settings_.connect_timeout);
    if (!opened) return at(ConnectStep::kHandshake, lost(opened.error()));
    return {};
}

Result<Endpoint> Session::discover() {
    const auto answer =
        call<GetEndpointsResponse>(GetEndpointsRequest{settings_.url}, settings_.connect_timeout);
    if (!answer) return answer.error();
    auto chosen = choose_endpoint(answer->endpoints, settings_.mode);
    if (!chosen) return line_.error(chosen.error().kind, chosen.error().message);
    return chosen;
}

Status Session::sign_in() {
    if (session_) {
        const auto resumed = activate();
        if (resumed) {
            active_ = true;
            return {};
        }
        // A connection that broke says nothing about the session; every other failure ends it.
        if (resumed.error().kind != ErrorKind::kUnavailable || channel_.is_open()) forget_session();
        if (!channel_.is_open()) return at(ConnectStep::kSignIn, resumed.error());
    }
    if (auto created = create(); !created) return at(ConnectStep::kSignIn, created.error());
    if (auto activated = activate(); !activated) {
        forget_session();
        return at(ConnectStep::kSignIn, activated.error());
    }
    active_ = true;
    return {};
}

Status Session::create() {
    const bool secure = settings_.mode != SecurityMode::kNone;
    CreateSessionRequest request;
    request.application_uri = secure ? identity_->certificate.application_uri() : "urn:fieldwarden";
    request.url = settings_.url;
    request.name = settings_.name;
    request.nonce = random_bytes(kNonce);
    if (secure) request.certificate = identity_->certificate.der();
    request.timeout_ms = static_cast<double>(settings_.session_timeout.count());
    request.max_response = Limits{}.max_message;
    const auto answer = call<CreateSessionResponse>(request, settings_.connect_timeout);
    if (!answer) return answer.error();
    if (secure) {
        const auto certificate = Certificate::parse(answer->certificate);
        if (!certificate || certificate->der() != server_certificate_->der())
            return line_.error(ErrorKind::kCorrupt, "the session has another certificate than the channel");
        const auto key = server_certificate_->key();
        if (!key) return line_.error(key.error().kind, key.error().message);
        if (!verify(key->get(), joined(request.certificate, request.nonce), answer->signature))
            return line_.error(
                ErrorKind::kCorrupt,
                "the server's signature of the session is wrong: it does not hold its own key");
        if (answer->nonce.size() < kNonce)
            return line_.error(ErrorKind::kCorrupt, "the server's nonce is shorter than 32 bytes");
    }
    session_ = answer->token;
    server_nonce_ = answer->nonce;
    session_timeout_ = settings_.session_timeout;
    if (answer->timeout_ms >= 1)
        session_timeout_ =
            milliseconds{static_cast<std::int64_t>(std::min(answer->timeout_ms, 86'400'000.0))};
    ++generation_;
    return {};
}

Status Session::activate() {
    ActivateSessionRequest request;
    if (settings_.mode != SecurityMode::kNone) {
        auto signature = sign(identity_->key.get(), joined(server_certificate_->der(), server_nonce_));
        if (!signature) return line_.error(signature.error().kind, signature.error().message);
        request.signature = std::move(*signature);
        request.signature_algorithm = kRsaSha256;
    }
    request.policy_id = token_policy_.id;
    const auto& sign_in = settings_.sign_in;
    request.anonymous = sign_in.username.empty();
    if (!request.anonymous) {
        Key key;
        if (token_policy_.cipher.encrypted) {
            auto parsed = server_certificate_->key();
            if (!parsed) return line_.error(parsed.error().kind, parsed.error().message);
            key = std::move(*parsed);
        }
        auto secret = seal_password(sign_in.password, server_nonce_, key.get(), token_policy_.cipher);
        if (!secret) return line_.error(secret.error().kind, secret.error().message);
        request.username = sign_in.username;
        request.password = std::move(*secret);
        request.password_algorithm = token_policy_.cipher.algorithm;
    }
    const auto answer = call<ActivateSessionResponse>(request, settings_.connect_timeout);
    if (!answer) return answer.error();
    server_nonce_ = answer->nonce;
    return {};
}

bool Session::disconnect() {
    // A session that the server has ended leaves its subscriptions behind (Part 4, 5.6.4): the next one takes
    // them over.
    const bool closes = active_ && channel_.is_open();
    if (closes) {
        farewell_ = true;
        line_.begin_farewell();
        const auto patience = std::min(settings_.timeout, kFarewell);
        // Without an answer the server closes the session when it times out.
        (void)call<CloseSessionResponse>(CloseSessionRequest{}, patience).has_value();
        forget_session();
        channel_.close(now() + patience);
    }
    listener_ = {};
    active_ = false;
    posted_.clear();
    channel_.hang_up();
    line_.disconnect();
    return closes;
}

// --- requests and answers --------------------------------------------------------------------------------

Result<std::uint32_t> Session::send(std::uint32_t type, View payload, milliseconds timeout) {
    Buffer body;
    Encoder out{body};
    out.node({0, type});
    RequestHeader header;
    // These two are asked before there is a session.
    const bool before = type == GetEndpointsRequest::kType || type == CreateSessionRequest::kType;
    if (session_ && !before) header.token = *session_;
    header.handle = ++handle_;
    header.timeout_ms = static_cast<std::uint32_t>(timeout.count());
    header.encode(out);
    out.raw(payload);
    ++stats_.requests;
    last_sent_ = now();
    auto id = channel_.send(body, now() + settings_.timeout);
    if (!id && !channel_.is_open()) return lost(id.error());
    return id;
}

Result<Session::Answer> Session::open_answer(const SecureChannel::Message& message) {
    Answer answer;
    if (message.aborted != 0) {
        answer.type = kServiceFault;
        answer.result = message.aborted;
        return answer;
    }
    Decoder in{message.body};
    const auto type = in.node();
    ResponseHeader header;
    header.decode(in);
    const auto* number = std::get_if<std::uint32_t>(&type.identifier);
    if (in.failed() || type.ns != 0 || number == nullptr) return broken_answer(0);
    answer.type = *number;
    answer.result = header.result;
    if (answer.type == kServiceFault && !is_bad(answer.result)) answer.result = status::kBadUnexpectedError;
    answer_begin_ = in.position();
    answer.payload = View{message.body}.subspan(answer_begin_);
    return answer;
}

Result<Buffer> Session::exchange(std::uint32_t type, View payload, std::uint32_t answer_type,
                                 milliseconds timeout) {
    fault_ = 0;
    if (active_ && channel_.renewal_due(now())) {
        if (auto renewed = channel_.renew(timeout); !renewed) return lost(renewed.error());
    }
    const auto sent_at = now();
    const auto id = send(type, payload, timeout);
    if (!id) {
        if (id.error().kind == ErrorKind::kTooLarge) fault_ = status::kBadRequestTooLarge;
        return id.error();
    }
    const auto deadline = sent_at + timeout;
    for (;;) {
        auto message = channel_.receive(deadline);
        if (!message) return lost(message.error());
        if (!*message) {
            if (now() < deadline) continue;  // woken
            channel_.hang_up();
            return lost(line_.error(ErrorKind::kTimeout,
                                    fmt::format("request {} timed out after {} ms", type, timeout.count())));
        }
        if ((*message)->request_id != *id) {
            if (auto taken = dispatch(**message); !taken) return taken.error();
            continue;
        }
        const auto took = now() - sent_at;
        stats_.response_times.add(took);
        stats_.last_response_ms = std::chrono::duration<double, std::milli>(took).count();
        auto answer = open_answer(**message);
        if (!answer) return answer.error();
        if (is_bad(answer->result)) {
            ++stats_.exceptions;
            fault_ = answer->result;
            if (ends_session(fault_)) {
                active_ = false;
                forget_session();
            }
            return line_.error(
                ErrorKind::kUnavailable,
                fmt::format("the server answers {}{}", status_name(fault_), sign_in_hint(fault_)));
        }
        if (answer->type != answer_type) return broken_answer(answer->type);
        return std::move((*message)->body);
    }
}

Status Session::post_payload(std::uint32_t type, View payload) {
    // The answer may come hours later.
    const auto id = send(type, payload, milliseconds{0});
    if (!id) return id.error();
    posted_.insert(*id);
    return {};
}

Status Session::dispatch(const SecureChannel::Message& message) {
    // Answers to what was asked before are of no interest any more.
    if (farewell_) return {};
    if (posted_.erase(message.request_id) == 0) {
        ++stats_.broken_answers;
        channel_.hang_up();
        return broken(ErrorKind::kCorrupt,
                      fmt::format("an answer came to request {}, which was not asked", message.request_id));
    }
    // A call waits meanwhile: where its answer begins is not known yet, so there is nothing to keep.
    auto answer = open_answer(message);
    if (!answer) return answer.error();
    if (ends_session(answer->result)) {
        active_ = false;
        forget_session();
        return line_.error(ErrorKind::kUnavailable,
                           fmt::format("the server answers {}", status_name(answer->result)));
    }
    return listener_ ? listener_(*answer) : Status{};
}

Result<bool> Session::pump(MonoTime deadline) {
    auto message = channel_.receive(deadline);
    if (!message) return lost(message.error());
    if (!*message) return false;
    if (auto taken = dispatch(**message); !taken) return taken.error();
    return true;
}

MonoTime Session::maintain_at() const {
    return std::min(channel_.renew_at(), last_sent_ + session_timeout_ / 3);
}

Status Session::maintain() {
    if (channel_.renewal_due(now())) {
        if (auto renewed = channel_.renew(settings_.timeout); !renewed) return lost(renewed.error());
    }
    if (now() >= last_sent_ + session_timeout_ / 3) {
        const ReadItem state{{0, kServerState}, Attribute::kValue, {}};
        const auto answer = call<ReadResponse>(ReadRequest{std::span{&state, 1}});
        if (!answer && !usable()) return answer.error();
    }
    return {};
}

}  // namespace fieldwarden::worker::opcua
