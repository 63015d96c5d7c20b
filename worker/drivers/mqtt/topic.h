// MQTT topic filters (MQTT 3.1.1 and 5.0, section 4.7). Pure.
#pragma once

#include <string_view>

namespace fieldwarden::worker::mqtt {

// '+' and '#' stand alone in their level, '#' last; not empty, not too long, no zero byte.
bool is_filter(std::string_view filter);
// Whether a message on `topic` comes with `filter`. A filter that begins with a wildcard does not match
// topics that begin with '$'.
bool matches(std::string_view filter, std::string_view topic);

}  // namespace fieldwarden::worker::mqtt
