// TDengine 3 as a sink, over its REST interface (taosAdapter). Layout: a super table per type of device, a
// sub-table per device, a column per point (names.h, columns.h). A second write of a row replaces it by
// itself.
#pragma once

#include <memory>

#include "worker/sinks/sink.h"

namespace fieldwarden::worker::tdengine {

Result<std::unique_ptr<Sink>> make_tdengine(const SinkConfig& config, const SinkContext& context);

}  // namespace fieldwarden::worker::tdengine
