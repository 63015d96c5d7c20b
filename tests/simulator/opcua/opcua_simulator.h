// A simulated OPC UA server: UA Binary over TCP, security policy None. In `fieldwarden simulate`, and inside
// tests. Not built on the client's codec, so that the two do not share their mistakes; checked against
// node-opcua by tests/system/test_opcua_simulator.py.
//
// Values: signals.h. Faults and the control port: faults.h.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/result.h"
#include "tests/simulator/opcua/faults.h"

namespace fieldwarden::simulator::opcua {

struct SimulatorOptions {
    std::string host = "127.0.0.1";
    std::uint16_t port = 0;  // 0: any free port
    std::string user = {};   // empty: anonymous; otherwise only this user signs in
    std::string password = {};
    unsigned many = 100;                                    // nodes of the folder Many
    std::chrono::milliseconds channel_lifetime{3'600'000};  // the longest a client is granted
    std::string control_host = {};                          // empty: no control port
    std::uint16_t control_port = 0;
};

struct Counters {
    std::uint64_t requests = 0;
    std::uint64_t accepted = 0;  // connections since start
    std::uint64_t renewals = 0;  // of secure channels
    std::uint64_t notifications = 0;
    std::size_t connections = 0;
    std::size_t sessions = 0;
    std::size_t subscriptions = 0;
    std::size_t monitored_items = 0;
    std::uint64_t republished = 0;  // messages asked for again and given
    std::uint64_t transfers = 0;    // subscriptions taken over by another session
};

// Every method may be called from any thread; start() and stop() from one at a time.
class OpcUaSimulator {
  public:
    explicit OpcUaSimulator(SimulatorOptions options = {});
    ~OpcUaSimulator();  // stop()
    OpcUaSimulator(const OpcUaSimulator&) = delete;
    OpcUaSimulator& operator=(const OpcUaSimulator&) = delete;

    // Binds, then serves on a thread of its own.
    Status start();
    void stop();

    [[nodiscard]] std::uint16_t port() const;
    [[nodiscard]] std::uint16_t control_port() const;  // 0 without one

    // In force for every request that arrives after the call has returned.
    void set_faults(Faults faults);
    void drop_connections();
    void set_subscription_faults(SubscriptionFaults faults);
    void forget_sessions();
    void end_sessions();  // their subscriptions wait for somebody to take them over
    // `name` as in ns=2;s=<name>. False: there is no such node.
    bool set_node_status(const std::string& name, std::optional<StatusCode> code);
    // The node takes these values one after the other, each reported to whoever monitors it.
    bool pin(const std::string& name, const std::vector<Scalar>& values);
    [[nodiscard]] Counters counters() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace fieldwarden::simulator::opcua
