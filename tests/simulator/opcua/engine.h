// The services of the simulated server, without a socket: request bodies in, response bodies out. Written
// from OPC 10000-4 (1.05): discovery 5.5, sessions 5.7, view 5.9, attributes 5.11, monitored items 5.13,
// subscriptions 5.14.
//
// One thread.
#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/simulator/opcua/faults.h"
#include "tests/simulator/opcua/signals.h"

namespace fieldwarden::simulator::opcua {

// OPC 10000-6, annex A; only what the server says.
namespace status {
inline constexpr StatusCode kGood = 0;
inline constexpr StatusCode kBadDecodingError = 0x80070000;
inline constexpr StatusCode kBadTimeout = 0x800A0000;
inline constexpr StatusCode kBadServiceUnsupported = 0x800B0000;
inline constexpr StatusCode kBadNothingToDo = 0x800F0000;
inline constexpr StatusCode kBadTooManyOperations = 0x80100000;
inline constexpr StatusCode kBadUserAccessDenied = 0x801F0000;
inline constexpr StatusCode kBadIdentityTokenInvalid = 0x80200000;
inline constexpr StatusCode kBadIdentityTokenRejected = 0x80210000;
inline constexpr StatusCode kBadSecureChannelIdInvalid = 0x80220000;
inline constexpr StatusCode kBadSessionIdInvalid = 0x80250000;
inline constexpr StatusCode kBadSessionNotActivated = 0x80270000;
inline constexpr StatusCode kBadSubscriptionIdInvalid = 0x80280000;
inline constexpr StatusCode kBadNodeIdUnknown = 0x80340000;
inline constexpr StatusCode kBadAttributeIdInvalid = 0x80350000;
inline constexpr StatusCode kBadIndexRangeInvalid = 0x80360000;
inline constexpr StatusCode kBadNotWritable = 0x803B0000;
inline constexpr StatusCode kBadMonitoredItemIdInvalid = 0x80420000;
inline constexpr StatusCode kBadMonitoredItemFilterUnsupported = 0x80440000;
inline constexpr StatusCode kBadContinuationPointInvalid = 0x804A0000;
inline constexpr StatusCode kBadNoContinuationPoints = 0x804B0000;
inline constexpr StatusCode kBadTooManySessions = 0x80560000;
inline constexpr StatusCode kBadNoMatch = 0x806F0000;
inline constexpr StatusCode kBadTypeMismatch = 0x80740000;
inline constexpr StatusCode kBadTooManySubscriptions = 0x80770000;
inline constexpr StatusCode kBadTooManyPublishRequests = 0x80780000;
inline constexpr StatusCode kBadNoSubscription = 0x80790000;
inline constexpr StatusCode kBadSequenceNumberUnknown = 0x807A0000;
inline constexpr StatusCode kBadMessageNotAvailable = 0x807B0000;
}  // namespace status

using Clock = std::chrono::steady_clock;

// What a client asked for in milliseconds, within what the server grants.
std::chrono::milliseconds clamped(double wanted, std::chrono::milliseconds least,
                                  std::chrono::milliseconds most);

struct Reply {
    std::uint64_t connection = 0;
    std::uint32_t request_id = 0;
    Bytes body;
};

struct EngineOptions {
    std::string user;  // empty: anonymous
    std::string password;
    unsigned many = 100;
    Limits limits;
};

struct EngineCounters {
    std::uint64_t requests = 0;
    std::uint64_t notifications = 0;  // values sent to subscribers
    std::size_t sessions = 0;
    std::size_t subscriptions = 0;
    std::size_t monitored_items = 0;
    std::uint64_t republished = 0;  // messages asked for again and given
    std::uint64_t transfers = 0;    // subscriptions taken over
};

class Engine {
  public:
    explicit Engine(EngineOptions options);
    ~Engine();
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;

    // One request; `body` begins with the type of the request. Publish requests are answered later.
    void handle(std::uint64_t connection, std::uint32_t request_id, std::span<const std::uint8_t> body,
                std::vector<Reply>& replies);
    // Samples and publishes what is due. Every kTick.
    void tick(std::vector<Reply>& replies);
    static constexpr std::chrono::milliseconds kTick{10};
    // Sessions outlive their connections.
    void connection_closed(std::uint64_t connection);

    // --- faults and tests
    void forget_sessions();  // as a server that was restarted
    void end_sessions();     // their subscriptions wait for somebody to take them over
    // nullopt: all is well again with this node.
    bool set_fault(const NodeId& node, std::optional<StatusCode> code);
    void clear_faults();
    void fail_services(StatusCode code) { service_fault_ = code; }
    void set_subscription_faults(SubscriptionFaults faults) { subscription_faults_ = faults; }
    // The node takes these values one after the other, and every one is reported, whatever the sampling
    // interval.
    bool pin(const NodeId& node, const std::vector<Variant>& values);
    // The same with values that take the node's type.
    bool pin_scalars(const NodeId& node, const std::vector<Scalar>& values);
    [[nodiscard]] EngineCounters counters() const;

