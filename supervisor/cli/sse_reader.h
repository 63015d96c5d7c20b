// Server-sent events, read piece by piece (WHATWG HTML, section 9.2.6).
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace fieldwarden::supervisor::cli {

struct ServerEvent {
    std::string name = "message";
    std::string data;
};

class SseReader {
  public:
    // Feeds bytes as they came from the socket and calls `on_event` for each complete event; stops and
    // returns false when that returns false, or when an event grows beyond kLongestEvent.
    bool feed(std::string_view bytes, const std::function<bool(const ServerEvent&)>& on_event);
    // The id of the last complete event, for Last-Event-ID after a reconnect.
    [[nodiscard]] const std::string& last_id() const { return last_id_; }
    // Forgets a half-read event: the connection was lost.
    void restart();

    static constexpr std::size_t kLongestEvent = 16U << 20;

  private:
    void take_line(std::string_view line);

    std::string line_;
    ServerEvent event_;
    std::string last_id_;
    std::string pending_id_;
    bool has_data_ = false;
    bool after_cr_ = false;
};

}  // namespace fieldwarden::supervisor::cli
