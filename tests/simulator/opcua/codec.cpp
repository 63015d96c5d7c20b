#include "tests/simulator/opcua/codec.h"

#include <bit>
#include <chrono>

namespace fieldwarden::simulator::opcua {

namespace {

constexpr unsigned kDeepest = 16;

// OPC 10000-6, table 16: the encoding byte of a NodeId.
enum : std::uint8_t { kTwoByte = 0, kFourByte = 1, kNumeric = 2, kString = 3, kGuid = 4, kByteString = 5 };
constexpr std::uint8_t kHasUri = 0x80;
constexpr std::uint8_t kHasServer = 0x40;
// Of a Variant, table 25.
constexpr std::uint8_t kArray = 0x80;
constexpr std::uint8_t kDimensions = 0x40;

bool is_known(std::uint8_t type) {
    return (type >= 1 && type <= 15) || type == 17 || (type >= 19 && type <= 22);
}

}  // namespace

std::int64_t date_time_now() {
    using namespace std::chrono;
    constexpr std::int64_t kFrom1601To1970 = 11'644'473'600LL * 10'000'000;
    const auto since = duration_cast<nanoseconds>(system_clock::now().time_since_epoch()).count();
    return since / 100 + kFrom1601To1970;
}

// --- writing -----------------------------------------------------------------------------------------------

void Writer::float64(double value) {
    whole(std::bit_cast<std::uint64_t>(value));
}

void Writer::float32(float value) {
    whole(std::bit_cast<std::uint32_t>(value));
}

void Writer::string(std::string_view text) {
    count(text.size());
    bytes.insert(bytes.end(), text.begin(), text.end());
}

void Writer::node_id(const NodeId& id) {
    if (const auto* number = std::get_if<std::uint32_t>(&id.id)) {
        if (id.ns == 0 && *number < 256) {
            u8(kTwoByte);
            u8(static_cast<std::uint8_t>(*number));
        } else if (id.ns < 256 && *number < 65536) {
            u8(kFourByte);
            u8(static_cast<std::uint8_t>(id.ns));
            u16(static_cast<std::uint16_t>(*number));
        } else {
            u8(kNumeric);
            u16(id.ns);
            u32(*number);
        }
    } else if (const auto* text = std::get_if<std::string>(&id.id)) {
        u8(kString);
        u16(id.ns);
        string(*text);
    } else if (const auto* opaque = std::get_if<Bytes>(&id.id)) {
        u8(kByteString);
        u16(id.ns);
        count(opaque->size());
        raw(*opaque);
    } else {
        u8(kGuid);
        u16(id.ns);
        raw(std::get<3>(id.id));
    }
}

void Writer::qualified_name(const QualifiedName& name) {
    u16(name.ns);
    string(name.name);
}

void Writer::localized_text(std::string_view text) {
    u8(2);  // no locale, a text
    string(text);
}

void Writer::scalar(Type type, const Scalar& value) {
    const auto whole_value = [&]() -> std::uint64_t {
        if (const auto* number = std::get_if<std::int64_t>(&value))
            return static_cast<std::uint64_t>(*number);
        if (const auto* number = std::get_if<std::uint64_t>(&value)) return *number;
        return 0;
    };
    const auto real = [&] {
        const auto* number = std::get_if<double>(&value);
        return number == nullptr ? 0.0 : *number;
    };
    const auto text = [&]() -> std::string_view {
        const auto* found = std::get_if<std::string>(&value);
        return found == nullptr ? std::string_view{} : *found;
    };
    switch (type) {
        case Type::kNull:
            return;
        case Type::kBoolean:
        case Type::kSByte:
        case Type::kByte:
            return u8(static_cast<std::uint8_t>(whole_value()));
        case Type::kInt16:
        case Type::kUInt16:
            return u16(static_cast<std::uint16_t>(whole_value()));
        case Type::kInt32:
        case Type::kUInt32:
        case Type::kStatusCode:
            return u32(static_cast<std::uint32_t>(whole_value()));
        case Type::kInt64:
        case Type::kUInt64:
        case Type::kDateTime:
            return whole(whole_value());
        case Type::kFloat:
            return float32(static_cast<float>(real()));
        case Type::kDouble:
            return float64(real());
        case Type::kString:
        case Type::kByteString:
            return string(text());
        case Type::kGuid:
        case Type::kQualifiedName:
        case Type::kExtensionObject:
            return raw({reinterpret_cast<const std::uint8_t*>(text().data()), text().size()});
        case Type::kNodeId:
            return node_id(std::get<NodeId>(value));
        case Type::kLocalizedText:
            return localized_text(text());
    }
}

void Writer::variant(const Variant& value) {
    const auto type = static_cast<std::uint8_t>(value.type);
    u8(value.is_array ? static_cast<std::uint8_t>(type | kArray) : type);
    if (value.is_array) count(value.values.size());
    for (const auto& each : value.values) scalar(value.type, each);
}

void Writer::data_value(const DataValue& value, bool with_value) {
    std::uint8_t mask = 0;
    if (with_value && value.value.type != Type::kNull) mask |= 0x01;
    if (value.status != 0) mask |= 0x02;
    if (value.source_time != 0) mask |= 0x04;
    if (value.server_time != 0) mask |= 0x08;
    u8(mask);
    if ((mask & 0x01) != 0) variant(value.value);
    if ((mask & 0x02) != 0) u32(value.status);
    if ((mask & 0x04) != 0) i64(value.source_time);
    if ((mask & 0x08) != 0) i64(value.server_time);
}

void Writer::null_extension_object() {
    node_id({});
    u8(0);
}

void Writer::patch_u32(std::size_t at, std::uint32_t value) {
    for (std::size_t i = 0; i < 4; ++i) bytes[at + i] = static_cast<std::uint8_t>(value >> (8 * i));
}

// --- reading -----------------------------------------------------------------------------------------------

std::span<const std::uint8_t> Reader::take(std::size_t size) {
    if (!good_ || size > left()) {
        good_ = false;
        return {};
    }
    at_ += size;
    return bytes_.subspan(at_ - size, size);
}

std::size_t Reader::count(std::size_t least) {
    const auto size = i32();
    if (size <= 0) return 0;
    if (static_cast<std::uint64_t>(size) * least > left()) {
        good_ = false;
        return 0;
    }
    return static_cast<std::size_t>(size);
}

double Reader::float64() {
    return std::bit_cast<double>(whole<std::uint64_t>());
}

float Reader::float32() {
    return std::bit_cast<float>(whole<std::uint32_t>());
}

std::string Reader::string() {
    const auto from = take(count());
    return {from.begin(), from.end()};
}

NodeId Reader::node_id() {
    const auto encoding = u8();
    NodeId out;
    switch (encoding & 0x3F) {
        case kTwoByte:
            out.id = std::uint32_t{u8()};
            break;
        case kFourByte:
            out.ns = u8();
            out.id = std::uint32_t{u16()};
            break;
        case kNumeric:
            out.ns = u16();
            out.id = u32();
            break;
        case kString:
            out.ns = u16();
            out.id = string();
            break;
        case kGuid: {
            out.ns = u16();
            std::array<std::uint8_t, 16> guid{};
            const auto from = take(guid.size());
            std::copy(from.begin(), from.end(), guid.begin());
            out.id = guid;
            break;
        }
        case kByteString: {
            out.ns = u16();
            const auto from = take(count());
            out.id = Bytes(from.begin(), from.end());
            break;
        }
        default:
            good_ = false;
    }
    if ((encoding & kHasUri) != 0) (void)string();
    if ((encoding & kHasServer) != 0) (void)u32();
    return out;
}

NodeId Reader::expanded_node_id() {
    return node_id();
}

QualifiedName Reader::qualified_name() {
    const auto ns = u16();
    return {ns, string()};
}

std::string Reader::localized_text() {
    const auto mask = u8();
    if ((mask & 1) != 0) (void)string();
    return (mask & 2) != 0 ? string() : std::string{};
}

Scalar Reader::scalar(Type type) {
    switch (type) {
        case Type::kNull:
            return {};
        case Type::kBoolean:
            return std::uint64_t{boolean() ? 1U : 0U};
        case Type::kSByte:
            return std::int64_t{whole<std::int8_t>()};
        case Type::kByte:
            return std::uint64_t{u8()};
        case Type::kInt16:
            return std::int64_t{whole<std::int16_t>()};
        case Type::kUInt16:
            return std::uint64_t{u16()};
        case Type::kInt32:
            return std::int64_t{i32()};
        case Type::kUInt32:
        case Type::kStatusCode:
            return std::uint64_t{u32()};
        case Type::kInt64:
        case Type::kDateTime:
            return i64();
        case Type::kUInt64:
            return whole<std::uint64_t>();
        case Type::kFloat:
            return double{float32()};
        case Type::kDouble:
            return float64();
        case Type::kString:
        case Type::kByteString:
            return string();
        case Type::kGuid: {
            const auto from = take(16);
            return std::string(from.begin(), from.end());
        }
        case Type::kNodeId:
            return node_id();
        case Type::kQualifiedName: {
            Writer name;
            name.qualified_name(qualified_name());
            return std::string(name.bytes.begin(), name.bytes.end());
        }
        case Type::kLocalizedText:
            return localized_text();
        case Type::kExtensionObject: {
            const auto object = extension_object();
            return std::string(object.body.begin(), object.body.end());
        }
    }
    return {};
}

Variant Reader::variant(unsigned depth) {
    Variant out;
    const auto encoding = u8();
    const auto type = static_cast<std::uint8_t>(encoding & 0x3F);
    if (type == 0) return out;
    if (!is_known(type) || depth > kDeepest) {
        good_ = false;
        return out;
    }
    out.type = static_cast<Type>(type);
    out.is_array = (encoding & kArray) != 0;
    const auto size = out.is_array ? count() : 1;
    for (std::size_t i = 0; i < size && good_; ++i) out.values.push_back(scalar(out.type));
    if ((encoding & kDimensions) != 0) (void)take(count(4) * 4);
    return out;
}

DataValue Reader::data_value() {
    DataValue out;
    const auto mask = u8();
    if ((mask & 0x01) != 0) out.value = variant();
    if ((mask & 0x02) != 0) out.status = u32();
    if ((mask & 0x04) != 0) out.source_time = i64();
    if ((mask & 0x08) != 0) out.server_time = i64();
    if ((mask & 0x10) != 0) (void)u16();
    if ((mask & 0x20) != 0) (void)u16();
    return out;
}

void Reader::diagnostic_info(unsigned depth) {
    const auto mask = u8();
    for (const unsigned bit : {0x01U, 0x02U, 0x04U, 0x08U})
        if ((mask & bit) != 0) (void)i32();
    if ((mask & 0x10) != 0) (void)string();
    if ((mask & 0x20) != 0) (void)u32();
    if ((mask & 0x40) == 0) return;
    if (depth > kDeepest) return fail();
    diagnostic_info(depth + 1);
}

Reader::Extension Reader::extension_object() {
    Extension out;
    out.type = node_id();
    if (u8() == 0) return out;
    const auto from = take(count());
    out.body.assign(from.begin(), from.end());
    return out;
}

}  // namespace fieldwarden::simulator::opcua
