// One level of a server's address space (OPC UA Part 4, 5.8.2 and 5.8.3).
#pragma once

#include "proto/browse.h"
#include "worker/drivers/opcua/node_types.h"

namespace fieldwarden::worker::opcua {

// The objects, variables and methods below `node`; empty: below the Objects folder. kNotFound: the server
// knows no such node; kInvalidArgument: no NodeId. Other errors as of Driver::read().
Result<proto::BrowsePage> browse_node(Session& session, ServerLimits& limits, NodeTypes& types,
                                      const std::string& node);

}  // namespace fieldwarden::worker::opcua
