// Host name → socket addresses, bounded in time.
#pragma once

#include <netdb.h>
#include <sys/socket.h>

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "common/device_options.h"
#include "common/result.h"

namespace fieldwarden::worker {

struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t length = 0;
};

// Numeric addresses are answered at once. A name is looked up on a thread of its own, because getaddrinfo can
// neither be bounded nor interrupted; at the deadline, or when `give_up` (asked every 50 ms) says so, the
// look-up is left behind to end by itself.
Result<std::vector<SocketAddress>> resolve(const HostPort& peer, std::chrono::milliseconds timeout,
                                           const std::function<bool()>& give_up);

}  // namespace fieldwarden::worker
