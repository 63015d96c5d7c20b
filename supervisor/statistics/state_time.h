// How long a device was in a state on one day: what the statistics count and the store keeps.
#pragma once

#include <chrono>
#include <string>

namespace fieldwarden::supervisor {

struct StateTime {
    std::string device;         // its code
    std::chrono::sys_days day;  // the name of a local day, not a moment
    std::string state;
    std::chrono::microseconds spent{0};

    bool operator==(const StateTime&) const = default;
};

}  // namespace fieldwarden::supervisor
