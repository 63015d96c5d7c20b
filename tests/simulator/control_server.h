// The control port: lines in, one line out for each, over TCP. Its own thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "common/result.h"

namespace fieldwarden::simulator {

class ControlServer {
  public:
    // `execute` answers one line, without the line end; called on the server's thread.
    using Execute = std::function<std::string(std::string_view line)>;

    explicit ControlServer(Execute execute);
    ~ControlServer();  // stop()
    ControlServer(const ControlServer&) = delete;
    ControlServer& operator=(const ControlServer&) = delete;

    Status start(const std::string& host, std::uint16_t port);
    void stop();
    [[nodiscard]] std::uint16_t port() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace fieldwarden::simulator
