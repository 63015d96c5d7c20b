#include "common/mqtt_address.h"

#include <fmt/format.h>

#include <algorithm>

namespace fieldwarden {

namespace {

constexpr std::size_t kShown = 100;

Error bad(std::string_view text, std::string_view why) {
    return make_error(ErrorKind::kInvalidArgument,
                      fmt::format("MQTT address '{}': {}; write topic#/json/pointer, as in plant/line1#/temp "
                                  "(a topic without wildcards)",
                                  text.substr(0, kShown), why));
}

}  // namespace

Result<std::vector<std::string>> parse_json_pointer(std::string_view text) {
    const auto refuse = [&](std::string_view why) {
        return make_error(ErrorKind::kInvalidArgument,
                          fmt::format("JSON pointer '{}': {}", text.substr(0, kShown), why));
    };
    std::vector<std::string> parts;
    if (text.empty()) return parts;
    if (text.front() != '/') return refuse("it begins with '/'");
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (c == '/') {
            if (parts.size() == kDeepestPointer) return refuse("it is too deep");
            parts.emplace_back();
        } else if (c == '~') {
            const char next = i + 1 < text.size() ? text[i + 1] : '\0';
            if (next != '0' && next != '1') return refuse("behind '~' comes 0 or 1");
            parts.back() += next == '0' ? '~' : '/';
            ++i;
        } else {
            parts.back() += c;
        }
    }
    return parts;
}

Result<MqttAddress> parse_mqtt_address(std::string_view text) {
    MqttAddress address;
    const auto hash = std::min(text.find('#'), text.size());
    const auto topic = text.substr(0, hash);
    if (topic.empty()) return bad(text, "the topic is missing");
    if (topic.size() > kLongestTopic) return bad(text, "the topic is too long");
    if (topic.find('+') != std::string_view::npos) return bad(text, "the topic holds a wildcard");
    if (topic.find('\0') != std::string_view::npos) return bad(text, "the topic holds a zero byte");
    address.topic = topic;
    if (hash == text.size()) return address;
    address.is_json = true;
    auto pointer = parse_json_pointer(text.substr(hash + 1));
    if (!pointer) return bad(text, pointer.error().message);
    address.pointer = std::move(*pointer);
    return address;
}

std::string format_mqtt_address(const MqttAddress& address) {
    auto text = address.topic;
    if (!address.is_json) return text;
    text += '#';
    for (const auto& part : address.pointer) {
        text += '/';
        for (const char c : part) {
            if (c == '~') {
                text += "~0";
            } else if (c == '/') {
                text += "~1";
            } else {
                text += c;
            }
        }
    }
    return text;
}

Result<MqttBroker> parse_mqtt_broker(std::string_view text) {
    const auto refuse = [&](std::string_view why) {
        // Somebody may have typed a password: what stands behind '@' is the host.
        const auto shown = text.find('@') == std::string_view::npos ? text.substr(0, kShown) : "…";
        return make_error(ErrorKind::kInvalidArgument,
                          fmt::format("address '{}': {}; write mqtt://host:{} or mqtts://host:{} (user name "
                                      "and password belong into the options)",
                                      shown, why, kMqttPort, kMqttTlsPort));
    };
    MqttBroker broker;
    if (text.starts_with("mqtts://")) {
        broker.tls = true;
        text.remove_prefix(8);
    } else if (text.starts_with("mqtt://")) {
        text.remove_prefix(7);
    } else {
        return refuse("it does not begin with mqtt:// or mqtts://");
    }
    if (text.ends_with('/')) text.remove_suffix(1);
    auto peer = parse_host_port(text, broker.tls ? kMqttTlsPort : kMqttPort);
    if (!peer) return refuse("the host or the port does not fit");
    broker.peer = std::move(*peer);
    return broker;
}

}  // namespace fieldwarden
