// Browse, BrowseNext, TranslateBrowsePathsToNodeIds, RegisterNodes: OPC 10000-4, 5.9.
#include <algorithm>

#include "tests/simulator/opcua/engine.h"

namespace fieldwarden::simulator::opcua {

namespace {

// Result mask, OPC 10000-4, 5.9.2.2.
enum ResultMask : std::uint32_t {
    kReferenceType = 1,
    kIsForward = 2,
    kNodeClassField = 4,
    kBrowseName = 8,
    kDisplayName = 16,
    kTypeDefinition = 32,
};

Bytes describe(const Reference& reference, const Node& target, std::uint32_t mask) {
    Writer writer;
    writer.node_id((mask & kReferenceType) != 0 ? numeric(reference.type) : NodeId{});
    writer.boolean((mask & kIsForward) != 0 && reference.forward);
    writer.expanded_node_id(target.id);
    writer.qualified_name((mask & kBrowseName) != 0 ? target.name : QualifiedName{});
    writer.localized_text((mask & kDisplayName) != 0 ? target.name.name : "");
    writer.u32((mask & kNodeClassField) != 0 ? static_cast<std::uint32_t>(target.node_class) : 0);
    writer.expanded_node_id((mask & kTypeDefinition) != 0 ? target.type_definition : NodeId{});
    return std::move(writer.bytes);
}

// The nodes of types are not in the address space, but references lead there.
Node type_node(const NodeId& id) {
    Node node;
    node.id = id;
    node.node_class = NodeClass::kObjectType;
    node.name = {0, "Type"};
    return node;
}

}  // namespace

void Engine::browse_result(Session& session, StatusCode code, std::deque<Bytes> references,
                           std::uint32_t most, Writer& writer) {
    std::vector<Bytes> page;
    while (!references.empty() && (most == 0 || page.size() < most)) {
        page.push_back(std::move(references.front()));
        references.pop_front();
    }
    std::uint32_t continuation = 0;
    if (!references.empty()) {
        if (session.continuations.size() >= options_.limits.browse_continuation_points) {
            code = status::kBadNoContinuationPoints;
            page.clear();
        } else {
            continuation = next_id_++;
            session.continuations[continuation] = std::move(references);
        }
    }
    writer.u32(code);
    if (continuation == 0) {
        writer.null_string();
    } else {
        writer.count(4);
        writer.u32(continuation);
    }
    writer.count(page.size());
    for (const auto& each : page) writer.raw(each);
}

StatusCode Engine::browse(Session& session, Reader& reader, Writer& writer) {
    (void)reader.node_id();  // the view: there is only the whole
    (void)reader.i64();
    (void)reader.u32();
    const auto most = reader.u32();
    const auto size = reader.count(4);
    if (size == 0) return status::kBadNothingToDo;
    if (size > options_.limits.nodes_per_browse) return status::kBadTooManyOperations;
    writer.count(size);
    for (std::size_t i = 0; i < size; ++i) {
        const auto id = reader.node_id();
        const auto direction = reader.u32();  // 0 forward, 1 inverse, 2 both
        const auto reference_type = reader.node_id();
        const bool subtypes = reader.boolean();
        const auto classes = reader.u32();
        const auto mask = reader.u32();
        if (!reader.good()) return status::kBadDecodingError;
        const auto* node = space_.find(id);
        if (node == nullptr) {
            browse_result(session, status::kBadNodeIdUnknown, {}, most, writer);
            continue;
        }
        const auto* wanted = std::get_if<std::uint32_t>(&reference_type.id);
        std::deque<Bytes> found;
        for (const auto& reference : node->references) {
            if ((direction == 0 && !reference.forward) || (direction == 1 && reference.forward)) continue;
            if (wanted == nullptr || !is_reference_of(reference.type, *wanted, subtypes)) continue;
            const auto* known = space_.find(reference.target);
            const auto target = known == nullptr ? type_node(reference.target) : *known;
            if (classes != 0 && (classes & static_cast<std::uint32_t>(target.node_class)) == 0) continue;
            found.push_back(describe(reference, target, mask));
        }
        browse_result(session, status::kGood, std::move(found), most, writer);
    }
    writer.count(0);
    return status::kGood;
}

StatusCode Engine::browse_next(Session& session, Reader& reader, Writer& writer) {
    const bool release = reader.boolean();
    const auto size = reader.count(4);
    if (size == 0) return status::kBadNothingToDo;
    writer.count(size);
    for (std::size_t i = 0; i < size; ++i) {
        const auto point = reader.string();
        Reader parsed{{reinterpret_cast<const std::uint8_t*>(point.data()), point.size()}};
        const auto found = session.continuations.find(parsed.u32());
        if (!parsed.good() || found == session.continuations.end()) {
            browse_result(session, status::kBadContinuationPointInvalid, {}, 0, writer);
            continue;
        }
        auto references = std::move(found->second);
        session.continuations.erase(found);
        // Pages after the first are as long as a page may be here, not as the first one was.
        constexpr std::uint32_t kPage = 50;
        if (release) references.clear();
        browse_result(session, status::kGood, std::move(references), kPage, writer);
    }
    writer.count(0);
    return status::kGood;
}

StatusCode Engine::translate(Session&, Reader& reader, Writer& writer) {
    const auto size = reader.count(4);
    if (size == 0) return status::kBadNothingToDo;
    if (size > options_.limits.nodes_per_browse) return status::kBadTooManyOperations;
    writer.count(size);
    for (std::size_t i = 0; i < size; ++i) {
        const auto start = reader.node_id();
        const auto* node = space_.find(start);
        StatusCode code = node == nullptr ? status::kBadNodeIdUnknown : status::kGood;
        for (auto steps = reader.count(4); steps > 0; --steps) {
            const auto type = reader.node_id();
            const bool inverse = reader.boolean();
            const bool subtypes = reader.boolean();
            const auto name = reader.qualified_name();
            const auto* wanted = std::get_if<std::uint32_t>(&type.id);
            if (node == nullptr) continue;
            const Node* next = nullptr;
            for (const auto& reference : node->references) {
                const auto* target = space_.find(reference.target);
                if (target == nullptr || reference.forward == inverse || wanted == nullptr) continue;
                if (is_reference_of(reference.type, *wanted, subtypes) && target->name == name) next = target;
            }
            node = next;
            if (node == nullptr) code = status::kBadNoMatch;
        }
        writer.u32(code);
        writer.count(code == status::kGood ? 1 : 0);
        if (code != status::kGood) continue;
        writer.expanded_node_id(node->id);
        writer.u32(0xFFFFFFFF);  // nothing of the path is left
    }
    writer.count(0);
    return status::kGood;
}

StatusCode Engine::register_nodes(Session&, Reader& reader, Writer& writer) {
    const auto size = reader.count(2);
    if (size == 0) return status::kBadNothingToDo;
    writer.count(size);
    for (std::size_t i = 0; i < size; ++i) writer.node_id(reader.node_id());
    return status::kGood;
}

StatusCode Engine::unregister_nodes(Session&, Reader& reader, Writer&) {
    for (auto i = reader.count(2); i > 0; --i) (void)reader.node_id();
    return status::kGood;
}

}  // namespace fieldwarden::simulator::opcua
