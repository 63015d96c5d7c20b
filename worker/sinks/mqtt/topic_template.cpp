#include "worker/sinks/mqtt/topic_template.h"

#include <fmt/format.h>

#include <array>
#include <utility>

namespace fieldwarden::worker::mqtt {

namespace {

std::array<std::pair<std::string_view, std::string_view>, 5> placeholders(const TopicNames& names) {
    return {{{"{site}", names.site},
             {"{device}", names.device},
             {"{point}", names.point},
             {"{task}", names.task},
             {"{sink}", names.sink}}};
}

void append_level(std::string& out, std::string_view code) {
    if (code.empty()) out += '_';
    for (const char c : code) {
        const auto byte = static_cast<unsigned char>(c);
        const bool refused = c == '+' || c == '#' || c == '/' || byte < 0x20 || byte == 0x7f;
        out += refused ? '_' : c;
    }
}

Error refuse(std::string_view text, std::string_view why) {
    return make_error(ErrorKind::kInvalidArgument, fmt::format("topic '{}': {}", text.substr(0, 200), why));
}

}  // namespace

Status check_topic_template(std::string_view text) {
    if (text.empty()) return refuse(text, "it is empty");
    if (text.find_first_of("+#") != std::string_view::npos || text.find('\0') != std::string_view::npos) {
        return refuse(text, "nothing can be published to a wildcard ('+', '#') or a zero byte");
    }
    const auto known = fill_topic(text, {"s", "d", "p", "t", "k"});
    if (known.find_first_of("{}") != std::string::npos) {
        return refuse(text, "it knows {site}, {device}, {point}, {task} and {sink} only");
    }
    return {};
}

Result<std::string> without_point(std::string_view text) {
    constexpr std::string_view kPoint = "{point}";
    std::string out;
    bool first = true;
    while (!text.empty() || first) {
        const auto level = text.substr(0, text.find('/'));
        text.remove_prefix(std::min(level.size() + 1, text.size()));
        if (level.find(kPoint) != std::string_view::npos && level != kPoint) {
            return refuse(level, "with option batch, {point} stands alone in its level or is left out");
        }
        if (level == kPoint) continue;
        if (!first) out += '/';
        out += level;
        first = false;
    }
    if (out.empty()) return refuse(kPoint, "with option batch, the topic needs more than {point}");
    return out;
}

std::string fill_topic(std::string_view text, const TopicNames& names) {
    std::string out;
    const auto known = placeholders(names);
    for (std::size_t at = 0; at < text.size();) {
        bool filled = false;
        for (const auto& [name, code] : known) {
            if (!text.substr(at).starts_with(name)) continue;
            append_level(out, code);
            at += name.size();
            filled = true;
            break;
        }
        if (!filled) out += text[at++];
    }
    return out;
}

}  // namespace fieldwarden::worker::mqtt
