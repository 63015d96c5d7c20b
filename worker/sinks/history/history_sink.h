// The embedded history as a sink: always there, no server to set up.
#pragma once

#include <memory>

#include "worker/sinks/sink.h"

namespace fieldwarden::worker {

// Options: none. The url names nothing: where the history lies follows from the data directory and the task.
Result<std::unique_ptr<Sink>> make_history_sink(const SinkConfig& config, const SinkContext& context);

}  // namespace fieldwarden::worker
