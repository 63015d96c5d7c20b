#include "tests/contract/scripted_http.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <optional>

namespace fieldwarden {

namespace {

bool send_all(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
        const auto sent = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent <= 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
}

std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text;
}

// Takes one request off `buffer`; empty when it is not complete yet.
std::optional<SeenRequest> take_request(std::string& buffer) {
    const auto end = buffer.find("\r\n\r\n");
    if (end == std::string::npos) return std::nullopt;
    SeenRequest request;
    const auto line = buffer.substr(0, buffer.find("\r\n"));
    const auto space = line.find(' ');
    request.method = line.substr(0, space);
    request.target = line.substr(space + 1, line.rfind(' ') - space - 1);
    for (auto at = line.size() + 2; at < end;) {
        const auto stop = buffer.find("\r\n", at);
        const auto header = buffer.substr(at, stop - at);
        const auto colon = header.find(':');
        auto value = header.substr(colon + 1);
        value.erase(0, value.find_first_not_of(' '));
        request.headers[lower(header.substr(0, colon))] = value;
        at = stop + 2;
    }
    const auto length =
        request.headers.count("content-length") != 0 ? std::stoul(request.headers.at("content-length")) : 0UL;
    if (buffer.size() < end + 4 + length) return std::nullopt;
    request.body = buffer.substr(end + 4, length);
    buffer.erase(0, end + 4 + length);
    return request;
}

}  // namespace

ScriptedReply http_reply(int status, const std::string& body, const std::string& more_headers) {
    return {fmt::format("HTTP/1.1 {} Status\r\n{}Content-Length: {}\r\n\r\n{}", status, more_headers,
                        body.size(), body)};
}

ScriptedHttp::ScriptedHttp(Handler handler) : handler_(std::move(handler)) {
    start();
}

ScriptedHttp::~ScriptedHttp() {
    stop();
}

std::string ScriptedHttp::url() const {
    return fmt::format("http://127.0.0.1:{}", port_);
}

std::vector<SeenRequest> ScriptedHttp::seen() const {
    const std::lock_guard lock{mutex_};
    return seen_;
}

void ScriptedHttp::start() {
    stopping_.store(false);
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int yes = 1;
    setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port_));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(listener_, 16) != 0) {
        throw std::runtime_error("the test's HTTP server gets no port");
    }
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread{[this] {
        for (;;) {
            const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
            if (fd < 0) return;
            const std::lock_guard lock{mutex_};
            if (stopping_.load()) {
                close(fd);
                return;
            }
            ++connections_;
            open_.push_back(fd);
            sessions_.emplace_back([this, fd] { serve(fd); });
        }
    }};
}

void ScriptedHttp::stop() {
    if (listener_ < 0) return;
    {
        const std::lock_guard lock{mutex_};
        stopping_.store(true);
        for (const int fd : open_) shutdown(fd, SHUT_RDWR);
    }
    shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    for (auto& session : sessions_) session.join();
    sessions_.clear();
    for (const int fd : open_) close(fd);
    open_.clear();
    close(listener_);
    listener_ = -1;
}

void ScriptedHttp::serve(int fd) {
    std::string buffer;
    std::string piece(1 << 16, '\0');
    for (;;) {
        while (const auto request = take_request(buffer)) {
            if (!answer(fd, *request)) {
                shutdown(fd, SHUT_RDWR);
                return;
            }
        }
        const auto got = recv(fd, piece.data(), piece.size(), 0);
        if (got <= 0) return;
        buffer.append(piece, 0, static_cast<std::size_t>(got));
    }
}

// Whether the connection goes on.
bool ScriptedHttp::answer(int fd, const SeenRequest& request) {
    {
        const std::lock_guard lock{mutex_};
        seen_.push_back(request);
    }
    const auto reply = handler_(request);
    if (!send_all(fd, reply.bytes)) return false;
    switch (reply.then) {
        case ScriptedReply::Then::kKeepAlive:
            return true;
        case ScriptedReply::Then::kClose:
            return false;
        case ScriptedReply::Then::kGoOnForEver:
            while (send_all(fd, std::string(1 << 16, 'x'))) {
            }
            return false;
        case ScriptedReply::Then::kHang: {
            hanging_.store(true);
            char byte = 0;
            while (recv(fd, &byte, 1, 0) > 0) {
            }
            hanging_.store(false);
            return false;
        }
    }
    return false;
}

}  // namespace fieldwarden
