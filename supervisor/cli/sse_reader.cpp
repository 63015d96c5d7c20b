#include "supervisor/cli/sse_reader.h"

#include <utility>

namespace fieldwarden::supervisor::cli {

bool SseReader::feed(std::string_view bytes, const std::function<bool(const ServerEvent&)>& on_event) {
    for (const char c : bytes) {
        const bool second_half = after_cr_ && c == '\n';  // of CR LF
        after_cr_ = c == '\r';
        if (second_half) continue;
        if (c != '\n' && c != '\r') {
            line_ += c;
            if (line_.size() + event_.data.size() > kLongestEvent) return false;
            continue;
        }
        if (!line_.empty()) {
            take_line(line_);
            line_.clear();
            continue;
        }
        // An empty line ends the event; one without data is dropped.
        auto event = std::exchange(event_, {});
        last_id_ = pending_id_;
        if (std::exchange(has_data_, false) && !on_event(event)) return false;
    }
    return true;
}

void SseReader::take_line(std::string_view line) {
    const auto colon = line.find(':');
    const auto field = line.substr(0, colon);
    std::string_view value = colon == std::string_view::npos ? std::string_view{} : line.substr(colon + 1);
    if (value.starts_with(' ')) value.remove_prefix(1);
    if (field == "event") {
        event_.name = value;
    } else if (field == "data") {
        if (has_data_) event_.data += '\n';
        event_.data += value;
        has_data_ = true;
    } else if (field == "id" && value.find('\0') == std::string_view::npos) {
        pending_id_ = value;
    }
}

void SseReader::restart() {
    line_.clear();
    event_ = {};
    pending_id_ = last_id_;
    has_data_ = false;
    after_cr_ = false;
}

}  // namespace fieldwarden::supervisor::cli
