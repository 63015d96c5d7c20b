// The PostgreSQL and TimescaleDB sink; its layout, options and promises: README.md.
//
// Threads. As every sink: one thread, and interrupt() from any other.
#pragma once

#include <memory>

#include "worker/sinks/sink.h"

namespace fieldwarden::worker::postgres {

// Fails with kInvalidArgument when the url or the table does not parse. Touches no network.
Result<std::unique_ptr<Sink>> make_postgres_sink(const SinkConfig& config, const SinkContext& context);

}  // namespace fieldwarden::worker::postgres
