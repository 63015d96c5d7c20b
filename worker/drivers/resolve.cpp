#include "worker/drivers/resolve.h"

#include <fmt/format.h>

#include <condition_variable>
#include <cstring>
#include <memory>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>

namespace fieldwarden::worker {

namespace {

struct Lookup {
    int error = 0;
    std::vector<SocketAddress> addresses;
};

Lookup look_up(const std::string& host, const std::string& port, int flags) {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV | flags;
    addrinfo* found = nullptr;
    Lookup out;
    out.error = getaddrinfo(host.c_str(), port.c_str(), &hints, &found);
    if (out.error != 0) return out;
    const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner{found, freeaddrinfo};
    for (const auto* entry = found; entry != nullptr; entry = entry->ai_next) {
        if (entry->ai_addrlen > sizeof(sockaddr_storage)) continue;
        SocketAddress address;
        std::memcpy(&address.storage, entry->ai_addr, entry->ai_addrlen);
        address.length = entry->ai_addrlen;
        out.addresses.push_back(address);
    }
    return out;
}

// Shared with a look-up that may outlive the one who asked.
struct Pending {
    std::mutex mutex;
    std::condition_variable done;
    std::optional<Lookup> result;
};

}  // namespace

Result<std::vector<SocketAddress>> resolve(const HostPort& peer, std::chrono::milliseconds timeout,
                                           const std::function<bool()>& give_up) {
    const auto port = std::to_string(peer.port);
    auto numeric = look_up(peer.host, port, AI_NUMERICHOST);
    if (numeric.error == 0) return numeric.addresses;

    const auto pending = std::make_shared<Pending>();
    try {
        std::thread([pending, host = peer.host, port] {
            auto result = look_up(host, port, 0);
            const std::lock_guard lock{pending->mutex};
            pending->result = std::move(result);
            pending->done.notify_all();
        }).detach();
    } catch (const std::system_error& error) {
        return make_error(ErrorKind::kUnavailable,
                          fmt::format("cannot look up host '{}': {}", peer.host, error.what()));
    }
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    std::unique_lock lock{pending->mutex};
    while (!pending->result) {
        if (give_up()) {
            return make_error(ErrorKind::kUnavailable,
                              fmt::format("look-up of host '{}' was interrupted", peer.host));
        }
        if (std::chrono::steady_clock::now() >= deadline) {
            return make_error(
                ErrorKind::kTimeout,
                fmt::format(
                    "the name server gave no answer for host '{}' within {} ms; check the name server "
                    "or use the numeric address",
                    peer.host, timeout.count()));
        }
        pending->done.wait_for(lock, std::chrono::milliseconds{50});
    }
    if (pending->result->error != 0 || pending->result->addresses.empty()) {
        return make_error(
            ErrorKind::kUnavailable,
            fmt::format("host '{}' is not known ({}); check the name or use the numeric address", peer.host,
                        gai_strerror(pending->result->error)));
    }
    return std::move(pending->result->addresses);
}

}  // namespace fieldwarden::worker
