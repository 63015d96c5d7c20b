// A mosquitto of our own on a free port, and its command line publisher as an independent peer.
#pragma once

#include <string>
#include <vector>

#include "tests/unit/common/server_process.h"

namespace fieldwarden::testing_mqtt {

class Broker {
  public:
    // `settings` are lines of mosquitto.conf beyond the listener; "{dir}" is the broker's folder.
    explicit Broker(std::string settings = "allow_anonymous true\n");

    // Takes effect with the next start().
    void configure(std::string settings);
    void start();
    void stop() { server_.stop(); }
    void kill() { server_.kill(); }
    void freeze() { server_.freeze(); }
    void thaw() { server_.thaw(); }

    [[nodiscard]] int port() const { return server_.port(); }
    [[nodiscard]] std::string address() const;
    [[nodiscard]] std::string file(const std::string& name) const { return server_.file(name); }
    [[nodiscard]] std::string log() const { return server_.log(); }

    // Runs a program to its end; true when it exits with 0.
    bool run(std::vector<std::string> arguments, const std::string& input = {}) const;
    // mosquitto_pub with these arguments; true when it did its work.
    bool publish(std::vector<std::string> arguments, const std::string& input = {}) const;
    // The simple case: one message at QoS 1.
    bool publish(const std::string& topic, const std::string& payload, bool retain = false) const;

  private:
    ServerProcess server_{{"mosquitto", "-c", "{dir}/conf"}};
    std::string settings_;
};

}  // namespace fieldwarden::testing_mqtt
