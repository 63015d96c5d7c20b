// The field of a point: the name that the same point has at every device of a type.
#pragma once

#include <algorithm>
#include <string_view>

namespace fieldwarden::supervisor {

// "W001_TEMP" of device "W001" is the field "TEMP"; a point whose code does not begin with the device's keeps
// its code. A part of `point_code`.
inline std::string_view point_field(std::string_view device_code, std::string_view point_code) {
    const auto rest = point_code.substr(std::min(device_code.size(), point_code.size()));
    const bool prefixed = point_code.starts_with(device_code) && rest.size() > 1 &&
                          (rest.front() == '_' || rest.front() == '.' || rest.front() == '-');
    return prefixed ? rest.substr(1) : point_code;
}

}  // namespace fieldwarden::supervisor
