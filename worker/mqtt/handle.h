// Handle: one client of paho's asynchronous library, and the guard of the callbacks that run for it. paho
// calls back on threads of its own, which all clients of a process share, and may still be in a callback when
// MQTTAsync_destroy() returns.
//
// Threads. One owner; Visit on paho's threads.
#pragma once

#include <MQTTAsync.h>

#include <atomic>
#include <string>

#include "worker/mqtt/connection.h"

namespace fieldwarden::worker::mqtt {

class Handle {
  public:
    Handle() = default;
    ~Handle() { destroy(); }
    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;

    // The client of a connection yet to be made. Once.
    Status create(const ConnectionSettings& settings);
    // After it nothing calls back, and none of the callbacks still runs.
    void destroy();
    [[nodiscard]] MQTTAsync get() const { return handle_; }
    [[nodiscard]] bool connected() const;

    // Every callback has one as long as it touches what destroy() is the end of.
    class Visit {
      public:
        explicit Visit(Handle& handle) : inside_(handle.inside_) { ++inside_; }
        ~Visit() { --inside_; }
        Visit(const Visit&) = delete;
        Visit& operator=(const Visit&) = delete;

      private:
        std::atomic<int>& inside_;
    };

  private:
    MQTTAsync handle_ = nullptr;
    std::atomic<int> inside_ = 0;  // callbacks that run now
};

// The options of a DISCONNECT in the connection's version; callbacks are the caller's.
MQTTAsync_disconnectOptions disconnect_options(const ConnectionSettings& settings);

// Why a connection ended, of paho's callbacks connectionLost (`cause` may be null) and disconnected.
std::string lost_text(const char* cause);
std::string disconnected_text(MQTTReasonCodes reason);

}  // namespace fieldwarden::worker::mqtt
