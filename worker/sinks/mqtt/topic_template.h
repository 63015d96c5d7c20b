// The topic of a sample: a template with {site}, {device}, {point}, {task} and {sink}. Pure.
#pragma once

#include <string>
#include <string_view>

#include "common/result.h"

namespace fieldwarden::worker::mqtt {

struct TopicNames {
    std::string_view site = {};
    std::string_view device = {};
    std::string_view point = {};
    std::string_view task = {};
    std::string_view sink = {};
};

// kInvalidArgument: a wildcard, an unknown placeholder, an empty template.
Status check_topic_template(std::string_view text);
// The template of messages that hold a whole device: without its level {point}. kInvalidArgument: {point}
// shares its level with something else.
Result<std::string> without_point(std::string_view text);
// A code's bytes that a topic level cannot hold ('+', '#', '/', control characters; MQTT 5.0, section 4.7)
// are
// '_', and so is a code that is empty.
std::string fill_topic(std::string_view text, const TopicNames& names);

}  // namespace fieldwarden::worker::mqtt
