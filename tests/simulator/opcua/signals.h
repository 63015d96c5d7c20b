// What the simulated OPC UA server holds: namespace 2, "urn:fieldwarden:simulator:signals", below
// Objects/Sim (ns=2;s=Sim).
//
//   ns=2;s=Counter          UInt32   rises by one every 100 ms since the start
//   ns=2;s=FastCounter      UInt32   rises by one every 10 ms
//   ns=2;s=Sine             Double   50 ± 30, a period of 60 s
//   ns=2;s=Ramp             Float    0 to 100 in 100 s
//   ns=2;s=Toggle           Boolean  changes every second
//   ns=2;s=Text             String   "pump 7"
//   ns=2;s=BadText          String   the bytes FF 41, which are no UTF-8
//   ns=2;s=Now              DateTime the server's clock, by the second
//   ns=2;s=Uncertain        Double   12.5 with UncertainLastUsableValue
//   ns=2;s=Broken           Double   no value, BadSensorFailure
//   ns=2;s=Types.<Type>              one constant of every type: Boolean true, SByte -8, Byte 8, Int16 -1600,
//                                    UInt16 1600, Int32 -320000, UInt32 320000, Int64 -6400000000, UInt64
//                                    6400000000, Float 1.5, Double 2.25, String "text", DateTime 2026-01-01,
//                                    Guid 72962B91-FA75-4AE6-8D28-B404DC7DAF63, ByteString 01 02 03,
//                                    LocalizedText "local", StatusCode BadSensorFailure
//   ns=2;s=Arrays.<Type>             Boolean, Int32, UInt16, Double, String: three elements
//   ns=2;s=Writable.<Type>           Boolean, SByte … UInt64, Float, Double, String: 0, false or ""; hold
//   what
//                                    is written
//   ns=2;s=WriteOnly        Int32    can be written, not read
//   ns=2;i=1001             Double   constant 1001
//   ns=2;g=72962B91-FA75-4AE6-8D28-B404DC7DAF63   Double   constant 16
//   ns=2;b=QUJD             Double   constant 3
//   ns=2;s=Many.<i>         Double   i + a sine, for i below --opcua-many (default 100), in the folder
//                                    ns=2;s=Many
//
// Namespace 0: Root, Objects, Types, Views, Server with NamespaceArray, ServerArray, ServerStatus and its
// parts, ServiceLevel, ServerCapabilities and OperationLimits. The server holds clients to its limits.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tests/simulator/opcua/codec.h"

namespace fieldwarden::simulator::opcua {

inline constexpr std::uint16_t kSignals = 2;  // the namespace

struct Limits {
    std::uint32_t nodes_per_read = 500;
    std::uint32_t nodes_per_write = 500;
    std::uint32_t nodes_per_browse = 200;
    std::uint32_t monitored_items_per_call = 500;
    std::uint32_t browse_continuation_points = 4;
    std::uint32_t sessions = 50;
    std::uint32_t subscriptions_per_session = 20;
    std::uint32_t publish_requests = 10;
};

// OPC 10000-3, 8.29: the node classes there are here.
enum class NodeClass : std::uint32_t { kObject = 1, kVariable = 2, kObjectType = 8, kVariableType = 16 };

struct Reference {
    std::uint32_t type = 0;  // a reference type of namespace 0
    bool forward = true;
    NodeId target;
};

inline constexpr std::uint8_t kReadable = 1;  // AccessLevel, OPC 10000-3, 8.57
inline constexpr std::uint8_t kWritable = 2;

struct Node {
    NodeId id;
    NodeClass node_class = NodeClass::kVariable;
    QualifiedName name;
    NodeId type_definition;
    // Of a variable:
    Type type = Type::kNull;
    NodeId data_type;
    bool is_array = false;
    std::uint8_t access = kReadable;
    // `seconds` since the server started. A written or pinned value takes its place.
    std::function<DataValue(double seconds)> value;
    std::optional<DataValue> held;
    std::optional<StatusCode> fault;  // set through the control port
    std::vector<Reference> references;
};

class AddressSpace {
  public:
    AddressSpace(const Limits& limits, unsigned many);
    [[nodiscard]] Node* find(const NodeId& id);
    [[nodiscard]] DataValue value(const Node& node, double seconds) const;
    void clear_faults();

  private:
    Node& add(Node node, const NodeId& parent, std::uint32_t reference);
    void add_standard(const Limits& limits);
    void add_signals(unsigned many);
    std::map<NodeId, Node> nodes_;
    std::int64_t started_;
};

// Whether `type` is `wanted` or one of its subtypes, for the reference types used here.
bool is_reference_of(std::uint32_t type, std::uint32_t wanted, bool subtypes);

// Reference types and nodes of namespace 0 (OPC 10000-6, annex A).
inline constexpr std::uint32_t kOrganizes = 35;
inline constexpr std::uint32_t kHasTypeDefinition = 40;
inline constexpr std::uint32_t kHasProperty = 46;
inline constexpr std::uint32_t kHasComponent = 47;
inline constexpr std::uint32_t kObjectsFolder = 85;

inline NodeId signal(std::string name) {
    return {kSignals, std::move(name)};
}

}  // namespace fieldwarden::simulator::opcua
