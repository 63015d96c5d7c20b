// What a device says it holds: one level of its address space, for `GET /devices/{id}/browse`.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace fieldwarden::proto {

struct BrowseNode {
    std::string address;    // as in the address column of a point
    std::string name;       // shown to people
    std::string kind;       // "object", "variable", "method", …: the protocol's own word
    std::string data_type;  // of a variable that can be a point: as in the data_type column; otherwise empty
    std::string device_type;  // the device's own word for its type: "Double", "Int32[]"
    bool has_children = false;
    bool writable = false;

    bool operator==(const BrowseNode&) const = default;
};

inline constexpr std::size_t kMostBrowseNodes = 5'000;

struct BrowsePage {
    std::vector<BrowseNode> nodes;  // at most kMostBrowseNodes
    bool truncated = false;         // the node has more

    bool operator==(const BrowsePage&) const = default;
};

}  // namespace fieldwarden::proto
