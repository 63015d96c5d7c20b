#include "worker/module.h"
#include "worker/sinks/influxdb/influxdb_sink.h"

extern "C" __attribute__((visibility("default"))) void fieldwarden_make_sink(
    const fieldwarden::SinkConfig& config, const fieldwarden::worker::SinkContext& context,
    fieldwarden::Result<std::unique_ptr<fieldwarden::worker::Sink>>& out) {
    out = fieldwarden::worker::influxdb::make_influxdb(config, context);
}
