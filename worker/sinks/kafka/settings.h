// A sink's configuration, read once.
#pragma once

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "worker/sinks/sink.h"

namespace fieldwarden::worker::kafka {

using Properties = std::vector<std::pair<std::string, std::string>>;

struct Settings {
    std::string sink_code;
    std::string task_code;
    std::string topic;
    std::string label;   // "kafka 10.0.0.7:9092, topic fieldwarden.points": for messages, without secrets
    bool lines = false;  // format=json_lines
    bool exactly_once = true;
    std::string identity;  // transactional.id of the producer and name of the cursor's group
    Properties producer;   // of librdkafka; holds secrets: never shown
    Properties cursor;     // of the consumer that reads the cursor; likewise
    std::chrono::milliseconds timeout{10'000};
    Sink::Limits limits;
};

// kInvalidArgument names the sink and what does not fit.
Result<Settings> read_settings(const SinkConfig& config, const SinkContext& context);

}  // namespace fieldwarden::worker::kafka
