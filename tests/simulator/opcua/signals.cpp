#include "tests/simulator/opcua/signals.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace fieldwarden::simulator::opcua {

namespace {

constexpr StatusCode kUncertainLastUsable = 0x40900000;
constexpr StatusCode kBadSensorFailure = 0x808C0000;
constexpr StatusCode kBadNotReadable = 0x803A0000;

constexpr std::uint32_t kFolderType = 61;
constexpr std::uint32_t kBaseVariableType = 63;
constexpr std::uint32_t kPropertyType = 68;
constexpr std::uint32_t kServerType = 2004;
constexpr std::uint32_t kServerStatusType = 2138;
constexpr std::uint32_t kServerCapabilitiesType = 2013;
constexpr std::uint32_t kServer = 2253;

Variant one(Type type, Scalar value) {
    return {type, false, {std::move(value)}};
}
DataValue good(Variant value) {
    DataValue out;
    out.value = std::move(value);
    return out;
}
std::function<DataValue(double)> constant(Variant value) {
    return [value = std::move(value)](double) { return good(value); };
}
double sine(double seconds, double period) {
    return std::sin(2 * std::numbers::pi * seconds / period);
}
std::uint64_t steps(double seconds, double length) {
    return static_cast<std::uint64_t>(seconds / length);
}

// 72962B91-FA75-4AE6-8D28-B404DC7DAF63, the example of OPC 10000-6, 5.2.2.6.
constexpr std::array<std::uint8_t, 16> kGuid{0x91, 0x2B, 0x96, 0x72, 0x75, 0xFA, 0xE6, 0x4A,
                                             0x8D, 0x28, 0xB4, 0x04, 0xDC, 0x7D, 0xAF, 0x63};

struct TypeName {
    Type type;
    const char* name;
    Scalar example;
    Scalar zero;
    bool writable;
};
const std::vector<TypeName>& type_names() {
    constexpr std::int64_t kNewYear2026 = 134'116'992'000'000'000;
    static const std::vector<TypeName> names{
        {Type::kBoolean, "Boolean", std::uint64_t{1}, std::uint64_t{0}, true},
        {Type::kSByte, "SByte", std::int64_t{-8}, std::int64_t{0}, true},
        {Type::kByte, "Byte", std::uint64_t{8}, std::uint64_t{0}, true},
        {Type::kInt16, "Int16", std::int64_t{-1600}, std::int64_t{0}, true},
        {Type::kUInt16, "UInt16", std::uint64_t{1600}, std::uint64_t{0}, true},
        {Type::kInt32, "Int32", std::int64_t{-320'000}, std::int64_t{0}, true},
        {Type::kUInt32, "UInt32", std::uint64_t{320'000}, std::uint64_t{0}, true},
        {Type::kInt64, "Int64", std::int64_t{-6'400'000'000}, std::int64_t{0}, true},
        {Type::kUInt64, "UInt64", std::uint64_t{6'400'000'000}, std::uint64_t{0}, true},
        {Type::kFloat, "Float", 1.5, 0.0, true},
        {Type::kDouble, "Double", 2.25, 0.0, true},
        {Type::kString, "String", std::string{"text"}, std::string{}, true},
        {Type::kDateTime, "DateTime", kNewYear2026, std::int64_t{0}, false},
        {Type::kGuid, "Guid", std::string(kGuid.begin(), kGuid.end()), std::string{}, false},
        {Type::kByteString, "ByteString", std::string{"\x01\x02\x03"}, std::string{}, false},
        {Type::kLocalizedText, "LocalizedText", std::string{"local"}, std::string{}, false},
        {Type::kStatusCode, "StatusCode", std::uint64_t{kBadSensorFailure}, std::uint64_t{0}, false},
    };
    return names;
}

Node object(NodeId id, QualifiedName name, std::uint32_t type_definition) {
    Node node;
    node.id = std::move(id);
    node.node_class = NodeClass::kObject;
    node.name = std::move(name);
    node.type_definition = numeric(type_definition);
    return node;
}

Node variable(NodeId id, QualifiedName name, Type type, std::function<DataValue(double)> value,
              std::uint32_t type_definition = kBaseVariableType) {
    Node node;
    node.id = std::move(id);
    node.name = std::move(name);
    node.type = type;
    node.data_type = numeric(static_cast<std::uint32_t>(type));
    node.value = std::move(value);
    node.type_definition = numeric(type_definition);
    return node;
}

}  // namespace

bool is_reference_of(std::uint32_t type, std::uint32_t wanted, bool subtypes) {
    if (wanted == 0 || type == wanted) return true;
    if (!subtypes) return false;
    // OPC 10000-3, figure 22: References(31) > Hierarchical(33) > {Organizes, HasChild(34)}; HasChild >
    // Aggregates(44) > {HasProperty, HasComponent}; References > NonHierarchical(32) > HasTypeDefinition.
    const auto parent = [](std::uint32_t child) -> std::uint32_t {
        switch (child) {
            case kHasProperty:
            case kHasComponent:
                return 44;
            case 44:
                return 34;
            case kOrganizes:
            case 34:
                return 33;
            case kHasTypeDefinition:
                return 32;
            case 33:
            case 32:
                return 31;
            default:
                return 0;
        }
    };
    for (auto at = parent(type); at != 0; at = parent(at))
        if (at == wanted) return true;
    return false;
}

AddressSpace::AddressSpace(const Limits& limits, unsigned many) : started_(date_time_now()) {
    add_standard(limits);
    add_signals(many);
}

Node* AddressSpace::find(const NodeId& id) {
    const auto found = nodes_.find(id);
    return found == nodes_.end() ? nullptr : &found->second;
}

Node& AddressSpace::add(Node node, const NodeId& parent, std::uint32_t reference) {
    if (auto* above = find(parent); above != nullptr) {
        above->references.push_back({reference, true, node.id});
        node.references.push_back({reference, false, parent});
    }
    node.references.push_back({kHasTypeDefinition, true, node.type_definition});
    const auto id = node.id;
    return nodes_[id] = std::move(node);
}

DataValue AddressSpace::value(const Node& node, double seconds) const {
    DataValue out;
    if (node.fault) {
        out.status = *node.fault;
    } else if ((node.access & kReadable) == 0) {
        out.status = kBadNotReadable;
    } else if (node.held) {
        out = *node.held;
    } else if (node.value) {
        out = node.value(seconds);
    }
    const auto now = date_time_now();
    if (out.source_time == 0) out.source_time = now;
    out.server_time = now;
    return out;
}

void AddressSpace::clear_faults() {
    for (auto& [id, node] : nodes_) node.fault.reset();
}

void AddressSpace::add_standard(const Limits& limits) {
    add(object(numeric(84), {0, "Root"}, kFolderType), {}, 0);
    add(object(numeric(kObjectsFolder), {0, "Objects"}, kFolderType), numeric(84), kOrganizes);
    add(object(numeric(86), {0, "Types"}, kFolderType), numeric(84), kOrganizes);
    add(object(numeric(87), {0, "Views"}, kFolderType), numeric(84), kOrganizes);
    add(object(numeric(kServer), {0, "Server"}, kServerType), numeric(kObjectsFolder), kOrganizes);

    const auto property = [&](std::uint32_t id, const char* name, Variant value, const NodeId& parent) {
        const auto type = value.type;
        const bool is_array = value.is_array;
        auto& node = add(variable(numeric(id), {0, name}, type, constant(std::move(value)), kPropertyType),
                         parent, kHasProperty);
        node.is_array = is_array;
    };
    const auto text = [](const char* value) { return Scalar{std::string{value}}; };
    property(2254, "ServerArray", {Type::kString, true, {text("urn:fieldwarden:simulator")}},
             numeric(kServer));
    property(2255, "NamespaceArray",
             {Type::kString,
              true,
              {text("http://opcfoundation.org/UA/"), text("urn:fieldwarden:simulator"),
               text("urn:fieldwarden:simulator:signals")}},
             numeric(kServer));
    property(2267, "ServiceLevel", one(Type::kByte, std::uint64_t{255}), numeric(kServer));

    // ServerStatusDataType, OPC 10000-5, 12.10: the parts are nodes too.
    const auto build_info = [](Writer& out, std::int64_t started) {
        for (const auto* part : {"urn:fieldwarden:simulator", "Fieldwarden", "simulator", "1", "1"})
            out.string(part);
        out.i64(started);
    };
    const auto extension = [](std::uint32_t type, const Bytes& body) {
        Writer out;
        out.node_id(numeric(type));
        out.u8(1);
        out.count(body.size());
        out.raw(body);
        return one(Type::kExtensionObject, std::string(out.bytes.begin(), out.bytes.end()));
    };
    const auto started = started_;
    auto& status = add(variable(
                           numeric(2256), {0, "ServerStatus"}, Type::kExtensionObject,
                           [=](double) {
                               Writer body;
                               body.i64(started);
                               body.i64(date_time_now());
                               body.i32(0);  // Running
                               build_info(body, started);
                               body.u32(0);
                               body.localized_text("");
                               return good(extension(864, body.bytes));
                           },
                           kServerStatusType),
                       numeric(kServer), kHasComponent);
    status.data_type = numeric(862);
    const auto part = [&](std::uint32_t id, const char* name, Type type,
                          std::function<DataValue(double)> value) {
        return &add(variable(numeric(id), {0, name}, type, std::move(value)), numeric(2256), kHasComponent);
    };
    part(2257, "StartTime", Type::kDateTime, constant(one(Type::kDateTime, started)));
    part(2258, "CurrentTime", Type::kDateTime,
         [](double) { return good(one(Type::kDateTime, date_time_now())); });
    part(2259, "State", Type::kInt32, constant(one(Type::kInt32, std::int64_t{0})))->data_type = numeric(852);
    part(2260, "BuildInfo", Type::kExtensionObject, [=](double) {
        Writer body;
        build_info(body, started);
        return good(extension(340, body.bytes));
    })->data_type = numeric(338);

    add(object(numeric(2268), {0, "ServerCapabilities"}, kServerCapabilitiesType), numeric(kServer),
        kHasComponent);
    const auto number = [](std::uint32_t value) { return one(Type::kUInt32, std::uint64_t{value}); };
    property(2735, "MaxBrowseContinuationPoints",
             one(Type::kUInt16, std::uint64_t{limits.browse_continuation_points}), numeric(2268));
    add(object(numeric(11704), {0, "OperationLimits"}, kFolderType), numeric(2268), kHasComponent);
    property(11705, "MaxNodesPerRead", number(limits.nodes_per_read), numeric(11704));
    property(11707, "MaxNodesPerWrite", number(limits.nodes_per_write), numeric(11704));
    property(11710, "MaxNodesPerBrowse", number(limits.nodes_per_browse), numeric(11704));
    property(11712, "MaxNodesPerTranslateBrowsePathsToNodeIds", number(limits.nodes_per_browse),
             numeric(11704));
    property(11714, "MaxMonitoredItemsPerCall", number(limits.monitored_items_per_call), numeric(11704));
}

void AddressSpace::add_signals(unsigned many) {
    const auto folder = [&](const std::string& name, const NodeId& parent) {
        add(object(signal(name), {kSignals, name}, kFolderType), parent, kOrganizes);
        return signal(name);
    };
    const auto sim = folder("Sim", numeric(kObjectsFolder));
    const auto moving = [&](const char* name, Type type, std::function<DataValue(double)> value) -> Node& {
        return add(variable(signal(name), {kSignals, name}, type, std::move(value)), sim, kHasComponent);
    };
    moving("Counter", Type::kUInt32, [](double t) { return good(one(Type::kUInt32, steps(t, 0.1))); });
    moving("FastCounter", Type::kUInt32, [](double t) { return good(one(Type::kUInt32, steps(t, 0.01))); });
    moving("Sine", Type::kDouble, [](double t) { return good(one(Type::kDouble, 50 + 30 * sine(t, 60))); });
    moving("Ramp", Type::kFloat, [](double t) { return good(one(Type::kFloat, std::fmod(t, 100.0))); });
    moving("Toggle", Type::kBoolean, [](double t) { return good(one(Type::kBoolean, steps(t, 1) % 2)); });
    moving("Text", Type::kString, constant(one(Type::kString, std::string{"pump 7"})));
    moving("BadText", Type::kString,
           constant(one(Type::kString, std::string{"\xFF"
                                                   "A"})));
    moving("Now", Type::kDateTime, [](double) {
        constexpr std::int64_t kSecond = 10'000'000;
        return good(one(Type::kDateTime, date_time_now() / kSecond * kSecond));
    });
    moving("Uncertain", Type::kDouble, [](double) {
        auto value = good(one(Type::kDouble, 12.5));
        value.status = kUncertainLastUsable;
        return value;
    });
    moving("Broken", Type::kDouble, [](double) {
        DataValue value;
        value.status = kBadSensorFailure;
        return value;
    });
    moving("WriteOnly", Type::kInt32, constant(one(Type::kInt32, std::int64_t{0}))).access = kWritable;

    const auto types = folder("Types", sim);
    const auto writable = folder("Writable", sim);
    for (const auto& each : type_names()) {
        const std::string name{each.name};
        add(variable(signal("Types." + name), {kSignals, name}, each.type,
                     constant(one(each.type, each.example))),
            types, kHasComponent);
        if (!each.writable) continue;
        add(variable(signal("Writable." + name), {kSignals, name}, each.type,
                     constant(one(each.type, each.zero))),
            writable, kHasComponent)
            .access = kReadable | kWritable;
    }
    const auto arrays = folder("Arrays", sim);
    const auto array = [&](const std::string& name, Type type, std::vector<Scalar> values) {
        add(variable(signal("Arrays." + name), {kSignals, name}, type,
                     constant({type, true, std::move(values)})),
            arrays, kHasComponent)
            .is_array = true;
    };
    array("Boolean", Type::kBoolean, {std::uint64_t{1}, std::uint64_t{0}, std::uint64_t{1}});
    array("Int32", Type::kInt32, {std::int64_t{-1}, std::int64_t{0}, std::int64_t{1}});
    array("UInt16", Type::kUInt16, {std::uint64_t{1}, std::uint64_t{2}, std::uint64_t{3}});
    array("Double", Type::kDouble, {0.5, 1.5, 2.5});
    array("String", Type::kString, {std::string{"a"}, std::string{"b"}, std::string{"c"}});

    const auto odd = [&](NodeId id, const char* name, double value) {
        add(variable(std::move(id), {kSignals, name}, Type::kDouble, constant(one(Type::kDouble, value))),
            sim, kHasComponent);
    };
    odd(numeric(1001, kSignals), "Numeric", 1001);
    odd({kSignals, kGuid}, "Guid", 16);
    odd({kSignals, Bytes{'A', 'B', 'C'}}, "Opaque", 3);

    const auto folder_of_many = folder("Many", sim);
    for (unsigned i = 0; i < many; ++i) {
        const auto name = "Many." + std::to_string(i);
        add(variable(signal(name), {kSignals, std::to_string(i)}, Type::kDouble,
                     [i](double t) { return good(one(Type::kDouble, i + sine(t, 10))); }),
            folder_of_many, kHasComponent);
    }
}

}  // namespace fieldwarden::simulator::opcua
