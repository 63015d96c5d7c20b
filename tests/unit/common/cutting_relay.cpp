#include "tests/unit/common/cutting_relay.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace fieldwarden {

namespace {

sockaddr_in loopback(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

int tcp_socket() {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

bool send_all(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
        const auto sent = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent <= 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
}

}  // namespace

CuttingRelay::CuttingRelay(int port) : target_(port), listener_(tcp_socket()) {
    auto address = loopback(0);
    socklen_t size = sizeof address;
    EXPECT_EQ(bind(listener_, reinterpret_cast<const sockaddr*>(&address), size), 0);
    EXPECT_EQ(listen(listener_, 64), 0);
    EXPECT_EQ(getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
    taker_ = std::thread{[this] { take_all(); }};
}

CuttingRelay::~CuttingRelay() {
    {
        const std::lock_guard lock{mutex_};
        ending_ = true;
        shutdown(listener_, SHUT_RDWR);
        for (const int fd : open_) shutdown(fd, SHUT_RDWR);
    }
    taker_.join();
    for (auto& carrier : carriers_) carrier.join();
    close(listener_);
}

void CuttingRelay::lose(std::string words, Loses what) {
    const std::lock_guard lock{mutex_};
    words_ = std::move(words);
    what_ = what;
    to_break_ = true;
}

void CuttingRelay::stay_away(bool away) {
    const std::lock_guard lock{mutex_};
    away_ = away;
    if (!away) away_now_ = false;
}

void CuttingRelay::wait_for_break() {
    std::unique_lock lock{mutex_};
    EXPECT_TRUE(broken_.wait_for(lock, std::chrono::seconds{30}, [&] { return !to_break_; }))
        << "nobody said the words";
}

void CuttingRelay::take_all() {
    for (;;) {
        const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
        if (client < 0) return;
        const std::lock_guard lock{mutex_};
        if (ending_ || away_now_) {
            close(client);
            if (ending_) return;
            continue;
        }
        open_.insert(client);
        carriers_.emplace_back([this, client] { carry(client); });
    }
}

void CuttingRelay::carry(int client) {
    const int server = tcp_socket();
    const auto address = loopback(target_);
    bool going = connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    {
        const std::lock_guard lock{mutex_};
        open_.insert(server);
        if (ending_) going = false;
    }
    std::string said;     // the end of what the client said before, where words may have begun
    bool doomed = false;  // the server's next words are the last
    bool chosen = false;
    std::array<char, 64U << 10> bytes;
    while (going) {
        std::array<pollfd, 2> sides{pollfd{client, POLLIN, 0}, pollfd{server, POLLIN, 0}};
        if (poll(sides.data(), sides.size(), -1) < 0) break;
        for (const auto& side : sides) {
            if (side.revents == 0 || !going) continue;
            const auto got = recv(side.fd, bytes.data(), bytes.size(), 0);
            going = got > 0;
            if (!going) continue;
            const std::string_view piece{bytes.data(), static_cast<std::size_t>(got)};
            if (side.fd == server) {
                going = !doomed && send_all(client, piece);
                continue;
            }
            {
                const std::lock_guard lock{mutex_};
                said += piece;
                if (!words_.empty() && said.find(words_) != std::string::npos) {
                    chosen = true;
                    doomed = what_ == Loses::kAnswer;
                    going = doomed;
                    if (away_) away_now_ = true;
                    words_.clear();
                }
                const auto kept = words_.empty() ? 0 : std::min(said.size(), words_.size() - 1);
                said.erase(0, said.size() - kept);
            }
            if (going) going = send_all(server, piece);
        }
    }
    const std::lock_guard lock{mutex_};
    for (const int fd : {client, server}) {
        open_.erase(fd);
        close(fd);
    }
    if (chosen) to_break_ = false;
    broken_.notify_all();
}

}  // namespace fieldwarden
