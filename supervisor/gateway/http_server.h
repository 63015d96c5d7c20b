// The HTTP/1.1 server: sockets, TLS, limits, timeouts, uploads to disk, graceful drain. What a request means
// is the Dispatcher's business.
//
// Limits (each answered as CONTRACT 3 says, or by closing the connection):
//   head 16 KiB, complete 10 s after its first byte · body kMostBodyBytes, uploads max_upload_bytes (and 64
//   KiB of multipart framing), both at 16 KiB/s or faster after 30 s · idle keep-alive 75 s · calls waiting
//   for a thread 256 · connections 4,096 · streams of one user max_streams_per_user
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "common/result.h"
#include "supervisor/gateway/access_log.h"
#include "supervisor/gateway/dispatcher.h"
#include "supervisor/gateway/tls.h"
#include "supervisor/status/status_bus.h"

namespace fieldwarden::supervisor::gateway {

struct HttpOptions {
    std::string host = "127.0.0.1";
    std::uint16_t port = 0;
    int listener = -1;  // a listening socket to use instead of binding one; owned from start() on
    unsigned threads = 8;
    std::filesystem::path upload_dir;
    std::uint64_t max_upload_bytes = 200ULL << 20;
    std::size_t max_connections = 4096;
    std::size_t max_streams_per_user = 256;  // WebSockets and event streams
    std::chrono::milliseconds head_timeout{10'000};
    std::chrono::milliseconds idle_timeout{75'000};
    std::chrono::milliseconds heartbeat{15'000};  // of event streams; half the idle limit of WebSockets
    std::chrono::milliseconds drain_timeout{5'000};
    std::unique_ptr<Tls> tls;               // null: plain HTTP
    std::unique_ptr<AccessLog> access_log;  // null: none
};

class HttpServer {
  public:
    HttpServer(HttpOptions options, Dispatcher& dispatcher, StatusBus& bus);
    ~HttpServer();  // stop()

    Result<std::uint16_t> start();
    void stop();
    // A duplicate of the listening socket, −1 when there is none. Not while stop() runs.
    [[nodiscard]] int keep_listener() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace fieldwarden::supervisor::gateway
