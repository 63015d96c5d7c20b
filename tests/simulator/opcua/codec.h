// OPC UA Binary, the server's side: built-in types and the structures of the services the simulator knows.
// Written from OPC 10000-6 (1.05), section 5.2, and shares nothing with the client under test.
//
// Everything is little-endian. Lengths are int32 with -1 for null. A Reader that has run over its end, or met
// an impossible length, is bad for good and hands out zeros; the service looks once, at the end.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace fieldwarden::simulator::opcua {

using Bytes = std::vector<std::uint8_t>;

// OPC 10000-6, 5.2.2.9.
struct NodeId {
    std::uint16_t ns = 0;
    std::variant<std::uint32_t, std::string, Bytes, std::array<std::uint8_t, 16>> id = std::uint32_t{0};
    bool operator==(const NodeId&) const = default;
    auto operator<=>(const NodeId&) const = default;
};
inline NodeId numeric(std::uint32_t id, std::uint16_t ns = 0) {
    return {ns, id};
}

struct QualifiedName {
    std::uint16_t ns = 0;
    std::string name;
    bool operator==(const QualifiedName&) const = default;
};

// The built-in types (OPC 10000-6, 5.1.2) that a variant of ours holds; also the numeric ids of their data
// types in namespace 0.
enum class Type : std::uint8_t {
    kNull = 0,
    kBoolean = 1,
    kSByte = 2,
    kByte = 3,
    kInt16 = 4,
    kUInt16 = 5,
    kInt32 = 6,
    kUInt32 = 7,
    kInt64 = 8,
    kUInt64 = 9,
    kFloat = 10,
    kDouble = 11,
    kString = 12,
    kDateTime = 13,
    kGuid = 14,
    kByteString = 15,
    kNodeId = 17,
    kStatusCode = 19,
    kQualifiedName = 20,
    kLocalizedText = 21,
    kExtensionObject = 22,
};

// Integers, times and status codes in the first two; text and byte strings in text, and in their encoded form
// GUIDs, qualified names and extension objects.
using Scalar = std::variant<std::int64_t, std::uint64_t, double, std::string, NodeId>;

struct Variant {
    Type type = Type::kNull;
    bool is_array = false;
    std::vector<Scalar> values;  // one, or the elements
    bool operator==(const Variant&) const = default;
};

using StatusCode = std::uint32_t;

struct DataValue {
    Variant value;
    StatusCode status = 0;
    std::int64_t source_time = 0;  // 100 ns since 1601; 0: none
    std::int64_t server_time = 0;
};

class Writer {
  public:
    Bytes bytes;

    template <class T>
    void whole(T value) {
        for (std::size_t i = 0; i < sizeof(T); ++i)
            bytes.push_back(static_cast<std::uint8_t>(static_cast<std::uint64_t>(value) >> (8 * i)));
    }
    void u8(std::uint8_t value) { bytes.push_back(value); }
    void u16(std::uint16_t value) { whole(value); }
    void u32(std::uint32_t value) { whole(value); }
    void i32(std::int32_t value) { whole(value); }
    void i64(std::int64_t value) { whole(value); }
    void boolean(bool value) { u8(value ? 1 : 0); }
    void float64(double value);
    void float32(float value);
    void string(std::string_view text);
    void null_string() { i32(-1); }
    void raw(std::span<const std::uint8_t> more) { bytes.insert(bytes.end(), more.begin(), more.end()); }
    void node_id(const NodeId& id);
    void expanded_node_id(const NodeId& id) { node_id(id); }  // without URI and server index
    void qualified_name(const QualifiedName& name);
    void localized_text(std::string_view text);
    void scalar(Type type, const Scalar& value);
    void variant(const Variant& value);
    void data_value(const DataValue& value, bool with_value = true);
    void null_extension_object();
    // Sets four bytes written before.
    void patch_u32(std::size_t at, std::uint32_t value);
    void count(std::size_t size) { i32(static_cast<std::int32_t>(size)); }
};

class Reader {
  public:
    explicit Reader(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}
    [[nodiscard]] bool good() const { return good_; }
    [[nodiscard]] std::size_t left() const { return bytes_.size() - at_; }

    template <class T>
    T whole() {
        std::uint64_t value = 0;
        const auto from = take(sizeof(T));
        for (std::size_t i = 0; i < from.size(); ++i) value |= std::uint64_t{from[i]} << (8 * i);
        return static_cast<T>(value);
    }
    std::uint8_t u8() { return whole<std::uint8_t>(); }
    std::uint16_t u16() { return whole<std::uint16_t>(); }
    std::uint32_t u32() { return whole<std::uint32_t>(); }
    std::int32_t i32() { return whole<std::int32_t>(); }
    std::int64_t i64() { return whole<std::int64_t>(); }
    bool boolean() { return u8() != 0; }
    double float64();
    float float32();
    std::string string();  // null as empty
    NodeId node_id();
    NodeId expanded_node_id();
    QualifiedName qualified_name();
    std::string localized_text();
    Variant variant(unsigned depth = 0);
    DataValue data_value();
    void diagnostic_info(unsigned depth = 0);
    // The type and the body of an ExtensionObject; an empty body for one without.
    struct Extension {
        NodeId type;
        Bytes body;
    };
    Extension extension_object();
    // How many elements an array has; each takes at least `least` bytes, so that no length is believed that
    // the message cannot hold.
    std::size_t count(std::size_t least = 1);
    std::span<const std::uint8_t> take(std::size_t size);
    void fail() { good_ = false; }

  private:
    Scalar scalar(Type type);
    std::span<const std::uint8_t> bytes_;
    std::size_t at_ = 0;
    bool good_ = true;
};

// Now, as DateTime: 100 ns since 1601-01-01 (OPC 10000-6, 5.2.2.5).
std::int64_t date_time_now();

}  // namespace fieldwarden::simulator::opcua
