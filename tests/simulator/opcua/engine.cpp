#include "tests/simulator/opcua/engine.h"

#include <random>

namespace fieldwarden::simulator::opcua {

namespace {

// Numeric ids of the binary encodings, OPC 10000-6, annex A; a response's is its request's plus 3.
constexpr std::uint32_t kServiceFault = 397;
constexpr std::uint32_t kFindServers = 422;
constexpr std::uint32_t kGetEndpoints = 428;
constexpr std::uint32_t kCreateSession = 461;
constexpr std::uint32_t kActivateSession = 467;
constexpr std::uint32_t kCloseSession = 473;
constexpr std::uint32_t kPublish = 826;
constexpr std::uint32_t kAnonymousToken = 321;
constexpr std::uint32_t kUserNameToken = 324;

constexpr std::string_view kPolicyNone = "http://opcfoundation.org/UA/SecurityPolicy#None";
constexpr std::string_view kUaTcp = "http://opcfoundation.org/UA-Profile/Transport/uatcp-uasc-uabinary";
constexpr std::string_view kApplicationUri = "urn:fieldwarden:simulator";
constexpr std::string_view kAnonymousPolicy = "anonymous";
constexpr std::string_view kUserNamePolicy = "username";

}  // namespace

struct Engine::Service {
    std::uint32_t request;
    Handler handler;
};

const Engine::Service* Engine::find_service(std::uint32_t type) {
    static constexpr std::array kServices{
        Service{527, &Engine::browse},
        Service{533, &Engine::browse_next},
        Service{554, &Engine::translate},
        Service{560, &Engine::register_nodes},
        Service{566, &Engine::unregister_nodes},
        Service{631, &Engine::read},
        Service{673, &Engine::write},
        Service{751, &Engine::create_monitored_items},
        Service{763, &Engine::modify_monitored_items},
        Service{769, &Engine::set_monitoring_mode},
        Service{781, &Engine::delete_monitored_items},
        Service{787, &Engine::create_subscription},
        Service{793, &Engine::modify_subscription},
        Service{799, &Engine::set_publishing_mode},
        Service{832, &Engine::republish},
        Service{841, &Engine::transfer_subscriptions},
        Service{847, &Engine::delete_subscriptions},
    };
    for (const auto& each : kServices)
        if (each.request == type) return &each;
    return nullptr;
}

Engine::Engine(EngineOptions options)
    : options_(std::move(options)),
      space_(options_.limits, options_.many),
      started_(Clock::now()),
      random_((std::uint64_t{std::random_device{}()} << 32) | 1U) {}

Engine::~Engine() = default;

double Engine::seconds() const {
    return std::chrono::duration<double>(Clock::now() - started_).count();
}

Engine::Session* Engine::session_of(const NodeId& token) {
    const auto found = sessions_.find(token);
    return found == sessions_.end() ? nullptr : &found->second;
}

Engine::Header Engine::read_header(Reader& reader) {
    Header header;
    header.token = reader.node_id();
    (void)reader.i64();
    header.handle = reader.u32();
    (void)reader.u32();
    (void)reader.string();
    (void)reader.u32();
    (void)reader.extension_object();
    return header;
}

void Engine::write_header(Writer& writer, std::uint32_t type, const Header& header, StatusCode result) {
    writer.node_id(numeric(type));
    writer.i64(date_time_now());
    writer.u32(header.handle);
    writer.u32(result);
    writer.u8(0);     // no diagnostics
    writer.count(0);  // no strings for them
    writer.null_extension_object();
}

void Engine::fault(const Reply& to, const Header& header, StatusCode code,
                   std::vector<Reply>& replies) const {
    Writer writer;
    write_header(writer, kServiceFault, header, code);
    replies.push_back({to.connection, to.request_id, std::move(writer.bytes)});
}

void Engine::handle(std::uint64_t connection, std::uint32_t request_id, std::span<const std::uint8_t> body,
                    std::vector<Reply>& replies) {
    ++counters_.requests;
    Reader reader{body};
    const auto type_id = reader.node_id();
    const auto* number = std::get_if<std::uint32_t>(&type_id.id);
    const auto type = number == nullptr || type_id.ns != 0 ? 0 : *number;
    const auto header = read_header(reader);
    const Reply to{connection, request_id, {}};
    if (!reader.good()) return fault(to, header, status::kBadDecodingError, replies);
    if (service_fault_ != status::kGood) return fault(to, header, service_fault_, replies);

    const auto answer = [&](std::uint32_t response, const Writer& content) {
        Writer writer;
        write_header(writer, response, header, status::kGood);
        writer.raw(content.bytes);
        replies.push_back({connection, request_id, std::move(writer.bytes)});
    };
    const auto finish = [&](StatusCode code, const Writer& content) {
        if (!reader.good()) code = status::kBadDecodingError;
        if (code != status::kGood) return fault(to, header, code, replies);
        answer(type + 3, content);
    };
    Writer content;
    if (type == kGetEndpoints) {
        get_endpoints(reader, content);
        return finish(status::kGood, content);
    }
    if (type == kFindServers) {
        find_servers(reader, content);
        return finish(status::kGood, content);
    }
    if (type == kCreateSession) {
        const auto code = create_session(connection, reader, content);
        return finish(code, content);
    }
    const auto* service = find_service(type);
    if (service == nullptr && type != kActivateSession && type != kCloseSession && type != kPublish)
        return fault(to, header, status::kBadServiceUnsupported, replies);
    auto* session = session_of(header.token);
    if (session == nullptr) return fault(to, header, status::kBadSessionIdInvalid, replies);
    session->last_seen = Clock::now();
    if (type == kActivateSession) {
        const auto code = activate_session(*session, connection, reader, content);
        return finish(code, content);
    }
    if (session->connection != connection)
        return fault(to, header, status::kBadSecureChannelIdInvalid, replies);
    if (type == kCloseSession) {
        const bool with_subscriptions = reader.boolean();
        if (reader.good()) close_session(header.token, with_subscriptions);
        return finish(status::kGood, content);
    }
    if (!session->activated) return fault(to, header, status::kBadSessionNotActivated, replies);
    if (type == kPublish) return publish(*session, to, header, reader, replies);
    const auto code = (this->*service->handler)(*session, reader, content);
    finish(code, content);
}

void Engine::connection_closed(std::uint64_t connection) {
    for (auto& [token, session] : sessions_) {
        if (session.connection != connection) continue;
        session.connection = 0;
        session.publish_requests.clear();
    }
}

void Engine::forget_sessions() {
    sessions_.clear();
    subscriptions_.clear();
}

void Engine::end_sessions() {
    sessions_.clear();
}

void Engine::close_session(const NodeId& token, bool with_subscriptions) {
    // Subscriptions that are kept wait for TransferSubscriptions, or die of their lifetime.
    if (with_subscriptions)
        std::erase_if(subscriptions_, [&](const auto& each) { return each.second.session == token; });
    sessions_.erase(token);
}

bool Engine::set_fault(const NodeId& id, std::optional<StatusCode> code) {
    auto* node = space_.find(id);
    if (node == nullptr) return false;
    node->fault = code;
    return true;
}

EngineCounters Engine::counters() const {
    auto out = counters_;
    out.sessions = sessions_.size();
    out.subscriptions = subscriptions_.size();
    for (const auto& [id, subscription] : subscriptions_) out.monitored_items += subscription.items.size();
    return out;
}

// --- discovery and sessions --------------------------------------------------------------------------------

namespace {

void write_application(Writer& writer, const std::string& url) {
    writer.string(kApplicationUri);
    writer.string("urn:fieldwarden");
    writer.localized_text("Fieldwarden simulator");
    writer.i32(0);  // a server
    writer.null_string();
    writer.null_string();
    writer.count(1);
    writer.string(url);
}

}  // namespace

void Engine::write_endpoints(Writer& writer, const std::string& url) const {
    writer.count(1);
    writer.string(url);
    write_application(writer, url);
    writer.null_string();  // no certificate
    writer.i32(1);         // message security: none
    writer.string(kPolicyNone);
    const auto policy = [&](std::string_view id, std::int32_t type) {
        writer.string(id);
        writer.i32(type);
        writer.null_string();
        writer.null_string();
        writer.string(kPolicyNone);
    };
    writer.count(1);
    if (options_.user.empty()) {
        policy(kAnonymousPolicy, 0);
    } else {
        policy(kUserNamePolicy, 1);
    }
    writer.string(kUaTcp);
    writer.u8(0);
}

void Engine::get_endpoints(Reader& reader, Writer& writer) const {
    write_endpoints(writer, reader.string());
}

void Engine::find_servers(Reader& reader, Writer& writer) const {
    const auto url = reader.string();
    writer.count(1);
    write_application(writer, url);
}

StatusCode Engine::create_session(std::uint64_t connection, Reader& reader, Writer& writer) {
    // The client's description.
    (void)reader.string();
    (void)reader.string();
    (void)reader.localized_text();
    (void)reader.i32();
    (void)reader.string();
    (void)reader.string();
    for (auto i = reader.count(4); i > 0; --i) (void)reader.string();
    (void)reader.string();  // server URI
    const auto url = reader.string();
    const auto name = reader.string();
    (void)reader.string();  // nonce
    (void)reader.string();  // certificate
    const auto timeout = reader.float64();
    (void)reader.u32();  // largest response
    if (!reader.good()) return status::kBadDecodingError;
    if (sessions_.size() >= options_.limits.sessions) return status::kBadTooManySessions;

    Session session;
    session.id = {1, next_id_++};
    // Hard to guess is good enough for a simulator.
    random_ = random_ * 6364136223846793005ULL + 1442695040888963407ULL;
    session.token = {1, "token-" + std::to_string(random_)};
    session.name = name;
    session.connection = connection;
    constexpr double kShortest = 1'000;
    constexpr double kLongest = 3'600'000;
    const double revised = timeout >= kShortest && timeout <= kLongest ? timeout : kLongest / 60;
    session.timeout = std::chrono::milliseconds{static_cast<std::int64_t>(revised)};
    session.last_seen = Clock::now();
    writer.node_id(session.id);
    writer.node_id(session.token);
    writer.float64(revised);
    writer.count(32);  // the server's nonce
    for (int i = 0; i < 32; ++i) writer.u8(static_cast<std::uint8_t>(random_ >> (i % 8)));
    writer.null_string();
    write_endpoints(writer, url);
    writer.count(0);  // software certificates
    writer.null_string();
    writer.null_string();
    writer.u32(0);  // requests of any size
    sessions_[session.token] = std::move(session);
    return status::kGood;
}

StatusCode Engine::activate_session(Session& session, std::uint64_t connection, Reader& reader,
                                    Writer& writer) {
    (void)reader.string();  // signature
    (void)reader.string();
    for (auto i = reader.count(8); i > 0; --i) {
        (void)reader.string();
        (void)reader.string();
    }
    for (auto i = reader.count(4); i > 0; --i) (void)reader.string();
    const auto token = reader.extension_object();
    (void)reader.string();
    (void)reader.string();
    if (!reader.good()) return status::kBadDecodingError;

    Reader identity{token.body};
    const auto policy = identity.string();
    if (options_.user.empty()) {
        // No token at all means anonymous: OPC 10000-4, 5.7.3.2.
        const bool anonymous = token.type == NodeId{} || token.type == numeric(kAnonymousToken);
        if (!anonymous) return status::kBadIdentityTokenRejected;
    } else {
        if (token.type != numeric(kUserNameToken)) return status::kBadIdentityTokenRejected;
        const auto user = identity.string();
        const auto password = identity.string();
        (void)identity.string();
        if (!identity.good() || policy != kUserNamePolicy) return status::kBadIdentityTokenInvalid;
        if (user != options_.user || password != options_.password) return status::kBadUserAccessDenied;
    }
    session.activated = true;
    if (session.connection != connection) session.publish_requests.clear();
    session.connection = connection;
    writer.count(32);
    for (int i = 0; i < 32; ++i) writer.u8(static_cast<std::uint8_t>(random_ >> (i % 8)));
    writer.count(0);
    writer.count(0);
    return status::kGood;
}

}  // namespace fieldwarden::simulator::opcua