  private:
    struct Header {
        NodeId token;
        std::uint32_t handle = 0;
    };
    struct PublishRequest {
        std::uint64_t connection = 0;
        std::uint32_t request_id = 0;
        std::uint32_t handle = 0;
        std::vector<StatusCode> acknowledged;
    };
    struct Session {
        NodeId id;
        NodeId token;
        std::string name;
        bool activated = false;
        std::uint64_t connection = 0;
        std::chrono::milliseconds timeout{60'000};
        Clock::time_point last_seen;
        // What BrowseNext goes on with: encoded references.
        std::map<std::uint32_t, std::deque<Bytes>> continuations;
        std::deque<PublishRequest> publish_requests;
    };
    struct MonitoredItem {
        std::uint32_t id = 0;
        std::uint32_t client_handle = 0;
        NodeId node;
        std::uint32_t attribute = 13;
        std::uint32_t timestamps = 2;
        std::uint32_t mode = 2;  // 0 disabled, 1 sampling, 2 reporting
        std::chrono::milliseconds sampling{100};
        std::uint32_t queue_size = 1;
        bool discard_oldest = true;
        std::uint32_t trigger = 1;  // 0 status, 1 value as well, 2 source time as well
        double deadband = 0;
        std::deque<DataValue> queue;
        std::optional<DataValue> last;
        Clock::time_point next_sample;
    };
    struct Subscription {
        std::uint32_t id = 0;
        NodeId session;  // its token
        std::chrono::milliseconds interval{100};
        std::uint32_t lifetime = 60;
        std::uint32_t keep_alive = 10;
        std::uint32_t most_notifications = 0;
        bool enabled = true;
        std::map<std::uint32_t, MonitoredItem> items;
        std::uint32_t sequence = 0;  // of the last message with notifications
        std::map<std::uint32_t, Bytes> sent;
        Clock::time_point next_publish;
        std::uint32_t idle_cycles = 0;
        std::uint32_t starved_cycles = 0;
        bool is_late = false;
        bool said_hello = false;
    };
    using Handler = StatusCode (Engine::*)(Session&, Reader&, Writer&);
    struct Service;
    static const Service* find_service(std::uint32_t type);

    double seconds() const;
    Session* session_of(const NodeId& token);
    static Header read_header(Reader& reader);
    static void write_header(Writer& writer, std::uint32_t type, const Header& header, StatusCode result);
    void fault(const Reply& to, const Header& header, StatusCode code, std::vector<Reply>& replies) const;
    void close_session(const NodeId& token, bool with_subscriptions);

    // Session-less
    void get_endpoints(Reader& reader, Writer& writer) const;
    void find_servers(Reader& reader, Writer& writer) const;
    void write_endpoints(Writer& writer, const std::string& url) const;
    StatusCode create_session(std::uint64_t connection, Reader& reader, Writer& writer);
    StatusCode activate_session(Session& session, std::uint64_t connection, Reader& reader, Writer& writer);
    // Attributes
    StatusCode read(Session& session, Reader& reader, Writer& writer);
    StatusCode write(Session& session, Reader& reader, Writer& writer);
    DataValue read_attribute(const NodeId& id, std::uint32_t attribute);
    StatusCode write_value(const NodeId& id, std::uint32_t attribute, const DataValue& value);
    // View
    StatusCode browse(Session& session, Reader& reader, Writer& writer);
    StatusCode browse_next(Session& session, Reader& reader, Writer& writer);
    StatusCode translate(Session& session, Reader& reader, Writer& writer);
    StatusCode register_nodes(Session& session, Reader& reader, Writer& writer);
    StatusCode unregister_nodes(Session& session, Reader& reader, Writer& writer);
    void browse_result(Session& session, StatusCode code, std::deque<Bytes> references, std::uint32_t most,
                       Writer& writer);
    // Subscriptions
    StatusCode create_subscription(Session& session, Reader& reader, Writer& writer);
    StatusCode modify_subscription(Session& session, Reader& reader, Writer& writer);
    StatusCode delete_subscriptions(Session& session, Reader& reader, Writer& writer);
    StatusCode set_publishing_mode(Session& session, Reader& reader, Writer& writer);
    StatusCode transfer_subscriptions(Session& session, Reader& reader, Writer& writer);
    StatusCode republish(Session& session, Reader& reader, Writer& writer);
    StatusCode create_monitored_items(Session& session, Reader& reader, Writer& writer);
    StatusCode modify_monitored_items(Session& session, Reader& reader, Writer& writer);
    StatusCode delete_monitored_items(Session& session, Reader& reader, Writer& writer);
    StatusCode set_monitoring_mode(Session& session, Reader& reader, Writer& writer);
    void publish(Session& session, const Reply& to, const Header& header, Reader& reader,
                 std::vector<Reply>& replies);
    Subscription* subscription_of(const Session& session, std::uint32_t id);
    void sample(MonitoredItem& item);
    void enqueue(MonitoredItem& item, DataValue value);
    void cycle(Subscription& subscription, std::vector<Reply>& replies, bool& gone);
    bool send(Subscription& subscription, Session& session, std::vector<Reply>& replies);
    void settle(Subscription& subscription, Reader& reader, Writer& writer);
    static StatusCode read_item_parameters(Reader& reader, MonitoredItem& item);
    static bool has_notifications(const Subscription& subscription);

    const EngineOptions options_;
    AddressSpace space_;
    const Clock::time_point started_;
    std::map<NodeId, Session> sessions_;  // by token
    std::map<std::uint32_t, Subscription> subscriptions_;
    std::uint32_t next_id_ = 1;
    std::uint64_t random_;
    StatusCode service_fault_ = status::kGood;
    SubscriptionFaults subscription_faults_;
    EngineCounters counters_;
};

}  // namespace fieldwarden::simulator::opcua
