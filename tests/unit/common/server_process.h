// A real server for tests: started in a folder of its own on a free port of the loopback, ended by its pid.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "tests/unit/common/temp_dir.h"

namespace fieldwarden {

class ServerProcess {
  public:
    // "{port}" and "{dir}" in the command stand for the port and the folder; a program outside of PATH has
    // its folder. `ready` says whether it serves; without it, taking a connection is enough.
    explicit ServerProcess(std::vector<std::string> command, std::function<bool()> ready = {});
    ~ServerProcess();  // kill()
    ServerProcess(const ServerProcess&) = delete;
    ServerProcess& operator=(const ServerProcess&) = delete;

    // Waits until it is ready; a test failure when it does not start. The port stays the same from the first
    // start on. `prepare` runs before each attempt, with the port known: configuration files are written
    // there.
    void start(const std::function<void()>& prepare = {});
    void stop();                            // SIGTERM, and waits: it stores what it shall keep
    void end(int signal) { halt(signal); }  // the same with another signal
    void kill();
    void freeze();  // SIGSTOP: it takes connections, but says nothing
    void thaw();
    [[nodiscard]] bool running() const { return pid_ > 0; }

    [[nodiscard]] int port() const { return port_; }
    [[nodiscard]] pid_t pid() const { return pid_; }
    [[nodiscard]] std::string dir() const { return dir_.path().string(); }
    [[nodiscard]] std::string file(const std::string& name) const { return dir_.file(name); }
    [[nodiscard]] std::string log() const;  // what it said so far, both streams

    // Runs another program to its end, with `input` on its stdin; its exit code, -1 when it cannot be
    // started or was killed. What it printed on stdout goes to `output`.
    int run(std::vector<std::string> arguments, const std::string& input = {},
            std::string* output = nullptr) const;

  private:
    void halt(int signal);
    [[nodiscard]] bool takes_connections() const;

    TempDir dir_;
    std::vector<std::string> command_;
    std::function<bool()> ready_;
    int port_ = 0;
    pid_t pid_ = -1;
};

// A port of the loopback that nobody uses right now, for servers that cannot be told to take any.
int free_port();

}  // namespace fieldwarden
