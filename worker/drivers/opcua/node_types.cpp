#include "worker/drivers/opcua/node_types.h"

#include <array>

#include "worker/drivers/opcua/status_codes.h"

namespace fieldwarden::worker::opcua {

namespace {

constexpr std::uint32_t kHasSubtype = 45;
constexpr std::uint32_t kNumber = 26;
constexpr std::uint32_t kUInteger = 28;
constexpr std::uint32_t kEnumeration = 29;
constexpr unsigned kMostSupertypes = 16;
constexpr std::size_t kMostKnown = 10'000;

// The built-in types are the DataTypes 1 to 25 of namespace 0; BaseDataType is 24, Structure 22.
std::optional<BuiltInType> standard_type(const NodeId& id) {
    const auto* number = std::get_if<std::uint32_t>(&id.identifier);
    if (id.ns != 0 || number == nullptr) return std::nullopt;
    if (*number >= 1 && *number <= 25) return static_cast<BuiltInType>(*number);
    if (*number >= kNumber && *number <= kUInteger) return BuiltInType::kVariant;
    if (*number == kEnumeration) return BuiltInType::kInt32;
    return std::nullopt;
}

}  // namespace

bool too_large(StatusCode fault) {
    switch (bare(fault)) {
        case status::kBadTooManyOperations:
        case status::kBadRequestTooLarge:
        case status::kBadResponseTooLarge:
        case status::kBadEncodingLimitsExceeded:
        case status::kBadTcpMessageTooLarge:
            return true;
        default:
            return false;
    }
}

Status read_limits(Session& session, ServerLimits& limits) {
    limits = {};
    struct Entry {
        std::uint32_t node;  // Server_ServerCapabilities_OperationLimits_…
        std::size_t ServerLimits::*field;
    };
    constexpr std::array kEntries{
        Entry{11705, &ServerLimits::read},       // MaxNodesPerRead
        Entry{11710, &ServerLimits::browse},     // MaxNodesPerBrowse
        Entry{11712, &ServerLimits::translate},  // MaxNodesPerTranslateBrowsePathsToNodeIds
        Entry{11714, &ServerLimits::monitored},  // MaxMonitoredItemsPerCall
    };
    std::vector<ReadItem> items;
    for (const auto& entry : kEntries) items.push_back({{0, entry.node}, Attribute::kValue, {}});
    const auto answer = session.call<ReadResponse>(ReadRequest{items});
    if (!answer) return session.usable() ? Status{} : Status{answer.error()};
    for (std::size_t i = 0; i < kEntries.size() && i < answer->results.size(); ++i) {
        const auto& result = answer->results[i];
        if (!is_good(result.status) || result.value.values.size() != 1) continue;
        const auto* most = std::get_if<std::uint64_t>(&result.value.values.front());
        if (most == nullptr || *most == 0) continue;  // 0: no limit
        limits.*kEntries[i].field =
            static_cast<std::size_t>(std::min<std::uint64_t>(*most, ServerLimits::kMost));
    }
    return {};
}

Result<BuiltInType> NodeTypes::built_in(Session& session, const NodeId& data_type) {
    auto at = data_type;
    std::vector<NodeId> passed;
    auto found = BuiltInType::kVariant;
    for (unsigned level = 0; level < kMostSupertypes; ++level) {
        if (const auto standard = standard_type(at)) {
            found = *standard;
            break;
        }
        if (const auto known = known_.find(at); known != known_.end()) {
            found = known->second;
            break;
        }
        passed.push_back(at);
        BrowseRequest request;
        request.items = {{at, true, {0, kHasSubtype}, 0}};
        const auto answer = session.call<BrowseResponse>(request);
        if (!answer && !session.usable()) return answer.error();
        if (!answer || answer->results.size() != 1 || answer->results.front().references.empty()) break;
        at = answer->results.front().references.front().node;
    }
    if (known_.size() > kMostKnown) known_.clear();
    for (auto& type : passed) known_[std::move(type)] = found;
    return found;
}

}  // namespace fieldwarden::worker::opcua
