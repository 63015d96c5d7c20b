// DataTypes of a server, brought back to the built-in types they are made of (OPC UA Part 3, 8; Part 5, 12):
// a Duration is a Double, an enumeration an Int32, a structure an ExtensionObject.
#pragma once

#include <map>

#include "worker/drivers/opcua/session.h"

namespace fieldwarden::worker::opcua {

// What one service call may carry (Part 5, 6.3.11: OperationLimits).
struct ServerLimits {
    static constexpr std::size_t kMost = 1'000;
    std::size_t read = kMost;
    std::size_t browse = kMost;
    std::size_t translate = kMost;
    std::size_t monitored = kMost;
};
// Reads them; what the server does not say stays kMost. An error: the connection is broken.
Status read_limits(Session& session, ServerLimits& limits);

// The server wants fewer or smaller operations in one call.
bool too_large(StatusCode fault);

// Calls `work(from, count)` over 0 to `total` in steps of at most `batch`, which shrinks when the server
// finds a step too large. Ends with the first other error.
template <class Work>
Status in_batches(Session& session, std::size_t total, std::size_t& batch, Work&& work) {
    for (std::size_t from = 0; from < total;) {
        const auto count = std::min(batch, total - from);
        const Status done = work(from, count);
        if (done) {
            from += count;
            continue;
        }
        if (!session.usable() || !too_large(session.fault()) || count == 1) return done;
        batch = count / 2;
    }
    return {};
}

class NodeTypes {
  public:
    // kVariant: the type of the value decides. An error: the connection is broken.
    Result<BuiltInType> built_in(Session& session, const NodeId& data_type);
    void forget() { known_.clear(); }

  private:
    std::map<NodeId, BuiltInType> known_;
};

}  // namespace fieldwarden::worker::opcua
