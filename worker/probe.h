// Talking to a device on a connection of its own, for one question: does it answer, what does it hold, write
// this.
#pragma once

#include "common/clock.h"
#include "common/task_config.h"
#include "proto/browse.h"
#include "proto/shapes.h"
#include "worker/point_write.h"

namespace fieldwarden::worker {

// Connects and reads the device's first point, or, when it has none, one value of the protocol's choice.
// Blocks for at most the device's own timeouts. Never fails otherwise than in the result.
proto::ProbeResult test_connection(const DeviceConfig& device, const Clock& clock);

// Writes the device's only point and reads it back; the sample is in engineering units.
Result<ReadBack> write_over_own_connection(const DeviceConfig& device, const Value& engineering);

// One level below `node`; empty: the root. kInvalidArgument: the protocol has no browsing.
Result<proto::BrowsePage> browse_device(const DeviceConfig& device, const std::string& node);

}  // namespace fieldwarden::worker
