// InfluxDB 2.x, and what takes its writes (VictoriaMetrics), as a sink: POST /api/v2/write
// (docs.influxdata.com, InfluxDB v2 API). Layout: line_protocol.h. A second write of a line is the same point
// and changes nothing.
#pragma once

#include <memory>

#include "worker/sinks/sink.h"

namespace fieldwarden::worker::influxdb {

Result<std::unique_ptr<Sink>> make_influxdb(const SinkConfig& config, const SinkContext& context);

}  // namespace fieldwarden::worker::influxdb
