// Commands of WebSocket clients: what is taken is within the limits, what is refused says why.
#include <algorithm>
#include <cstdlib>

#include "supervisor/gateway/socket_command.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace fieldwarden::supervisor::gateway;
    const auto command = parse_socket_command({reinterpret_cast<const char*>(data), size});
    if (!command) {
        if (command.error().message.empty()) std::abort();
        return 0;
    }
    if (command->topics.size() > kMostTopicsInCommand) std::abort();
    const auto is_long = [](const std::string& topic) { return topic.size() > kLongestTopic; };
    if (std::any_of(command->topics.begin(), command->topics.end(), is_long)) std::abort();
    return 0;
}
