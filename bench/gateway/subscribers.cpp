// Many WebSocket subscribers in one process, cheap enough to stand beside the server on a small machine: one
// epoll loop that takes frames apart and looks at nothing but their time.
//
//   bench_subscribers PORT COUNT SECONDS TOPIC poll|sleep    token in FIELDWARDEN_TOKEN; TOPIC "-": subscribe
//   to nothing
//
// "poll": looks for frames without ever sleeping. A receiver that sleeps has to be woken for each frame, and
// on the sender's own machine the kernel does that within the sender's write: with clients elsewhere it does
// not.
//
// Prints "ready" once all are connected and subscribed, waits for a line on standard input, listens for
// SECONDS and prints {"clients", "events", "p50", "p99", "max", "lost"}: milliseconds from the time in the
// envelope (whole milliseconds, cut off, so up to one too many) to the read that brought its last byte.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <string_view>
#include <vector>

namespace {

using Clock = std::chrono::system_clock;

struct Client {
    int socket = -1;
    std::string received;
};

[[noreturn]] void die(const char* what) {
    std::perror(what);
    std::exit(1);
}

void send_all(int socket, std::string_view bytes) {
    while (!bytes.empty()) {
        const auto sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent <= 0) die("send");
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
}

// A masked text frame (RFC 6455, 5.2); the mask of zeros leaves the text as it is.
std::string text_frame(std::string_view text) {
    std::string frame{"\x81", 1};
    frame += static_cast<char>(0x80 | text.size());  // below 126
    frame.append(4, '\0');
    frame += text;
    return frame;
}

int subscribe(std::uint16_t port, const std::string& topic) {
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) die("connect");
    const char* token = std::getenv("FIELDWARDEN_TOKEN");
    send_all(socket, "GET /ws HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(port) +
                         "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer " +
                         (token == nullptr ? "" : token) + "\r\n\r\n");
    std::string head;
    while (head.find("\r\n\r\n") == std::string::npos) {
        char byte = 0;
        if (::recv(socket, &byte, 1, 0) != 1) die("handshake");
        head += byte;
    }
    if (head.find(" 101 ") == std::string::npos) {
        std::fprintf(stderr, "refused: %s\n", head.c_str());
        std::exit(1);
    }
    if (topic != "-") send_all(socket, text_frame(R"({"action":"subscribe","topics":[")" + topic + "\"]}"));
    return socket;
}

// The next whole frame's payload; false when more bytes are needed.
bool take_frame(std::string& received, std::string& payload) {
    if (received.size() < 2) return false;
    std::size_t head = 2;
    std::uint64_t size = static_cast<unsigned char>(received[1]) & 0x7F;
    const std::size_t wide = size == 126 ? 2 : size == 127 ? 8 : 0;
    if (wide > 0) {
        if (received.size() < head + wide) return false;
        size = 0;
        for (std::size_t i = 0; i < wide; ++i)
            size = size << 8 | static_cast<unsigned char>(received[head + i]);
        head += wide;
    }
    if (received.size() < head + size) return false;
    payload.assign(received, head, size);
    received.erase(0, head + size);
    return true;
}

// "ts":"2026-11-23T14:25:51.123Z" as milliseconds; 0 without.
double envelope_time(const std::string& payload) {
    const auto at = payload.find("\"ts\":\"");
    if (at == std::string::npos || payload.find("\"type\":\"process_status_update\"") == std::string::npos)
        return 0;
    std::tm when{};
    double seconds = 0;
    if (std::sscanf(payload.c_str() + at + 6, "%d-%d-%dT%d:%d:%lfZ", &when.tm_year, &when.tm_mon,
                    &when.tm_mday, &when.tm_hour, &when.tm_min, &seconds) != 6) {
        return 0;
    }
    when.tm_year -= 1900;
    when.tm_mon -= 1;
    return (static_cast<double>(::timegm(&when)) + seconds) * 1000;
}

double now_ms() {
    return std::chrono::duration<double, std::milli>(Clock::now().time_since_epoch()).count();
}

double percentile(const std::vector<double>& sorted, double share) {
    return sorted.empty() ? 0
                          : sorted[static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1))];
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 6) {
        std::fputs("usage: bench_subscribers PORT COUNT SECONDS TOPIC poll|sleep\n", stderr);
        return 2;
    }
    const auto port = static_cast<std::uint16_t>(std::atoi(argv[1]));
    const int patience = std::string_view{argv[5]} == "poll" ? 0 : 100;  // ms
    std::vector<Client> clients(static_cast<std::size_t>(std::atoi(argv[2])));
    const int poll = ::epoll_create1(EPOLL_CLOEXEC);
    for (std::size_t i = 0; i < clients.size(); ++i) {
        clients[i].socket = subscribe(port, argv[4]);
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.u64 = i;
        ::epoll_ctl(poll, EPOLL_CTL_ADD, clients[i].socket, &event);
    }
    std::puts("ready");
    std::fflush(stdout);
    static_cast<void>(std::getchar());

    const double begun = now_ms();
    const double end = begun + 1000.0 * std::atof(argv[3]);
    std::vector<double> latencies;
    std::size_t lost = 0;
    std::vector<epoll_event> events(256);
    std::string payload;
    std::vector<char> buffer(1 << 16);
    while (now_ms() < end) {
        const int ready = ::epoll_wait(poll, events.data(), static_cast<int>(events.size()), patience);
        for (int i = 0; i < ready; ++i) {
            auto& client = clients[events[static_cast<std::size_t>(i)].data.u64];
            const auto got = ::recv(client.socket, buffer.data(), buffer.size(), 0);
            const double now = now_ms();
            if (got <= 0) {
                ::epoll_ctl(poll, EPOLL_CTL_DEL, client.socket, nullptr);
                ++lost;
                continue;
            }
            client.received.append(buffer.data(), static_cast<std::size_t>(got));
            while (take_frame(client.received, payload)) {
                // Not the snapshot of the beginning.
                const double at = envelope_time(payload);
                if (at > begun) latencies.push_back(now - at);
            }
        }
    }
    std::sort(latencies.begin(), latencies.end());
    std::printf(R"({"clients": %zu, "events": %zu, "p50": %.2f, "p99": %.2f, "max": %.2f, "lost": %zu})"
                "\n",
                clients.size(), latencies.size(), percentile(latencies, 0.5), percentile(latencies, 0.99),
                latencies.empty() ? 0 : latencies.back(), lost);
    return 0;
}
