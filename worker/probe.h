// One attempt to talk to a device, for "test connection": what works, which step failed, what to check.
#pragma once

#include "common/clock.h"
#include "common/task_config.h"
#include "proto/shapes.h"

namespace fieldwarden::worker {

// Connects and reads the device's first point, or, when it has none, one value of the protocol's choice.
// Blocks for at most the device's own timeouts. Never fails otherwise than in the result.
proto::ProbeResult test_connection(const DeviceConfig& device, const Clock& clock);

}  // namespace fieldwarden::worker
