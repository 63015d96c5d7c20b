// Who the points of a configuration are, as spool and sinks keep it.
#pragma once

#include <vector>

#include "common/task_config.h"
#include "worker/sinks/sink.h"

namespace fieldwarden::worker {

PointDirectory directory_of(const std::vector<DeviceConfig>& devices);

}  // namespace fieldwarden::worker
