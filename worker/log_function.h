// How the parts of a worker say something to the task's log without knowing the log.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace fieldwarden::proto {
enum class LogLevel : std::uint8_t;  // proto/shapes.h
}

namespace fieldwarden::worker {

// Thread safe; does not block on anything but the log's own lock.
using LogFunction = std::function<void(proto::LogLevel, std::string)>;

}  // namespace fieldwarden::worker
