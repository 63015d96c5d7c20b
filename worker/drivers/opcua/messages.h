// The services a client calls (OPC UA Part 4; encodings of Part 6, 5.2.6; type ids of the NodeIds.csv that
// belongs to Part 6). Pure. A request encodes what follows its RequestHeader, an answer decodes what follows
// its ResponseHeader; the session writes the headers.
#pragma once

#include "worker/drivers/opcua/binary.h"
#include "worker/drivers/opcua/chunks.h"

namespace fieldwarden::worker::opcua {

inline constexpr std::uint32_t kServiceFault = 397;

struct RequestHeader {
    NodeId token;
    std::uint32_t handle = 0;
    std::uint32_t timeout_ms = 0;
    void encode(Encoder& out) const;
};
struct ResponseHeader {
    std::uint32_t handle = 0;
    StatusCode result = 0;
    void decode(Decoder& in);
};

// --- channel ---------------------------------------------------------------------------------------------

struct Limits {  // of HEL and ACK (Part 6, 7.1.2.3)
    std::uint32_t receive_buffer = 65'535;
    std::uint32_t send_buffer = 65'535;
    std::uint32_t max_message = 4U << 20;
    std::uint32_t max_chunks = 1'024;
    bool operator==(const Limits&) const = default;
};
Buffer encode_hello(const Limits& limits, std::string_view url);
Result<Limits> decode_acknowledge(View body);
struct TransportError {
    StatusCode code = 0;
    std::string reason;
};
TransportError decode_transport_error(View body);

struct OpenSecureChannelRequest {
    static constexpr std::uint32_t kType = 446;
    bool renew = false;
    SecurityMode mode = SecurityMode::kNone;
    Buffer nonce;
    std::uint32_t lifetime_ms = 0;
    void encode(Encoder& out) const;
};
struct OpenSecureChannelResponse {
    static constexpr std::uint32_t kType = 449;
    std::uint32_t channel = 0;
    std::uint32_t token = 0;
    std::uint32_t lifetime_ms = 0;
    Buffer nonce;
    void decode(Decoder& in);
};
struct CloseSecureChannelRequest {
    static constexpr std::uint32_t kType = 452;
    void encode(Encoder&) const {}
};

// --- endpoints and sessions ------------------------------------------------------------------------------

enum class TokenType : std::uint32_t { kAnonymous = 0, kUserName = 1, kCertificate = 2, kIssued = 3 };
struct TokenPolicy {
    std::string id;
    std::uint32_t type = 0;
    std::string security_policy;  // empty: the endpoint's
};
struct Endpoint {
    std::string url;
    Buffer certificate;
    std::uint32_t mode = 0;
    std::string policy;
    std::vector<TokenPolicy> tokens;
    std::string transport;
    std::uint8_t level = 0;
    void decode(Decoder& in);
};
struct GetEndpointsRequest {
    static constexpr std::uint32_t kType = 428;
    std::string url;
    void encode(Encoder& out) const;
};
struct GetEndpointsResponse {
    static constexpr std::uint32_t kType = 431;
    std::vector<Endpoint> endpoints;
    void decode(Decoder& in);
};
struct CreateSessionRequest {
    static constexpr std::uint32_t kType = 461;
    std::string application_uri;
    std::string url;
    std::string name;
    Buffer nonce;
    Buffer certificate;
    double timeout_ms = 0;
    std::uint32_t max_response = 0;
    void encode(Encoder& out) const;
};
struct CreateSessionResponse {
    static constexpr std::uint32_t kType = 464;
    NodeId session;
    NodeId token;
    double timeout_ms = 0;
    Buffer nonce;
    Buffer certificate;
    std::vector<Endpoint> endpoints;
    Buffer signature;
    std::uint32_t max_request = 0;
    void decode(Decoder& in);
};
struct ActivateSessionRequest {
    static constexpr std::uint32_t kType = 467;
    std::string_view signature_algorithm;  // empty without security
    Buffer signature;
    std::string policy_id;
    bool anonymous = true;
    std::string username;
    Buffer password;  // encrypted, or plain when the algorithm is empty
    std::string_view password_algorithm;
    void encode(Encoder& out) const;
};
struct ActivateSessionResponse {
    static constexpr std::uint32_t kType = 470;
    Buffer nonce;
    void decode(Decoder& in);
};
struct CloseSessionRequest {
    static constexpr std::uint32_t kType = 473;
    bool delete_subscriptions = true;
    void encode(Encoder& out) const { out.put(delete_subscriptions); }
};
struct CloseSessionResponse {
    static constexpr std::uint32_t kType = 476;
    void decode(Decoder&) {}
};

// --- attributes ------------------------------------------------------------------------------------------

enum class Attribute : std::uint32_t {
    kNodeClass = 2,
    kDataType = 14,
    kValue = 13,
    kValueRank = 15,
    kArrayDimensions = 16,
    kUserAccessLevel = 18,
};
struct ReadItem {
    NodeId node;
    Attribute attribute = Attribute::kValue;
    std::string index_range;
};
void encode_read_item(Encoder& out, const ReadItem& item);
struct ReadRequest {
    static constexpr std::uint32_t kType = 631;
    std::span<const ReadItem> items;
    void encode(Encoder& out) const;
};
struct ReadResponse {
    static constexpr std::uint32_t kType = 634;
    std::vector<DataValue> results;
    void decode(Decoder& in);
};
struct WriteRequest {  // of one value
    static constexpr std::uint32_t kType = 673;
    ReadItem item;
    Variant value;
    void encode(Encoder& out) const;
};
struct WriteResponse {
    static constexpr std::uint32_t kType = 676;
    std::vector<StatusCode> results;
    void decode(Decoder& in);
};

// --- view ------------------------------------------------------------------------------------------------

enum class NodeClass : std::uint32_t {
    kObject = 1,
    kVariable = 2,
    kMethod = 4,
    kObjectType = 8,
    kVariableType = 16,
    kReferenceType = 32,
    kDataType = 64,
    kView = 128,
};
struct BrowseItem {
    NodeId node;
    bool inverse = false;
    NodeId reference_type;  // with its subtypes
    std::uint32_t classes = 0;
};
struct BrowseRequest {
    static constexpr std::uint32_t kType = 527;
    std::vector<BrowseItem> items;
    std::uint32_t most = 0;  // references per node; 0: no limit of ours
    void encode(Encoder& out) const;
};
struct Reference {
    NodeId node;
    bool remote = false;  // in another server
    QualifiedName browse_name;
    std::string display_name;
    std::uint32_t node_class = 0;
};
struct BrowseResult {
    StatusCode status = 0;
    Buffer continuation;
    std::vector<Reference> references;
};
struct BrowseResponse {
    static constexpr std::uint32_t kType = 530;
    std::vector<BrowseResult> results;
    void decode(Decoder& in);
};
struct BrowseNextRequest {
    static constexpr std::uint32_t kType = 533;
    bool release = false;
    std::vector<Buffer> continuations;
    void encode(Encoder& out) const;
};
struct BrowseNextResponse : BrowseResponse {
    static constexpr std::uint32_t kType = 536;
};
struct TranslateRequest {
    static constexpr std::uint32_t kType = 554;
    NodeId start;
    std::vector<std::vector<BrowseName>> paths;
    void encode(Encoder& out) const;
};
struct TranslateResult {
    StatusCode status = 0;
    std::vector<NodeId> targets;  // of this server, found to the end
};
struct TranslateResponse {
    static constexpr std::uint32_t kType = 557;
    std::vector<TranslateResult> results;
    void decode(Decoder& in);
};

// --- subscriptions ---------------------------------------------------------------------------------------

struct CreateSubscriptionRequest {
    static constexpr std::uint32_t kType = 787;
    double interval_ms = 0;
    std::uint32_t lifetime_count = 0;
    std::uint32_t keep_alive_count = 0;
    void encode(Encoder& out) const;
};
struct CreateSubscriptionResponse {
    static constexpr std::uint32_t kType = 790;
    std::uint32_t id = 0;
    double interval_ms = 0;
    std::uint32_t lifetime_count = 0;
    std::uint32_t keep_alive_count = 0;
    void decode(Decoder& in);
};
struct MonitoredItem {
    ReadItem item;
    std::uint32_t handle = 0;
    double sampling_ms = 0;
    std::uint32_t queue_size = 1;
    double deadband = 0;  // absolute, of the raw value; 0: none
};
struct CreateMonitoredItemsRequest {
    static constexpr std::uint32_t kType = 751;
    std::uint32_t subscription = 0;
    std::span<const MonitoredItem> items;
    void encode(Encoder& out) const;
};
struct CreatedItem {
    StatusCode status = 0;
    std::uint32_t id = 0;
};
struct CreateMonitoredItemsResponse {
    static constexpr std::uint32_t kType = 754;
    std::vector<CreatedItem> results;
    void decode(Decoder& in);
};
struct DeleteMonitoredItemsRequest {
    static constexpr std::uint32_t kType = 781;
    std::uint32_t subscription = 0;
    std::vector<std::uint32_t> items;
    void encode(Encoder& out) const;
};
struct StatusList {
    std::vector<StatusCode> results;
    void decode(Decoder& in);
};
struct DeleteMonitoredItemsResponse : StatusList {
    static constexpr std::uint32_t kType = 784;
};
struct DeleteSubscriptionsRequest {
    static constexpr std::uint32_t kType = 847;
    std::uint32_t subscription = 0;
    void encode(Encoder& out) const;
};
struct DeleteSubscriptionsResponse : StatusList {
    static constexpr std::uint32_t kType = 850;
};
struct TransferSubscriptionsRequest {
    static constexpr std::uint32_t kType = 841;
    std::uint32_t subscription = 0;
    bool send_initial_values = true;
    void encode(Encoder& out) const;
};
struct TransferSubscriptionsResponse {
    static constexpr std::uint32_t kType = 844;
    std::vector<StatusCode> results;
    void decode(Decoder& in);
};

struct Change {
    std::uint32_t handle = 0;
    DataValue value;
};
struct Notification {
    std::uint32_t sequence = 0;
    std::vector<Change> changes;
    std::optional<StatusCode> status_change;  // the subscription ended, or moved to another session
    void decode(Decoder& in);
    [[nodiscard]] bool keep_alive() const { return !carries_data && !status_change; }
    bool carries_data = false;
};
struct Acknowledgement {
    std::uint32_t subscription = 0;
    std::uint32_t sequence = 0;
};
struct PublishRequest {
    static constexpr std::uint32_t kType = 826;
    std::vector<Acknowledgement> acknowledgements;
    void encode(Encoder& out) const;
};
struct PublishResponse {
    static constexpr std::uint32_t kType = 829;
    std::uint32_t subscription = 0;
    bool more = false;
    Notification notification;
    void decode(Decoder& in);
};
struct RepublishRequest {
    static constexpr std::uint32_t kType = 832;
    std::uint32_t subscription = 0;
    std::uint32_t sequence = 0;
    void encode(Encoder& out) const;
};
struct RepublishResponse {
    static constexpr std::uint32_t kType = 835;
    Notification notification;
    void decode(Decoder& in) { notification.decode(in); }
};

}  // namespace fieldwarden::worker::opcua
