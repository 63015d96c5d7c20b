// The one table of sink types (CONTRACT 6).
#include <fmt/format.h>

#include <array>

#include "common/sink_options.h"
#include "worker/module.h"
#include "worker/sinks/history/history_sink.h"
#include "worker/sinks/sink.h"

namespace fieldwarden::worker {

namespace {

struct Row {
    std::string_view type;
    // Exactly one of the two.
    Result<std::unique_ptr<Sink>> (*make)(const SinkConfig&, const SinkContext&);
    std::string_view module;
};

constexpr std::array kSinks{
    Row{"history", make_history_sink, {}},
    Row{"influxdb", nullptr, "fieldwarden-sink-influxdb"},
    Row{"tdengine", nullptr, "fieldwarden-sink-tdengine"},
};

}  // namespace

Result<std::unique_ptr<Sink>> make_sink(const SinkConfig& config, const SinkContext& context) {
    if (const auto fit = check_sink(config); !fit) return fit.error();
    for (const auto& row : kSinks) {
        if (row.type != config.type) continue;
        return row.make != nullptr ? row.make(config, context)
                                   : sink_from_module(row.module, config, context);
    }
    return make_error(ErrorKind::kInvalidArgument, fmt::format("sink {}: this build has no sink of type {}",
                                                               config.sink_code, config.type));
}

}  // namespace fieldwarden::worker
