#include "raw_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <stdexcept>

namespace fieldwarden::supervisor::testing {

namespace {

constexpr int kPatienceMs = 10'000;

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

}  // namespace

std::string RawResponse::header(std::string_view name) const {
    std::string wanted = "\r\n" + std::string(name) + ": ";
    std::string lowered = head;
    std::ranges::transform(wanted, wanted.begin(), lower);
    std::ranges::transform(lowered, lowered.begin(), lower);
    const auto at = lowered.find(wanted);
    if (at == std::string::npos) return {};
    const auto begin = at + wanted.size();
    return head.substr(begin, head.find("\r\n", begin) - begin);
}

RawClient::RawClient(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
        throw std::runtime_error("cannot connect to the test's own server");
    }
}

RawClient::~RawClient() {
    ::close(fd_);
}

void RawClient::send(std::string_view bytes) {
    while (!bytes.empty()) {
        const auto sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent <= 0) return;  // the server has closed: the reader will see
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
}

bool RawClient::read_more() {
    pollfd readable{fd_, POLLIN, 0};
    if (::poll(&readable, 1, kPatienceMs) <= 0) return false;
    std::array<char, 65536> chunk{};
    const auto got = ::recv(fd_, chunk.data(), chunk.size(), 0);
    if (got <= 0) return false;
    buffer_.append(chunk.data(), static_cast<std::size_t>(got));
    return true;
}

bool RawClient::read_at_least(std::size_t size) {
    while (buffer_.size() < size) {
        if (!read_more()) return false;
    }
    return true;
}

std::optional<RawResponse> RawClient::response(bool head_only) {
    std::size_t end = 0;
    while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
        if (!read_more()) return std::nullopt;
    }
    RawResponse response;
    response.head = buffer_.substr(0, end + 2);
    response.status = std::atoi(response.head.substr(9, 3).c_str());
    buffer_.erase(0, end + 4);
    const auto length = head_only ? 0 : std::strtoul(response.header("Content-Length").c_str(), nullptr, 10);
    if (!read_at_least(length)) return std::nullopt;
    response.body = buffer_.substr(0, length);
    buffer_.erase(0, length);
    return response;
}

bool RawClient::wait_for(std::string_view text) {
    while (buffer_.find(text) == std::string::npos) {
        if (!read_more()) return false;
    }
    return true;
}

bool RawClient::closed() {
    pollfd readable{fd_, POLLIN, 0};
    for (;;) {
        if (::poll(&readable, 1, kPatienceMs) <= 0) return false;
        std::array<char, 65536> chunk{};
        if (::recv(fd_, chunk.data(), chunk.size(), 0) <= 0) return true;
    }
}

void RawClient::shutdown_send() {
    ::shutdown(fd_, SHUT_WR);
}

bool RawClient::upgrade(std::string_view target, std::string_view headers) {
    send("GET " + std::string(target) +
         " HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
         "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
         std::string(headers) + "\r\n");
    const auto answer = response(true);
    return answer && answer->status == 101 &&
           answer->header("Sec-WebSocket-Accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
}

void RawClient::send_frame(unsigned opcode, std::string_view payload) {
    // RFC 6455, section 5.2; the mask of a client may be zero.
    std::string frame;
    frame.push_back(static_cast<char>(0x80U | opcode));
    if (payload.size() < 126) {
        frame.push_back(static_cast<char>(0x80U | payload.size()));
    } else {
        frame.push_back(static_cast<char>(0xFE));
        frame.push_back(static_cast<char>(payload.size() >> 8));
        frame.push_back(static_cast<char>(payload.size() & 0xFF));
    }
    frame.append(4, '\0');
    frame.append(payload);
    send(frame);
}

void RawClient::send_text(std::string_view text) {
    send_frame(1, text);
}

std::optional<std::string> RawClient::message() {
    std::string text;
    for (;;) {
        if (!read_at_least(2)) return std::nullopt;
        const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(buffer_[i]); };
        const unsigned opcode = byte(0) & 0x0FU;
        const bool last = (byte(0) & 0x80U) != 0;
        std::size_t length = byte(1);
        std::size_t head = 2;
        if (length >= 126) {
            const std::size_t extra = length == 126 ? 2 : 8;
            if (!read_at_least(2 + extra)) return std::nullopt;
            length = 0;
            for (std::size_t i = 0; i < extra; ++i) length = length << 8 | byte(2 + i);
            head += extra;
        }
        if (!read_at_least(head + length)) return std::nullopt;
        auto payload = buffer_.substr(head, length);
        buffer_.erase(0, head + length);
        if (opcode == 8) {
            if (payload.size() >= 2) {
                close_code_ = static_cast<std::uint16_t>(static_cast<std::uint8_t>(payload[0]) << 8 |
                                                         static_cast<std::uint8_t>(payload[1]));
            }
            return std::nullopt;
        }
        if (opcode == 9) send_frame(10, payload);
        if (opcode > 2) continue;
        text += payload;
        if (last) return text;
    }
}

nlohmann::json RawClient::message_of_type(std::string_view type) {
    while (const auto text = message()) {
        auto json = nlohmann::json::parse(*text, nullptr, false);
        if (json.is_object() && json.value("type", "") == type) return json;
    }
    return {};
}

}  // namespace fieldwarden::supervisor::testing
