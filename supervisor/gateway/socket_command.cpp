#include "supervisor/gateway/socket_command.h"

#include "supervisor/gateway/api/json_input.h"

namespace fieldwarden::supervisor::gateway {

Result<SocketCommand> parse_socket_command(std::string_view text) {
    const auto refuse = [](std::string_view why) {
        return make_error(ErrorKind::kInvalidArgument, std::string{why});
    };
    const auto command = parse_json(text);
    if (!command || !command->is_object()) return refuse("a command is a JSON object");
    const auto action = command->find("action");
    const auto topics = command->find("topics");
    const bool subscribe = action != command->end() && *action == "subscribe";
    if (!subscribe && (action == command->end() || *action != "unsubscribe")) {
        return refuse("action is \"subscribe\" or \"unsubscribe\"");
    }
    if (topics == command->end() || !topics->is_array() || topics->size() > kMostTopicsInCommand) {
        return refuse("topics is an array of at most 256 topic prefixes");
    }
    SocketCommand parsed{subscribe, {}};
    for (const auto& topic : *topics) {
        if (!topic.is_string() || topic.get_ref<const std::string&>().size() > kLongestTopic) {
            return refuse("a topic is a text of at most 200 bytes");
        }
        parsed.topics.push_back(topic.get<std::string>());
    }
    return parsed;
}

}  // namespace fieldwarden::supervisor::gateway
