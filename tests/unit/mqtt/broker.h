// A mosquitto of our own on a free port, and its command line publisher as an independent peer.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tests/unit/common/temp_dir.h"

namespace fieldwarden::testing_mqtt {

class Broker {
  public:
    // `settings` are lines of mosquitto.conf beyond the listener; "{dir}" is the broker's folder.
    explicit Broker(std::string settings = "allow_anonymous true\n");
    ~Broker();
    Broker(const Broker&) = delete;
    Broker& operator=(const Broker&) = delete;

    // Takes effect with the next start().
    void configure(std::string settings);
    void start();
    void stop();  // SIGTERM: it stores what it shall keep
    void kill();
    void freeze();  // SIGSTOP: it takes connections, but says nothing
    void thaw();

    [[nodiscard]] int port() const { return port_; }
    [[nodiscard]] std::string address() const;
    [[nodiscard]] std::string file(const std::string& name) const { return dir_.file(name); }
    [[nodiscard]] std::string log() const;  // what it said so far

    // Runs a program to its end; true when it exits with 0.
    bool run(std::vector<std::string> arguments, const std::string& input = {}) const;
    // mosquitto_pub with these arguments; true when it did its work.
    bool publish(std::vector<std::string> arguments, const std::string& input = {}) const;
    // The simple case: one message at QoS 1.
    bool publish(const std::string& topic, const std::string& payload, bool retain = false) const;

  private:
    void halt(int signal);
    bool answers() const;

    TempDir dir_;
    std::string settings_;
    int port_ = 0;
    pid_t pid_ = -1;
};

}  // namespace fieldwarden::testing_mqtt
