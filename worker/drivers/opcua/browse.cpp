#include "worker/drivers/opcua/browse.h"

#include "worker/decode.h"
#include "worker/drivers/opcua/status_codes.h"
#include "worker/drivers/opcua/values.h"

namespace fieldwarden::worker::opcua {

namespace {

constexpr std::uint32_t kObjectsFolder = 85;
constexpr std::uint32_t kHierarchicalReferences = 33;
constexpr std::uint64_t kCurrentWrite = 2;  // AccessLevel (Part 3, 8.57)
constexpr std::uint32_t kShownClasses = static_cast<std::uint32_t>(NodeClass::kObject) |
                                        static_cast<std::uint32_t>(NodeClass::kVariable) |
                                        static_cast<std::uint32_t>(NodeClass::kMethod);

std::string kind_of(std::uint32_t node_class) {
    switch (static_cast<NodeClass>(node_class)) {
        case NodeClass::kObject:
            return "object";
        case NodeClass::kVariable:
            return "variable";
        case NodeClass::kMethod:
            return "method";
        case NodeClass::kObjectType:
        case NodeClass::kVariableType:
        case NodeClass::kReferenceType:
        case NodeClass::kDataType:
        case NodeClass::kView:
            break;
    }
    return "other";
}

// A server keeps few continuation points, and each until it is used up or released.
Status release(Session& session, std::vector<Buffer> continuations) {
    if (continuations.empty()) return {};
    BrowseNextRequest request;
    request.release = true;
    request.continuations = std::move(continuations);
    const auto answer = session.call<BrowseNextResponse>(request);
    return answer || session.usable() ? Status{} : Status{answer.error()};
}

// All children of one node, up to the limit.
Result<BrowseResult> children(Session& session, const NodeId& node, bool& truncated) {
    BrowseRequest request;
    request.items = {{node, false, {0, kHierarchicalReferences}, kShownClasses}};
    auto first = session.call<BrowseResponse>(request);
    if (!first) return first.error();
    if (first->results.size() != 1)
        return session.broken(ErrorKind::kCorrupt, "the server browses another number of nodes");
    auto all = std::move(first->results.front());
    while (!all.continuation.empty() && all.references.size() <= proto::kMostBrowseNodes) {
        BrowseNextRequest next;
        next.continuations = {all.continuation};
        auto more = session.call<BrowseNextResponse>(next);
        if (!more) return more.error();
        if (more->results.size() != 1)
            return session.broken(ErrorKind::kCorrupt, "the server browses another number of nodes");
        auto& part = more->results.front();
        // A continuation point that gives nothing and goes on would do so for ever.
        const bool stuck = part.references.empty() && !part.continuation.empty();
        all.references.insert(all.references.end(), std::make_move_iterator(part.references.begin()),
                              std::make_move_iterator(part.references.end()));
        all.continuation = std::move(part.continuation);
        if (is_bad(part.status) || stuck) {
            truncated = true;
            break;
        }
    }
    if (!all.continuation.empty()) {
        truncated = true;
        if (auto released = release(session, {all.continuation}); !released) return released.error();
    }
    if (all.references.size() > proto::kMostBrowseNodes) {
        all.references.resize(proto::kMostBrowseNodes);
        truncated = true;
    }
    return all;
}

struct Child {
    NodeId node;
    std::size_t at = 0;  // in the page
};

Status find_grandchildren(Session& session, std::size_t batch, const std::vector<Child>& all,
                          proto::BrowsePage& page) {
    return in_batches(session, all.size(), batch, [&](std::size_t from, std::size_t count) -> Status {
        BrowseRequest request;
        request.most = 1;
        for (std::size_t i = 0; i < count; ++i)
            request.items.push_back({all[from + i].node, false, {0, kHierarchicalReferences}, kShownClasses});
        const auto answer = session.call<BrowseResponse>(request);
        if (!answer) return answer.error();
        std::vector<Buffer> continuations;
        for (std::size_t i = 0; i < count && i < answer->results.size(); ++i) {
            const auto& result = answer->results[i];
            page.nodes[all[from + i].at].has_children = !result.references.empty();
            if (!result.continuation.empty()) continuations.push_back(result.continuation);
            // One that ran out of continuation points tells all the same that there is more.
            if (bare(result.status) == 0x804B'0000) page.nodes[all[from + i].at].has_children = true;
        }
        return release(session, std::move(continuations));
    });
}

std::string shape_of(std::int64_t rank, const Variant& dimensions) {
    if (rank < 0) return {};
    std::string text = "[";
    for (const auto& each : dimensions.values) {
        const auto* size = std::get_if<std::uint64_t>(&each);
        if (text.size() > 1) text += ',';
        if (size != nullptr && *size != 0) text += fmt::format("{}", *size);
    }
    if (dimensions.values.empty())
        for (std::int64_t i = 1; i < std::min<std::int64_t>(rank, 8); ++i) text += ',';
    return text + ']';
}

Status describe_variables(Session& session, std::size_t most, NodeTypes& types,
                          const std::vector<Child>& variables, proto::BrowsePage& page) {
    constexpr std::array kAttributes{Attribute::kDataType, Attribute::kValueRank, Attribute::kArrayDimensions,
                                     Attribute::kUserAccessLevel};
    auto batch = std::max<std::size_t>(most / kAttributes.size(), 1);
    return in_batches(session, variables.size(), batch, [&](std::size_t from, std::size_t count) -> Status {
        std::vector<ReadItem> items;
        for (std::size_t i = 0; i < count; ++i)
            for (const auto attribute : kAttributes)
                items.push_back({variables[from + i].node, attribute, {}});
        const auto answer = session.call<ReadResponse>(ReadRequest{items});
        if (!answer) return answer.error();
        if (answer->results.size() != items.size())
            return session.broken(ErrorKind::kCorrupt,
                                  "the server answers with another number of values than asked");
        for (std::size_t i = 0; i < count; ++i) {
            const auto results =
                std::span{answer->results}.subspan(i * kAttributes.size(), kAttributes.size());
            const auto scalar = [&](std::size_t k) {
                const auto& variant = results[k].value;
                return is_bad(results[k].status) || variant.is_array || variant.values.empty()
                           ? Value{}
                           : variant.values.front();
            };
            auto& node = page.nodes[variables[from + i].at];
            const auto access = scalar(3);
            if (const auto* level = std::get_if<std::uint64_t>(&access))
                node.writable = (*level & kCurrentWrite) != 0;
            const auto declared = scalar(0);
            const auto* text = std::get_if<std::string>(&declared);
            const auto id = text == nullptr ? std::optional<NodeId>{} : [&]() -> std::optional<NodeId> {
                auto parsed = parse_node_id(*text);
                return parsed ? std::optional{std::move(*parsed)} : std::nullopt;
            }();
            if (!id) continue;
            const auto type = types.built_in(session, *id);
            if (!type) return type.error();
            const auto ranked = scalar(1);
            const auto* rank = std::get_if<std::int64_t>(&ranked);
            const auto shape = shape_of(rank == nullptr ? -1 : *rank, results[2].value);
            node.device_type = std::string{type_name(*type)} + shape;
            if (shape.empty()) node.data_type = workbook_type(*type);
        }
        return {};
    });
}

}  // namespace

Result<proto::BrowsePage> browse_node(Session& session, ServerLimits& limits, NodeTypes& types,
                                      const std::string& node) {
    NodeId start{0, kObjectsFolder};
    if (!node.empty()) {
        auto parsed = parse_node_id(node);
        if (!parsed) return parsed.error();
        start = std::move(*parsed);
    }
    proto::BrowsePage page;
    const auto found = children(session, start, page.truncated);
    if (!found) return found.error();
    if (bare(found->status) == status::kBadNodeIdUnknown || bare(found->status) == status::kBadNodeIdInvalid)
        return make_error(ErrorKind::kNotFound,
                          fmt::format("the server knows no node {}", format_node_id(start)));
    if (is_bad(found->status)) {
        return make_error(ErrorKind::kUnavailable,
                          fmt::format("browsing {}: the server answers {}", format_node_id(start),
                                      status_name(found->status)));
    }
    std::vector<Child> all;
    std::vector<Child> variables;
    for (const auto& reference : found->references) {
        if (reference.remote) continue;
        proto::BrowseNode entry;
        entry.address = sanitize_utf8(format_node_id(reference.node));
        entry.name = sanitize_utf8(reference.display_name.empty() ? reference.browse_name.name
                                                                  : reference.display_name);
        entry.kind = kind_of(reference.node_class);
        all.push_back({reference.node, page.nodes.size()});
        if (reference.node_class == static_cast<std::uint32_t>(NodeClass::kVariable))
            variables.push_back(all.back());
        page.nodes.push_back(std::move(entry));
    }
    // What cannot be told about the children leaves them undescribed, as long as the connection holds.
    if (auto done = find_grandchildren(session, limits.browse, all, page); !done && !session.usable())
        return done.error();
    if (auto done = describe_variables(session, limits.read, types, variables, page);
        !done && !session.usable())
        return done.error();
    return page;
}

}  // namespace fieldwarden::worker::opcua
