// OPC UA NodeIds and point addresses (CONTRACT 2).
//
//   ns=2;s=Temp  ns=2;i=1001  i=2258  ns=2;g=<guid>  ns=2;b=<base64>   a NodeId (OPC UA Part 6, 5.3.1.10)
//   path:/Objects/2:Boiler/2:Temp    a browse path from the Root folder: namespace index (0 when missing) and
//                                    browse name of every step; '&' takes the sign behind it as it is
//   ns=2;s=Curve[3]  path:/…/2:Matrix[1,2]   one element of an array, counted from 0
//
// A string identifier may itself end in [3] (Siemens names elements so): `whole` then holds the NodeId as
// written, and the server is asked for that one first.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/result.h"

namespace fieldwarden {

// In the order of its text: "72962B91-…" begins with 0x72.
struct Guid {
    std::array<std::uint8_t, 16> bytes{};
    auto operator<=>(const Guid&) const = default;
};

struct OpaqueId {
    std::string bytes;
    auto operator<=>(const OpaqueId&) const = default;
};

struct NodeId {
    std::uint16_t ns = 0;
    std::variant<std::uint32_t, std::string, Guid, OpaqueId> identifier = std::uint32_t{0};

    auto operator<=>(const NodeId&) const = default;
    [[nodiscard]] bool is_null() const { return *this == NodeId{}; }
};

struct BrowseName {
    std::uint16_t ns = 0;
    std::string name;
    auto operator<=>(const BrowseName&) const = default;
};

struct OpcUaAddress {
    NodeId node;                       // when `path` is empty
    std::vector<BrowseName> path;      // from the Root folder (i=84)
    std::vector<std::uint32_t> index;  // of an array's element, one number per dimension
    std::optional<NodeId> whole;       // the node that would have the brackets in its name

    bool operator==(const OpcUaAddress&) const = default;
};

inline constexpr std::size_t kLongestNodeIdText = 4096;  // Part 3, 8.2.4

Result<NodeId> parse_node_id(std::string_view text);
std::string format_node_id(const NodeId& id);
std::string format_guid(const Guid& guid);
Result<Guid> parse_guid(std::string_view text);

Result<OpcUaAddress> parse_opcua_address(std::string_view text);
std::string format_opcua_address(const OpcUaAddress& address);

std::string encode_base64(std::string_view bytes);
std::optional<std::string> decode_base64(std::string_view text);

}  // namespace fieldwarden
