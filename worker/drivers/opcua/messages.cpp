#include "worker/drivers/opcua/messages.h"

#include <cmath>

namespace fieldwarden::worker::opcua {

namespace {

constexpr std::uint32_t kAnonymousToken = 321;
constexpr std::uint32_t kUserNameToken = 324;
constexpr std::uint32_t kDataChangeFilter = 724;
constexpr std::uint32_t kDataChangeNotification = 811;
constexpr std::uint32_t kStatusChangeNotification = 820;
constexpr std::uint32_t kTimestampsBoth = 2;
constexpr std::uint32_t kReporting = 2;    // MonitoringMode
constexpr std::uint32_t kClient = 1;       // ApplicationType
constexpr std::uint32_t kStatusValue = 1;  // DataChangeTrigger
constexpr std::uint32_t kAbsoluteDeadband = 1;
constexpr std::uint32_t kAllFields = 63;  // of a reference
constexpr std::uint32_t kHierarchicalReferences = 33;

void skip_diagnostics_list(Decoder& in) {
    const auto count = in.array_length(1);
    for (std::size_t i = 0; i < count && !in.failed(); ++i) in.skip_diagnostics();
}

std::vector<StatusCode> status_list(Decoder& in) {
    auto list = in.array<StatusCode>(4, [](Decoder& from) { return from.get<StatusCode>(); });
    skip_diagnostics_list(in);
    return list;
}

void maybe_text(Encoder& out, std::string_view value) {
    if (value.empty()) {
        out.null_text();
    } else {
        out.text(value);
    }
}

// A NaN or negative duration of a server is none.
double duration(Decoder& in) {
    const auto value = in.get<double>();
    return std::isfinite(value) && value > 0 ? value : 0;
}

void skip_application(Decoder& in) {
    (void)in.text();            // application URI
    (void)in.text();            // product URI
    (void)in.localized_text();  // name
    (void)in.get<std::uint32_t>();
    (void)in.text();  // gateway
    (void)in.text();  // discovery profile
    (void)in.array<std::string>(4, [](Decoder& from) { return from.text(); });
}

}  // namespace

void RequestHeader::encode(Encoder& out) const {
    out.node(token);
    out.date_time(system_clock().utc_now());
    out.put(handle);
    out.put(std::uint32_t{0});  // no diagnostics
    out.null_text();            // no audit entry
    out.put(timeout_ms);
    out.null_extension();
}

void ResponseHeader::decode(Decoder& in) {
    (void)in.get<std::int64_t>();
    handle = in.get<std::uint32_t>();
    result = in.get<StatusCode>();
    in.skip_diagnostics();
    (void)in.array<std::string>(4, [](Decoder& from) { return from.text(); });
    (void)in.extension();
}

// --- channel ---------------------------------------------------------------------------------------------

Buffer encode_hello(const Limits& limits, std::string_view url) {
    Buffer chunk{'H', 'E', 'L', 'F'};
    Encoder out{chunk};
    out.put(static_cast<std::uint32_t>(kChunkHeader + 6 * 4 + url.size()));
    out.put(std::uint32_t{0});  // protocol version
    out.put(limits.receive_buffer);
    out.put(limits.send_buffer);
    out.put(limits.max_message);
    out.put(limits.max_chunks);
    out.text(url);
    return chunk;
}

Result<Limits> decode_acknowledge(View body) {
    constexpr std::uint32_t kLeastBuffer = 8'192;  // Part 6, 7.1.2.3
    Decoder in{body};
    Limits limits;
    (void)in.get<std::uint32_t>();
    limits.receive_buffer = in.get<std::uint32_t>();
    limits.send_buffer = in.get<std::uint32_t>();
    limits.max_message = in.get<std::uint32_t>();
    limits.max_chunks = in.get<std::uint32_t>();
    if (in.failed() || limits.receive_buffer < kLeastBuffer || limits.send_buffer < kLeastBuffer)
        return make_error(ErrorKind::kCorrupt,
                          "the server's Acknowledge is broken, or its buffers are under 8192 bytes");
    return limits;
}

TransportError decode_transport_error(View body) {
    Decoder in{body};
    TransportError error;
    error.code = in.get<StatusCode>();
    error.reason = in.text().substr(0, 512);
    return error;
}

void OpenSecureChannelRequest::encode(Encoder& out) const {
    out.put(std::uint32_t{0});  // protocol version
    out.put(std::uint32_t{renew ? 1U : 0U});
    out.put(static_cast<std::uint32_t>(mode));
    if (nonce.empty()) {
        out.null_bytes();
    } else {
        out.bytes(nonce);
    }
    out.put(lifetime_ms);
}

void OpenSecureChannelResponse::decode(Decoder& in) {
    (void)in.get<std::uint32_t>();
    channel = in.get<std::uint32_t>();
    token = in.get<std::uint32_t>();
    (void)in.get<std::int64_t>();
    lifetime_ms = in.get<std::uint32_t>();
    nonce = in.bytes();
}

// --- endpoints and sessions ------------------------------------------------------------------------------

void Endpoint::decode(Decoder& in) {
    url = in.text();
    skip_application(in);
    certificate = in.bytes();
    mode = in.get<std::uint32_t>();
    policy = in.text();
    tokens = in.array<TokenPolicy>(16, [](Decoder& from) {
        TokenPolicy token;
        token.id = from.text();
        token.type = from.get<std::uint32_t>();
        (void)from.text();  // issued token type
        (void)from.text();  // issuer
        token.security_policy = from.text();
        return token;
    });
    transport = in.text();
    level = in.get<std::uint8_t>();
}

void GetEndpointsRequest::encode(Encoder& out) const {
    out.text(url);
    out.null_array();  // locales
    out.null_array();  // profiles
}

namespace {
std::vector<Endpoint> endpoint_list(Decoder& in) {
    return in.array<Endpoint>(32, [](Decoder& from) {
        Endpoint endpoint;
        endpoint.decode(from);
        return endpoint;
    });
}
}  // namespace

void GetEndpointsResponse::decode(Decoder& in) {
    endpoints = endpoint_list(in);
}

void CreateSessionRequest::encode(Encoder& out) const {
    out.text(application_uri);
    out.text("urn:fieldwarden");  // product
    out.localized_text("Fieldwarden");
    out.put(kClient);
    out.null_text();   // gateway
    out.null_text();   // discovery profile
    out.null_array();  // discovery URLs
    out.null_text();   // server URI
    out.text(url);
    out.text(name);
    out.bytes(nonce);
    if (certificate.empty()) {
        out.null_bytes();
    } else {
        out.bytes(certificate);
    }
    out.put(timeout_ms);
    out.put(max_response);
}

void CreateSessionResponse::decode(Decoder& in) {
    session = in.node();
    token = in.node();
    timeout_ms = duration(in);
    nonce = in.bytes();
    certificate = in.bytes();
    endpoints = endpoint_list(in);
    const auto software = in.array_length(8);  // signed software certificates: never used
    for (std::size_t i = 0; i < software && !in.failed(); ++i) {
        (void)in.bytes();
        (void)in.bytes();
    }
    (void)in.text();  // algorithm
    signature = in.bytes();
    max_request = in.get<std::uint32_t>();
}

void ActivateSessionRequest::encode(Encoder& out) const {
    maybe_text(out, signature_algorithm);
    if (signature.empty()) {
        out.null_bytes();
    } else {
        out.bytes(signature);
    }
    out.null_array();  // software certificates
    out.null_array();  // locales
    if (anonymous) {
        out.extension(kAnonymousToken, [&](Encoder& body) { body.text(policy_id); });
    } else {
        out.extension(kUserNameToken, [&](Encoder& body) {
            body.text(policy_id);
            body.text(username);
            body.bytes(password);
            maybe_text(body, password_algorithm);
        });
    }
    out.null_text();  // user token signature: only of certificates
    out.null_bytes();
}

void ActivateSessionResponse::decode(Decoder& in) {
    nonce = in.bytes();
    (void)status_list(in);
}

// --- attributes ------------------------------------------------------------------------------------------

void encode_read_item(Encoder& out, const ReadItem& item) {
    out.node(item.node);
    out.put(static_cast<std::uint32_t>(item.attribute));
    maybe_text(out, item.index_range);
    out.put(
        std::uint16_t{0});  // the default encoding: a null name, which attributes other than Value insist on
    out.null_text();
}

void ReadRequest::encode(Encoder& out) const {
    out.put(0.0);  // max age: from the device, not from a cache
    out.put(kTimestampsBoth);
    out.array(items, encode_read_item);
}

void ReadResponse::decode(Decoder& in) {
    results = in.array<DataValue>(1, [](Decoder& from) { return from.data_value(); });
    skip_diagnostics_list(in);
}

void WriteRequest::encode(Encoder& out) const {
    out.put(std::int32_t{1});
    out.node(item.node);
    out.put(static_cast<std::uint32_t>(item.attribute));
    maybe_text(out, item.index_range);
    out.put(std::uint8_t{1});  // a DataValue with a value and nothing else
    out.variant(value);
}

void WriteResponse::decode(Decoder& in) {
    results = status_list(in);
}

// --- view ------------------------------------------------------------------------------------------------

void BrowseRequest::encode(Encoder& out) const {
    out.node({});  // no view
    out.put(std::int64_t{0});
    out.put(std::uint32_t{0});
    out.put(most);
    out.array(items, [](Encoder& to, const BrowseItem& item) {
        to.node(item.node);
        to.put(std::uint32_t{item.inverse ? 1U : 0U});
        to.node(item.reference_type);
        to.put(true);  // subtypes
        to.put(item.classes);
        to.put(kAllFields);
    });
}

void BrowseResponse::decode(Decoder& in) {
    results = in.array<BrowseResult>(12, [](Decoder& from) {
        BrowseResult result;
        result.status = from.get<StatusCode>();
        result.continuation = from.bytes();
        result.references = from.array<Reference>(18, [](Decoder& each) {
            Reference reference;
            (void)each.node();  // reference type
            (void)each.get<bool>();
            reference.node = each.expanded_node(&reference.remote);
            reference.browse_name = each.qualified_name();
            reference.display_name = each.localized_text();
            reference.node_class = each.get<std::uint32_t>();
            (void)each.expanded_node();  // type definition
            return reference;
        });
        return result;
    });
    skip_diagnostics_list(in);
}

void BrowseNextRequest::encode(Encoder& out) const {
    out.put(release);
    out.array(continuations, [](Encoder& to, const Buffer& each) { to.bytes(each); });
}

void TranslateRequest::encode(Encoder& out) const {
    out.array(paths, [&](Encoder& to, const std::vector<BrowseName>& path) {
        to.node(start);
        to.array(path, [](Encoder& each, const BrowseName& step) {
            each.node({0, kHierarchicalReferences});
            each.put(false);  // forward
            each.put(true);   // subtypes
            each.qualified_name({step.ns, step.name});
        });
    });
}

void TranslateResponse::decode(Decoder& in) {
    constexpr std::uint32_t kToTheEnd = UINT32_MAX;
    results = in.array<TranslateResult>(8, [](Decoder& from) {
        TranslateResult result;
        result.status = from.get<StatusCode>();
        const auto count = from.array_length(6);
        for (std::size_t i = 0; i < count && !from.failed(); ++i) {
            bool remote = false;
            auto node = from.expanded_node(&remote);
            if (from.get<std::uint32_t>() == kToTheEnd && !remote) result.targets.push_back(std::move(node));
        }
        return result;
    });
    skip_diagnostics_list(in);
}

// --- subscriptions ---------------------------------------------------------------------------------------

void CreateSubscriptionRequest::encode(Encoder& out) const {
    out.put(interval_ms);
    out.put(lifetime_count);
    out.put(keep_alive_count);
    out.put(std::uint32_t{0});  // notifications per publish: no limit of ours
    out.put(true);              // publishing
    out.put(std::uint8_t{0});   // priority
}

void CreateSubscriptionResponse::decode(Decoder& in) {
    id = in.get<std::uint32_t>();
    interval_ms = duration(in);
    lifetime_count = in.get<std::uint32_t>();
    keep_alive_count = in.get<std::uint32_t>();
}

void CreateMonitoredItemsRequest::encode(Encoder& out) const {
    out.put(subscription);
    out.put(kTimestampsBoth);
    out.array(items, [](Encoder& to, const MonitoredItem& item) {
        encode_read_item(to, item.item);
        to.put(kReporting);
        to.put(item.handle);
        to.put(item.sampling_ms);
        if (item.deadband > 0) {
            to.extension(kDataChangeFilter, [&](Encoder& body) {
                body.put(kStatusValue);
                body.put(kAbsoluteDeadband);
                body.put(item.deadband);
            });
        } else {
            to.null_extension();
        }
        to.put(item.queue_size);
        to.put(true);  // the oldest is discarded first
    });
}

void CreateMonitoredItemsResponse::decode(Decoder& in) {
    results = in.array<CreatedItem>(23, [](Decoder& from) {
        CreatedItem item;
        item.status = from.get<StatusCode>();
        item.id = from.get<std::uint32_t>();
        (void)from.get<double>();
        (void)from.get<std::uint32_t>();
        (void)from.extension();
        return item;
    });
    skip_diagnostics_list(in);
}

void DeleteMonitoredItemsRequest::encode(Encoder& out) const {
    out.put(subscription);
    out.array(items, [](Encoder& to, std::uint32_t id) { to.put(id); });
}

void StatusList::decode(Decoder& in) {
    results = status_list(in);
}

void DeleteSubscriptionsRequest::encode(Encoder& out) const {
    out.put(std::int32_t{1});
    out.put(subscription);
}

void TransferSubscriptionsRequest::encode(Encoder& out) const {
    out.put(std::int32_t{1});
    out.put(subscription);
    out.put(send_initial_values);
}

void TransferSubscriptionsResponse::decode(Decoder& in) {
    results = in.array<StatusCode>(8, [](Decoder& from) {
        const auto status = from.get<StatusCode>();
        (void)from.array<std::uint32_t>(4, [](Decoder& each) { return each.get<std::uint32_t>(); });
        return status;
    });
    skip_diagnostics_list(in);
}

void Notification::decode(Decoder& in) {
    sequence = in.get<std::uint32_t>();
    (void)in.get<std::int64_t>();
    const auto count = in.array_length(3);
    carries_data = count != 0;
    for (std::size_t i = 0; i < count && !in.failed(); ++i) {
        const auto part = in.extension();
        Decoder body{part.body};
        if (part.type == kDataChangeNotification) {
            auto more = body.array<Change>(5, [](Decoder& from) {
                Change change;
                change.handle = from.get<std::uint32_t>();
                change.value = from.data_value();
                return change;
            });
            skip_diagnostics_list(body);
            if (body.failed()) in.fail();
            if (changes.empty()) {
                changes = std::move(more);
            } else {
                changes.insert(changes.end(), std::make_move_iterator(more.begin()),
                               std::make_move_iterator(more.end()));
            }
        } else if (part.type == kStatusChangeNotification) {
            status_change = body.get<StatusCode>();
            if (body.failed()) in.fail();
        }
    }
}

void PublishRequest::encode(Encoder& out) const {
    out.array(acknowledgements, [](Encoder& to, const Acknowledgement& each) {
        to.put(each.subscription);
        to.put(each.sequence);
    });
}

void PublishResponse::decode(Decoder& in) {
    subscription = in.get<std::uint32_t>();
    (void)in.array<std::uint32_t>(
        4, [](Decoder& from) { return from.get<std::uint32_t>(); });  // kept for Republish
    more = in.get<bool>();
    notification.decode(in);
    (void)status_list(in);  // of the acknowledgements
}

void RepublishRequest::encode(Encoder& out) const {
    out.put(subscription);
    out.put(sequence);
}

}  // namespace fieldwarden::worker::opcua
