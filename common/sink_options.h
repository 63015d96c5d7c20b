// The types of sinks: how the url of each is written and which options it takes (CONTRACT 6). One table, used
// by validation, by the sinks and by the template.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "common/option_specs.h"
#include "common/task_config.h"

namespace fieldwarden {

struct SinkType {
    std::string_view name;
    std::string_view schemes;  // of its url, separated by '|'; empty: it takes no url
    std::string_view example;  // of a url
    std::span<const OptionSpec> options;
    bool readable = false;  // it can be asked for what it holds
};

// Null for a type that does not exist.
const SinkType* find_sink_type(std::string_view name);
std::span<const SinkType> sink_types();

// Whether the url begins with one of the type's schemes and goes on behind it.
bool has_scheme_of(const SinkType& type, std::string_view url);

// Type, url and options fit each other. What only the sink itself can tell (hosts, topics) is its own to
// check.
Status check_sink(const SinkConfig& sink);

// The value, or the table's fallback. The sink has passed check_sink.
std::string text_option(const SinkConfig& sink, std::string_view name);
std::int64_t integer_option(const SinkConfig& sink, std::string_view name);
bool boolean_option(const SinkConfig& sink, std::string_view name);

}  // namespace fieldwarden
