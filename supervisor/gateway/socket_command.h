// What a client says on a WebSocket:
//   {"action": "subscribe" | "unsubscribe", "topics": ["process_status", "log_streams.TASK_001"]}
// Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"

namespace fieldwarden::supervisor::gateway {

inline constexpr std::size_t kMostTopicsInCommand = 256;
inline constexpr std::size_t kLongestTopic = 200;  // bytes of a prefix

struct SocketCommand {
    bool subscribe = false;
    std::vector<std::string> topics;  // prefixes
};
// kInvalidArgument: what is wrong with it, for the client.
Result<SocketCommand> parse_socket_command(std::string_view text);

}  // namespace fieldwarden::supervisor::gateway
