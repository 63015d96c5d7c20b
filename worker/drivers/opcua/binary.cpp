#include "worker/drivers/opcua/binary.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace fieldwarden::worker::opcua {

namespace {

using std::chrono::microseconds;

constexpr std::int64_t kTicksPerMicrosecond = 10;
// 1601-01-01 to 1970-01-01.
constexpr std::int64_t kEpochTicks = 116'444'736'000'000'000;
// 9999-12-31T23:59:59Z: "no end" (Part 6, 5.2.2.5).
constexpr std::int64_t kLastTicks = 2'650'467'743'990'000'000;

// NodeId encodings (Part 6, table 5).
constexpr std::uint8_t kTwoByte = 0;
constexpr std::uint8_t kFourByte = 1;
constexpr std::uint8_t kNumeric = 2;
constexpr std::uint8_t kString = 3;
constexpr std::uint8_t kGuid = 4;
constexpr std::uint8_t kByteString = 5;
constexpr std::uint8_t kNamespaceUri = 0x80;
constexpr std::uint8_t kServerIndex = 0x40;

constexpr std::uint8_t kArrayBit = 0x80;
constexpr std::uint8_t kDimensionsBit = 0x40;
constexpr std::size_t kMostDimensions = 16;

// Data1, Data2 and Data3 are numbers and so little-endian on the wire; the text has the high byte first.
constexpr std::array<std::size_t, 16> kGuidOrder{3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};

Guid guid_of(View wire) {
    Guid guid;
    for (std::size_t i = 0; i < wire.size() && i < 16; ++i) guid.bytes[kGuidOrder[i]] = wire[i];
    return guid;
}

View bytes_of(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

// The fewest bytes a value takes in an array.
std::size_t least_size(BuiltInType type) {
    switch (type) {
        case BuiltInType::kNull:
        case BuiltInType::kBoolean:
        case BuiltInType::kSByte:
        case BuiltInType::kByte:
        case BuiltInType::kLocalizedText:
        case BuiltInType::kDataValue:
        case BuiltInType::kVariant:
        case BuiltInType::kDiagnosticInfo:
            return 1;
        case BuiltInType::kInt16:
        case BuiltInType::kUInt16:
        case BuiltInType::kNodeId:
        case BuiltInType::kExpandedNodeId:
            return 2;
        case BuiltInType::kExtensionObject:
            return 3;
        case BuiltInType::kInt32:
        case BuiltInType::kUInt32:
        case BuiltInType::kFloat:
        case BuiltInType::kString:
        case BuiltInType::kByteString:
        case BuiltInType::kXmlElement:
        case BuiltInType::kStatusCode:
            return 4;
        case BuiltInType::kQualifiedName:
            return 6;
        case BuiltInType::kInt64:
        case BuiltInType::kUInt64:
        case BuiltInType::kDouble:
        case BuiltInType::kDateTime:
            return 8;
        case BuiltInType::kGuid:
            return 16;
    }
    return 1;
}

}  // namespace

std::int64_t to_date_time(UtcTime time) {
    return time.time_since_epoch().count() * kTicksPerMicrosecond + kEpochTicks;
}

std::optional<UtcTime> from_date_time(std::int64_t ticks) {
    if (ticks <= 0 || ticks >= kLastTicks) return std::nullopt;
    return UtcTime{microseconds{(ticks - kEpochTicks) / kTicksPerMicrosecond}};
}

std::string_view type_name(BuiltInType type) {
    constexpr std::array<std::string_view, 26> kNames{
        "Null",           "Boolean",       "SByte",         "Byte",          "Int16",           "UInt16",
        "Int32",          "UInt32",        "Int64",         "UInt64",        "Float",           "Double",
        "String",         "DateTime",      "Guid",          "ByteString",    "XmlElement",      "NodeId",
        "ExpandedNodeId", "StatusCode",    "QualifiedName", "LocalizedText", "ExtensionObject", "DataValue",
        "Variant",        "DiagnosticInfo"};
    const auto number = static_cast<std::size_t>(type);
    return number < kNames.size() ? kNames[number] : "a type that the standard does not know";
}

// --- encoding --------------------------------------------------------------------------------------------

void Encoder::text(std::string_view value) {
    put(static_cast<std::int32_t>(value.size()));
    raw(bytes_of(value));
}

void Encoder::bytes(View value) {
    put(static_cast<std::int32_t>(value.size()));
    raw(value);
}

void Encoder::node(const NodeId& id) {
    if (const auto* number = std::get_if<std::uint32_t>(&id.identifier)) {
        if (id.ns == 0 && *number <= 0xff) {
            put(kTwoByte);
            put(static_cast<std::uint8_t>(*number));
        } else if (id.ns <= 0xff && *number <= 0xffff) {
            put(kFourByte);
            put(static_cast<std::uint8_t>(id.ns));
            put(static_cast<std::uint16_t>(*number));
        } else {
            put(kNumeric);
            put(id.ns);
            put(*number);
        }
    } else if (const auto* name = std::get_if<std::string>(&id.identifier)) {
        put(kString);
        put(id.ns);
        text(*name);
    } else if (const auto* guid = std::get_if<Guid>(&id.identifier)) {
        put(kGuid);
        put(id.ns);
        for (const auto at : kGuidOrder) put(guid->bytes[at]);
    } else {
        put(kByteString);
        put(id.ns);
        text(std::get<OpaqueId>(id.identifier).bytes);
    }
}

void Encoder::qualified_name(const QualifiedName& name) {
    put(name.ns);
    text(name.name);
}

void Encoder::localized_text(std::string_view value) {
    put(std::uint8_t{2});  // text, no locale
    text(value);
}

void Encoder::null_extension() {
    node({});
    put(std::uint8_t{0});
}

void Encoder::scalar(BuiltInType type, const Value& value) {
    const auto whole = [&]() -> std::int64_t {
        if (const auto* number = std::get_if<std::int64_t>(&value)) return *number;
        if (const auto* number = std::get_if<std::uint64_t>(&value))
            return static_cast<std::int64_t>(*number);
        return 0;
    };
    const auto real = [&] {
        const auto* number = std::get_if<double>(&value);
        return number == nullptr ? 0.0 : *number;
    };
    const auto* given = std::get_if<std::string>(&value);
    const std::string_view chars = given == nullptr ? std::string_view{} : *given;
    switch (type) {
        case BuiltInType::kBoolean:
            return put(std::holds_alternative<bool>(value) && std::get<bool>(value));
        case BuiltInType::kSByte:
            return put(static_cast<std::int8_t>(whole()));
        case BuiltInType::kByte:
            return put(static_cast<std::uint8_t>(whole()));
        case BuiltInType::kInt16:
            return put(static_cast<std::int16_t>(whole()));
        case BuiltInType::kUInt16:
            return put(static_cast<std::uint16_t>(whole()));
        case BuiltInType::kInt32:
            return put(static_cast<std::int32_t>(whole()));
        case BuiltInType::kUInt32:
        case BuiltInType::kStatusCode:
            return put(static_cast<std::uint32_t>(whole()));
        case BuiltInType::kInt64:
        case BuiltInType::kUInt64:
        case BuiltInType::kDateTime:
            return put(whole());
        case BuiltInType::kFloat:
            return put(static_cast<float>(real()));
        case BuiltInType::kDouble:
            return put(real());
        case BuiltInType::kString:
        case BuiltInType::kByteString:
        case BuiltInType::kXmlElement:
            return text(chars);
        case BuiltInType::kLocalizedText:
            return localized_text(chars);
        case BuiltInType::kGuid: {
            const auto guid = parse_guid(chars);
            for (const auto at : kGuidOrder) put(guid ? guid->bytes[at] : std::uint8_t{0});
            return;
        }
        case BuiltInType::kNull:
        case BuiltInType::kNodeId:
        case BuiltInType::kExpandedNodeId:
        case BuiltInType::kQualifiedName:
        case BuiltInType::kExtensionObject:
        case BuiltInType::kDataValue:
        case BuiltInType::kVariant:
        case BuiltInType::kDiagnosticInfo:
            return;
    }
}

void Encoder::variant(const Variant& value) {
    put(static_cast<std::uint8_t>(static_cast<std::uint8_t>(value.type) | (value.is_array ? kArrayBit : 0) |
                                  (value.dimensions.size() > 1 ? kDimensionsBit : 0)));
    if (value.is_array) put(static_cast<std::int32_t>(value.values.size()));
    for (const auto& each : value.values) scalar(value.type, each);
    if (value.dimensions.size() > 1)
        array(value.dimensions,
              [](Encoder& out, std::uint32_t size) { out.put(static_cast<std::int32_t>(size)); });
}

// --- decoding --------------------------------------------------------------------------------------------

View Decoder::raw(std::size_t count) {
    if (in_.size() - at_ < count) {
        fail();
        return {};
    }
    const auto bytes = in_.subspan(at_, count);
    at_ += count;
    return bytes;
}

std::size_t Decoder::array_length(std::size_t least) {
    const auto length = get<std::int32_t>();
    if (length <= 0) return 0;  // null arrays have -1; other negative lengths are read as null too
    const auto count = static_cast<std::size_t>(length);
    if (count > remaining() / std::max<std::size_t>(least, 1) || count > kMostElements - elements_) {
        fail();
        return 0;
    }
    elements_ += count;
    return count;
}

std::optional<std::string> Decoder::maybe_text() {
    const auto length = get<std::int32_t>();
    if (failed_ || length < 0) return std::nullopt;
    const auto bytes = raw(static_cast<std::size_t>(length));
    return std::string{reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string Decoder::text() {
    return maybe_text().value_or(std::string{});
}

Buffer Decoder::bytes() {
    const auto length = get<std::int32_t>();
    if (failed_ || length < 0) return {};
    const auto taken = raw(static_cast<std::size_t>(length));
    return {taken.begin(), taken.end()};
}

NodeId Decoder::node_of(std::uint8_t encoding) {
    NodeId id;
    switch (encoding) {
        case kTwoByte:
            id.identifier = std::uint32_t{get<std::uint8_t>()};
            return id;
        case kFourByte:
            id.ns = get<std::uint8_t>();
            id.identifier = std::uint32_t{get<std::uint16_t>()};
            return id;
        case kNumeric:
            id.ns = get<std::uint16_t>();
            id.identifier = get<std::uint32_t>();
            return id;
        case kString:
            id.ns = get<std::uint16_t>();
            id.identifier = text();
            return id;
        case kGuid:
            id.ns = get<std::uint16_t>();
            id.identifier = guid_of(raw(16));
            return id;
        case kByteString:
            id.ns = get<std::uint16_t>();
            id.identifier = OpaqueId{text()};
            return id;
        default:
            fail();
            return id;
    }
}

NodeId Decoder::node() {
    return node_of(get<std::uint8_t>());
}

NodeId Decoder::expanded_node(bool* remote) {
    const auto encoding = get<std::uint8_t>();
    auto id = node_of(encoding & static_cast<std::uint8_t>(~(kNamespaceUri | kServerIndex)));
    bool elsewhere = false;
    if ((encoding & kNamespaceUri) != 0) elsewhere = !text().empty();
    if ((encoding & kServerIndex) != 0) elsewhere = get<std::uint32_t>() != 0 || elsewhere;
    if (remote != nullptr) *remote = elsewhere;
    return id;
}

QualifiedName Decoder::qualified_name() {
    QualifiedName name;
    name.ns = get<std::uint16_t>();
    name.name = text();
    return name;
}

std::string Decoder::localized_text() {
    const auto mask = get<std::uint8_t>();
    if ((mask & 1) != 0) (void)text();
    return (mask & 2) != 0 ? text() : std::string{};
}

Decoder::Extension Decoder::extension() {
    Extension out;
    const auto type = node();
    if (type.ns == 0) {
        if (const auto* number = std::get_if<std::uint32_t>(&type.identifier)) out.type = *number;
    }
    const auto encoding = get<std::uint8_t>();
    if (encoding == 0) return out;
    if (encoding > 2) fail();  // 1: bytes, 2: XML
    const auto length = get<std::int32_t>();
    if (failed_ || length < 0) return out;
    const auto body = raw(static_cast<std::size_t>(length));
    if (encoding == 1) out.body = body;
    return out;
}

// Part 6, 5.2.2.12. Not used: what a server says besides its status codes is not shown.
void Decoder::skip_diagnostics() {
    if (!enter()) return;
    const auto mask = get<std::uint8_t>();
    for (unsigned bit = 0; bit < 4; ++bit)
        if ((mask >> bit & 1) != 0) (void)get<std::int32_t>();
    if ((mask & 0x10) != 0) (void)maybe_text();
    if ((mask & 0x20) != 0) (void)get<std::uint32_t>();
    if ((mask & 0x40) != 0) skip_diagnostics();
    if ((mask & 0x80) != 0) fail();
    leave();
}

Value Decoder::scalar(BuiltInType type) {
    const auto maybe = [&]() -> Value {
        auto value = maybe_text();
        if (value) return std::move(*value);
        return std::monostate{};
    };
    switch (type) {
        case BuiltInType::kNull:
            return std::monostate{};
        case BuiltInType::kBoolean:
            return get<bool>();
        case BuiltInType::kSByte:
            return std::int64_t{get<std::int8_t>()};
        case BuiltInType::kByte:
            return std::uint64_t{get<std::uint8_t>()};
        case BuiltInType::kInt16:
            return std::int64_t{get<std::int16_t>()};
        case BuiltInType::kUInt16:
            return std::uint64_t{get<std::uint16_t>()};
        case BuiltInType::kInt32:
            return std::int64_t{get<std::int32_t>()};
        case BuiltInType::kUInt32:
        case BuiltInType::kStatusCode:
            return std::uint64_t{get<std::uint32_t>()};
        case BuiltInType::kInt64:
        case BuiltInType::kDateTime:
            return get<std::int64_t>();
        case BuiltInType::kUInt64:
            return get<std::uint64_t>();
        case BuiltInType::kFloat:
            return double{get<float>()};
        case BuiltInType::kDouble:
            return get<double>();
        case BuiltInType::kString:
        case BuiltInType::kByteString:
        case BuiltInType::kXmlElement:
            return maybe();
        case BuiltInType::kGuid:
            return format_guid(guid_of(raw(16)));
        case BuiltInType::kNodeId:
            return format_node_id(node());
        case BuiltInType::kExpandedNodeId:
            return format_node_id(expanded_node());
        case BuiltInType::kQualifiedName: {
            const auto name = qualified_name();
            return name.ns == 0 ? name.name : fmt::format("{}:{}", name.ns, name.name);
        }
        case BuiltInType::kLocalizedText:
            return localized_text();
        case BuiltInType::kExtensionObject:
            (void)extension();
            return std::monostate{};
        case BuiltInType::kDataValue:
            (void)data_value();
            return std::monostate{};
        case BuiltInType::kDiagnosticInfo:
            skip_diagnostics();
            return std::monostate{};
        case BuiltInType::kVariant:
            fail();  // a scalar Variant in a Variant is not allowed (Part 6, 5.2.2.16)
            return std::monostate{};
    }
    return maybe();  // 26 to 31: a ByteString
}

Variant Decoder::variant() {
    Variant out;
    if (!enter()) return out;
    const auto mask = get<std::uint8_t>();
    const auto number = static_cast<std::uint8_t>(mask & 0x3f);
    if (number > 31) fail();
    out.type = static_cast<BuiltInType>(number);
    out.is_array = (mask & kArrayBit) != 0;
    if (!out.is_array) {
        if (out.type != BuiltInType::kNull) out.values.push_back(scalar(out.type));
    } else {
        const auto count = array_length(least_size(out.type));
        if (out.type == BuiltInType::kNull && count != 0) fail();
        if (out.type == BuiltInType::kVariant) {
            out.nested.reserve(std::min<std::size_t>(count, 1024));
            for (std::size_t i = 0; i < count && !failed_; ++i) out.nested.push_back(variant());
        } else {
            out.values.reserve(failed_ ? 0 : count);
            for (std::size_t i = 0; i < count && !failed_; ++i) out.values.push_back(scalar(out.type));
        }
    }
    if ((mask & kDimensionsBit) != 0) {
        const auto sizes = array<std::int32_t>(4, [](Decoder& in) { return in.get<std::int32_t>(); });
        // They are a claim about the array that is there; one that does not hold is dropped with the message.
        std::uint64_t product = 1;
        for (const auto size : sizes) {
            if (size < 0) fail();
            const auto length = static_cast<std::uint64_t>(std::max(size, 0));
            product = std::min<std::uint64_t>(product * length, UINT32_MAX);
            out.dimensions.push_back(static_cast<std::uint32_t>(length));
        }
        if (sizes.size() > kMostDimensions) fail();
        const auto held = out.nested.empty() ? out.values.size() : out.nested.size();
        if (!sizes.empty() && (!out.is_array || product != held)) fail();
        if (failed_ || out.dimensions.size() == 1 || held == 0) out.dimensions.clear();
    }
    leave();
    return out;
}

DataValue Decoder::data_value() {
    DataValue out;
    if (!enter()) return out;
    const auto mask = get<std::uint8_t>();
    if ((mask & 0x01) != 0) out.value = variant();
    if ((mask & 0x02) != 0) out.status = get<std::uint32_t>();
    if ((mask & 0x04) != 0) out.source_time = date_time();
    if ((mask & 0x10) != 0) (void)get<std::uint16_t>();  // picoseconds
    if ((mask & 0x08) != 0) out.server_time = date_time();
    if ((mask & 0x20) != 0) (void)get<std::uint16_t>();
    leave();
    return out;
}

}  // namespace fieldwarden::worker::opcua
