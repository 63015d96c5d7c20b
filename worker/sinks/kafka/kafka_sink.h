// The Kafka sink; its layout, options and promises: README.md.
//
// Threads. As every sink: one thread, and interrupt() from any other. librdkafka's own threads call the log
// function only.
#pragma once

#include <memory>

#include "worker/sinks/sink.h"

namespace fieldwarden::worker::kafka {

// Fails with kInvalidArgument when the url, the topic or a property of librdkafka does not fit. Touches no
// network.
Result<std::unique_ptr<Sink>> make_kafka_sink(const SinkConfig& config, const SinkContext& context);

}  // namespace fieldwarden::worker::kafka
