// A client of bare bytes, so that nothing tidies up what a test sends or what the server answers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace fieldwarden::supervisor::testing {

struct RawResponse {
    int status = 0;
    std::string head;  // the status line and the header lines
    std::string body;

    // The value of a header; "" when it is not there.
    [[nodiscard]] std::string header(std::string_view name) const;
    [[nodiscard]] nlohmann::json json() const { return nlohmann::json::parse(body, nullptr, false); }
};

class RawClient {
  public:
    explicit RawClient(std::uint16_t port);
    ~RawClient();
    RawClient(const RawClient&) = delete;
    RawClient& operator=(const RawClient&) = delete;

    void send(std::string_view bytes);
    // Reads one response by its Content-Length; nullopt when the connection ends first. Waits ten seconds.
    std::optional<RawResponse> response(bool head_only = false);
    // Reads on until the text has come; false when the connection ended first.
    bool wait_for(std::string_view text);
    // Everything read and not yet taken.
    [[nodiscard]] const std::string& pending() const { return buffer_; }
    // Whether the server closes the connection within ten seconds.
    bool closed();
    void shutdown_send();

    // --- WebSocket, after a handshake ---
    bool upgrade(std::string_view target, std::string_view headers);
    void send_text(std::string_view text);
    // The next text message; answers pings. nullopt at the end.
    std::optional<std::string> message();
    // The next message as JSON that has this type.
    nlohmann::json message_of_type(std::string_view type);
    [[nodiscard]] std::uint16_t close_code() const { return close_code_; }

  private:
    bool read_more();
    bool read_at_least(std::size_t size);
    void send_frame(unsigned opcode, std::string_view payload);

    int fd_ = -1;
    std::string buffer_;
    std::uint16_t close_code_ = 0;
};

}  // namespace fieldwarden::supervisor::testing
