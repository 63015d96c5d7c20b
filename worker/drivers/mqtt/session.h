// Session: one connection to a broker, over paho's asynchronous client, which session.cpp and
// callbacks.cpp alone know. Made
// for one connection and thrown away with it, so that nothing of a failed one stays behind. Reconnecting is
// the device loop's, never paho's.
//
// Threads: everything on the device's thread. paho's two threads, which all devices of a process share, only
// put messages and results into the inbox.
#pragma once

#include <atomic>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "worker/drivers/driver.h"
#include "worker/drivers/mqtt/inbox.h"
#include "worker/drivers/mqtt/settings.h"

namespace fieldwarden::worker::mqtt {

class Session {
  public:
    // Both outlive the session. `activity` rises with everything that comes from paho.
    Session(const Settings& settings, Inbox& inbox, std::atomic<std::uint64_t>& activity);
    // Says goodbye to the broker where it still listens, and waits for it at most a second.
    ~Session();
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    // TCP, TLS, CONNECT and CONNACK within the connection's time-out. On failure failed_step() is set.
    Status connect();
    [[nodiscard]] ConnectStep failed_step() const { return failed_step_; }
    // The broker kept the session: messages of the meantime come, and subscriptions are still there.
    [[nodiscard]] bool was_present() const { return was_present_; }

    // Subscribes to all filters; refused[i] says why the broker refused filters[i], and is empty otherwise.
    Status subscribe(std::span<const std::string> filters, std::vector<std::string>& refused);
    // Waits for the broker's acknowledgement. kInvalidArgument: the broker refused this message.
    Status publish(const std::string& topic, const std::string& payload);
    // Does not wait.
    void unsubscribe(const std::string& topic);

  private:
    struct Paho;
    Status fail(ConnectStep step, ErrorKind kind, const std::string& why);
    Status explain_failure(int code, const std::string& text);
    Status subscribe_some(std::span<const std::string> filters, std::span<std::string> refused);
    Error timed_out(std::string_view what) const;
    Error gone(std::string_view what) const;

    const Settings& settings_;
    Inbox& inbox_;
    std::unique_ptr<Paho> paho_;
    ConnectStep failed_step_ = ConnectStep::kConnect;
    bool was_present_ = false;
};

}  // namespace fieldwarden::worker::mqtt
