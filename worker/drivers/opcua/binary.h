// OPC UA Binary: the built-in types (OPC UA Part 6, 5.2). Pure.
//
// Bytes come from outside: every length is checked against what is left before anything is allocated, the
// number of decoded elements of one message is bounded (an element of one byte may take forty in memory), and
// Variants and DiagnosticInfos nest at most kMostNesting deep. After the first fault a Decoder is `failed()`
// and every later read gives zero, so a decoder of a whole message checks once.
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.h"
#include "common/enum_table.h"
#include "common/node_id.h"
#include "common/sample.h"

namespace fieldwarden::worker::opcua {

inline constexpr unsigned kMostNesting = 10;
inline constexpr std::size_t kMostElements = 1U << 20;  // decoded elements of one message

// Part 6, table 1: the number is the one on the wire. 26 to 31 are reserved and decode as ByteString.
enum class BuiltInType : std::uint8_t {
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
    kXmlElement = 16,
    kNodeId = 17,
    kExpandedNodeId = 18,
    kStatusCode = 19,
    kQualifiedName = 20,
    kLocalizedText = 21,
    kExtensionObject = 22,
    kDataValue = 23,
    kVariant = 24,
    kDiagnosticInfo = 25,
};

using StatusCode = std::uint32_t;
using Buffer = std::vector<std::uint8_t>;
using View = std::span<const std::uint8_t>;

// 100 ns since 1601-01-01 UTC (Part 6, 5.2.2.5).
std::int64_t to_date_time(UtcTime time);
// nullopt for "no time": zero, the end of time, and what UtcTime cannot hold.
std::optional<UtcTime> from_date_time(std::int64_t ticks);

// A value as the driver needs it. The element types map so:
//   Boolean → bool · signed integers, DateTime (ticks) → int64 · unsigned integers, StatusCode → uint64 ·
//   Float, Double → double · String, XmlElement, ByteString → their bytes · Guid, NodeId, ExpandedNodeId,
//   QualifiedName ("2:Temp"), LocalizedText → text · null strings, ExtensionObject, DataValue,
//   DiagnosticInfo → monostate · Variant → `nested`
struct Variant {
    BuiltInType type = BuiltInType::kNull;
    bool is_array = false;
    std::vector<std::uint32_t> dimensions;  // of an array with more than one; their product is the size
    std::vector<Value> values;              // one for a scalar
    std::vector<Variant> nested;            // instead of `values`, of an array of Variants
    bool operator==(const Variant&) const = default;
};

struct DataValue {
    Variant value;
    StatusCode status = 0;
    std::optional<UtcTime> source_time;
    std::optional<UtcTime> server_time;
    bool operator==(const DataValue&) const = default;
};

struct QualifiedName {
    std::uint16_t ns = 0;
    std::string name;
    bool operator==(const QualifiedName&) const = default;
};

class Encoder {
  public:
    explicit Encoder(Buffer& out) : out_(out) {}

    template <class T>
    requires std::is_arithmetic_v<T>
    void put(T value) {
        if constexpr (std::is_same_v<T, bool>) {
            out_.push_back(value ? 1 : 0);
        } else {
            const auto at = out_.size();
            out_.resize(at + sizeof(T));
            std::memcpy(out_.data() + at, &value, sizeof(T));
        }
    }
    void raw(View bytes) { out_.insert(out_.end(), bytes.begin(), bytes.end()); }
    void text(std::string_view value);  // an empty one, not null
    void null_text() { put(std::int32_t{-1}); }
    void bytes(View value);
    void null_bytes() { put(std::int32_t{-1}); }
    void node(const NodeId& id);
    void date_time(UtcTime time) { put(to_date_time(time)); }
    void qualified_name(const QualifiedName& name);
    void localized_text(std::string_view value);
    // An ExtensionObject whose body `write` encodes; `type` is its binary encoding id in namespace 0.
    template <std::invocable<Encoder&> Write>
    void extension(std::uint32_t type, Write&& write) {
        node({0, type});
        put(std::uint8_t{1});  // a ByteString body
        const auto at = out_.size();
        put(std::int32_t{0});
        write(*this);
        const auto length = static_cast<std::int32_t>(out_.size() - at - sizeof(std::int32_t));
        std::memcpy(out_.data() + at, &length, sizeof length);
    }
    void null_extension();
    template <class List, class Write>
    void array(const List& list, Write&& write) {
        put(static_cast<std::int32_t>(list.size()));
        for (const auto& each : list) write(*this, each);
    }
    void null_array() { put(std::int32_t{-1}); }
    // Numbers, Boolean, texts, ByteString, DateTime, Guid, StatusCode: what can be written to a device.
    void variant(const Variant& value);
    [[nodiscard]] std::size_t size() const { return out_.size(); }

  private:
    void scalar(BuiltInType type, const Value& value);
    Buffer& out_;
};

class Decoder {
  public:
    explicit Decoder(View in) : in_(in) {}

    template <class T>
    requires std::is_arithmetic_v<T> T get() {
        std::conditional_t<std::is_same_v<T, bool>, std::uint8_t, T> value{};
        if (in_.size() - at_ < sizeof(T)) {
            fail();
            return T{};
        }
        std::memcpy(&value, in_.data() + at_, sizeof(T));
        at_ += sizeof(T);
        if constexpr (std::is_same_v<T, bool>) {
            return value != 0;
        } else {
            return value;
        }
    }
    View raw(std::size_t count);
    std::string text();  // a null one is empty
    std::optional<std::string> maybe_text();
    Buffer bytes();
    NodeId node();
    // The namespace by URI and the server index are not followed: such a node gets `remote`.
    NodeId expanded_node(bool* remote = nullptr);
    std::optional<UtcTime> date_time() { return from_date_time(get<std::int64_t>()); }
    QualifiedName qualified_name();
    std::string localized_text();
    // The numeric type id (0 when not numeric in namespace 0) and the body.
    struct Extension {
        std::uint32_t type = 0;
        View body;
    };
    Extension extension();
    void skip_diagnostics();
    Variant variant();
    DataValue data_value();
    // The length of an array whose elements take at least `least` bytes each; a null array has none.
    std::size_t array_length(std::size_t least);
    template <class T, class Read>
    std::vector<T> array(std::size_t least, Read&& read) {
        std::vector<T> out;
        const auto count = array_length(least);
        out.reserve(count);
        for (std::size_t i = 0; i < count && !failed_; ++i) out.push_back(read(*this));
        return out;
    }

    [[nodiscard]] bool failed() const { return failed_; }
    [[nodiscard]] std::size_t remaining() const { return in_.size() - at_; }
    [[nodiscard]] std::size_t position() const { return at_; }
    void fail() {
        failed_ = true;
        at_ = in_.size();
    }

  private:
    NodeId node_of(std::uint8_t encoding);
    Value scalar(BuiltInType type);
    bool enter() { return ++depth_ <= kMostNesting || (fail(), false); }
    void leave() { --depth_; }

    View in_;
    std::size_t at_ = 0;
    bool failed_ = false;
    unsigned depth_ = 0;
    std::size_t elements_ = 0;
};

// "Int32"; "a type of the device's own" for numbers that the standard does not know.
std::string_view type_name(BuiltInType type);

}  // namespace fieldwarden::worker::opcua
