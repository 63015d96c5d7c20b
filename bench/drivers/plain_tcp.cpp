#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/drivers/rows.h"
#include "common/device_options.h"

namespace fieldwarden::bench {

namespace {

class PlainTcp final : public PlainClient {
  public:
    PlainTcp(const std::string& address, std::vector<Exchange> exchanges)
        : exchanges_(std::move(exchanges)), fd_(connect_plain(address)) {
        for (const auto& exchange : exchanges_)
            buffer_.resize(std::max(buffer_.size(), exchange.answer_size));
    }
    ~PlainTcp() override {
        if (fd_ >= 0) close(fd_);
    }
    PlainTcp(const PlainTcp&) = delete;
    PlainTcp& operator=(const PlainTcp&) = delete;

    bool read_all() override {
        for (const auto& [request, answer_size] : exchanges_) {
            if (send(fd_, request.data(), request.size(), MSG_NOSIGNAL) !=
                static_cast<ssize_t>(request.size()))
                return false;
            if (recv(fd_, buffer_.data(), answer_size, MSG_WAITALL) != static_cast<ssize_t>(answer_size))
                return false;
        }
        return true;
    }

  private:
    std::vector<Exchange> exchanges_;
    std::vector<std::uint8_t> buffer_;
    int fd_;
};

}  // namespace

int connect_plain(const std::string& address) {
    const auto peer = parse_host_port(address, 0);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_port = htons(peer.value().port);
    inet_pton(AF_INET, peer.value().host.c_str(), &where.sin_addr);
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(fd, reinterpret_cast<const sockaddr*>(&where), sizeof where) == 0) return fd;
    close(fd);
    return -1;
}

std::unique_ptr<PlainClient> make_plain_tcp(const std::string& address, std::vector<Exchange> exchanges) {
    return std::make_unique<PlainTcp>(address, std::move(exchanges));
}

}  // namespace fieldwarden::bench
