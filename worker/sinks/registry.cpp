// The one table of sink types (CONTRACT 6).
#include <fmt/format.h>

#include <array>

#include "worker/sinks/history/history_sink.h"
#include "worker/sinks/sink.h"

namespace fieldwarden::worker {

namespace {

struct Row {
    std::string_view type;
    Result<std::unique_ptr<Sink>> (*make)(const SinkConfig&, const SinkContext&);
};

constexpr std::array kSinks{
    Row{"history", make_history_sink},
};

}  // namespace

Result<std::unique_ptr<Sink>> make_sink(const SinkConfig& config, const SinkContext& context) {
    std::string known;
    for (const auto& row : kSinks) {
        if (row.type == config.type) return row.make(config, context);
        known += known.empty() ? "" : ", ";
        known += row.type;
    }
    return make_error(ErrorKind::kInvalidArgument, fmt::format("sink {}: unknown type '{}'; known: {}",
                                                               config.sink_code, config.type, known));
}

}  // namespace fieldwarden::worker
