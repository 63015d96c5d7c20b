// Read and Write: OPC 10000-4, 5.11.
#include "tests/simulator/opcua/engine.h"

namespace fieldwarden::simulator::opcua {

namespace {

// OPC 10000-6, annex A.1.
enum Attribute : std::uint32_t {
    kNodeIdAttribute = 1,
    kNodeClass = 2,
    kBrowseName = 3,
    kDisplayName = 4,
    kDescription = 5,
    kWriteMask = 6,
    kUserWriteMask = 7,
    kEventNotifier = 12,
    kValue = 13,
    kDataType = 14,
    kValueRank = 15,
    kAccessLevel = 17,
    kUserAccessLevel = 18,
    kMinimumSamplingInterval = 19,
    kHistorizing = 20,
};

Variant one(Type type, Scalar value) {
    return {type, false, {std::move(value)}};
}

}  // namespace

DataValue Engine::read_attribute(const NodeId& id, std::uint32_t attribute) {
    DataValue out;
    const auto* node = space_.find(id);
    if (node == nullptr) {
        out.status = status::kBadNodeIdUnknown;
        return out;
    }
    const bool is_variable = node->node_class == NodeClass::kVariable;
    const auto no_such = [&] {
        out.status = status::kBadAttributeIdInvalid;
        return out;
    };
    switch (attribute) {
        case kNodeIdAttribute:
            out.value = one(Type::kNodeId, node->id);
            return out;
        case kNodeClass:
            out.value = one(Type::kInt32, static_cast<std::int64_t>(node->node_class));
            return out;
        case kBrowseName: {
            Writer name;
            name.qualified_name(node->name);
            out.value = one(Type::kQualifiedName, std::string(name.bytes.begin(), name.bytes.end()));
            return out;
        }
        case kDisplayName:
        case kDescription:
            out.value = one(Type::kLocalizedText, node->name.name);
            return out;
        case kWriteMask:
        case kUserWriteMask:
            out.value = one(Type::kUInt32, std::uint64_t{0});
            return out;
        case kEventNotifier:
            if (is_variable) return no_such();
            out.value = one(Type::kByte, std::uint64_t{0});
            return out;
        case kValue:
            if (!is_variable) return no_such();
            return space_.value(*node, seconds());
        case kDataType:
            if (!is_variable) return no_such();
            out.value = one(Type::kNodeId, node->data_type);
            return out;
        case kValueRank:
            if (!is_variable) return no_such();
            out.value = one(Type::kInt32, std::int64_t{node->is_array ? 1 : -1});
            return out;
        case kAccessLevel:
        case kUserAccessLevel:
            if (!is_variable) return no_such();
            out.value = one(Type::kByte, std::uint64_t{node->access});
            return out;
        case kMinimumSamplingInterval:
            if (!is_variable) return no_such();
            out.value = one(Type::kDouble, static_cast<double>(kTick.count()));
            return out;
        case kHistorizing:
            if (!is_variable) return no_such();
            out.value = one(Type::kBoolean, std::uint64_t{0});
            return out;
        default:
            return no_such();
    }
}

StatusCode Engine::read(Session&, Reader& reader, Writer& writer) {
    (void)reader.float64();  // everything here is of this moment
    const auto timestamps = reader.u32();
    const auto size = reader.count(4);
    if (size == 0) return status::kBadNothingToDo;
    if (size > options_.limits.nodes_per_read) return status::kBadTooManyOperations;
    writer.count(size);
    for (std::size_t i = 0; i < size; ++i) {
        const auto id = reader.node_id();
        const auto attribute = reader.u32();
        const auto range = reader.string();
        (void)reader.qualified_name();
        auto value = read_attribute(id, attribute);
        if (!range.empty()) {
            value = {};
            value.status = status::kBadIndexRangeInvalid;
        }
        if (timestamps == 1 || timestamps == 3) value.source_time = 0;
        if (timestamps == 0 || timestamps == 3) value.server_time = 0;
        writer.data_value(value);
    }
    writer.count(0);
    return status::kGood;
}

StatusCode Engine::write_value(const NodeId& id, std::uint32_t attribute, const DataValue& value) {
    auto* node = space_.find(id);
    if (node == nullptr) return status::kBadNodeIdUnknown;
    if (attribute != kValue || node->node_class != NodeClass::kVariable) return status::kBadNotWritable;
    if ((node->access & kWritable) == 0) return status::kBadNotWritable;
    if (node->fault) return *node->fault;
    if (value.value.type != node->type || value.value.is_array != node->is_array)
        return status::kBadTypeMismatch;
    pin(id, {value.value});
    return status::kGood;
}

StatusCode Engine::write(Session&, Reader& reader, Writer& writer) {
    const auto size = reader.count(4);
    if (size == 0) return status::kBadNothingToDo;
    if (size > options_.limits.nodes_per_write) return status::kBadTooManyOperations;
    std::vector<StatusCode> results;
    for (std::size_t i = 0; i < size; ++i) {
        const auto id = reader.node_id();
        const auto attribute = reader.u32();
        const auto range = reader.string();
        const auto value = reader.data_value();
        if (!reader.good()) return status::kBadDecodingError;
        results.push_back(range.empty() ? write_value(id, attribute, value) : status::kBadIndexRangeInvalid);
    }
    writer.count(results.size());
    for (const auto code : results) writer.u32(code);
    writer.count(0);
    return status::kGood;
}

}  // namespace fieldwarden::simulator::opcua
