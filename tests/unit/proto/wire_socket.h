// Both ends of the wire for tests and benchmarks: a Unix socket that carries frames. Nothing here waits; poll
// the descriptors.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "proto/frame_stream.h"

namespace fieldwarden::proto {

class WireSocket {
  public:
    WireSocket() = default;
    explicit WireSocket(int fd) : fd_(fd) {}  // takes it over
    // A socket that is closed when nobody listens there.
    static WireSocket connect(const std::string& path);
    ~WireSocket() { close(); }
    WireSocket(WireSocket&& other) noexcept { *this = std::move(other); }
    WireSocket& operator=(WireSocket&& other) noexcept;

    // False: the other end is gone.
    bool send(const Message& message);
    bool send_raw(std::string_view header, std::string_view payload);
    bool send_bytes(std::string_view bytes);
    // What has come and decodes; what does not decode is left out.
    std::optional<Message> receive();
    void close();
    [[nodiscard]] int fd() const { return fd_; }
    [[nodiscard]] bool is_open() const { return fd_ >= 0; }

  private:
    int fd_ = -1;
    FrameReader reader_{kMaxPayload};
    Bytes buffer_;
    ByteSpan unread_;
};

class WireListener {
  public:
    explicit WireListener(const std::string& path);
    ~WireListener() { close(); }
    WireListener(const WireListener&) = delete;
    WireListener& operator=(const WireListener&) = delete;

    std::optional<WireSocket> accept();
    void close();
    [[nodiscard]] int fd() const { return fd_; }

  private:
    std::string path_;
    int fd_ = -1;
};

}  // namespace fieldwarden::proto
