#pragma once

#include "worker/sinks/sink.h"

namespace fieldwarden::worker::mqtt {

// The sink of type `mqtt` (README.md). kInvalidArgument: the url or an option does not parse.
Result<std::unique_ptr<Sink>> make_mqtt_sink(const SinkConfig& config, const SinkContext& context);

}  // namespace fieldwarden::worker::mqtt
