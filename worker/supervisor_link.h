// SupervisorLink: the worker's end of the wire (proto/wire.h), a Unix socket.
//
// Every connection starts with Hello; the supervisor answers Welcome or Refuse. Until Welcome nothing else is
// sent. When the connection breaks, or nothing is heard for a while, the link says Hello again, with backoff,
// for as long as it takes: the worker goes on acquiring meanwhile, and a new supervisor adopts it.
//
// Nothing here blocks except wait(). What the supervisor does not read is not queued beyond kMostQueued;
// send() then says so and the caller decides what that means (a heartbeat is dropped, a log is counted). What
// was said to a supervisor that died is not told to the next one. Threads. The main thread only.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "common/clock.h"
#include "proto/wire.h"

namespace fieldwarden::worker {

// What the launch told this process.
struct LaunchEnvironment {
    std::string launch_key;
    std::string control;    // path of the supervisor's socket
    std::string task_code;  // empty: a spare or a probe
    std::int64_t session_id = 0;
    std::string data_dir;
    std::span<char> spare_name;  // a spare's place for its task's code, see spare_identity.h
};

class SupervisorLink {
  public:
    // May wait for a supervisor that does not read, beside one message of any size.
    static constexpr std::size_t kMostQueued = 4U << 20;

    static Result<std::unique_ptr<SupervisorLink>> open(const LaunchEnvironment& environment,
                                                        const Clock& clock);
    ~SupervisorLink();  // gives what was sent 500 ms to leave
    SupervisorLink(const SupervisorLink&) = delete;
    SupervisorLink& operator=(const SupervisorLink&) = delete;

    // Waits until a message came, one of `descriptors` is readable, or `timeout`. Says Hello when due.
    // Returns a bit per descriptor that is readable.
    std::uint32_t wait(std::span<const int> descriptors, std::chrono::milliseconds timeout);
    // The next message, if any. Malformed ones are counted and passed over.
    std::optional<proto::Message> receive();
    // False: not welcomed, too much waits, or too large. Nothing is sent then.
    bool send(const proto::Message& message);

    // What the next Hello says.
    void describe(const std::string& task_code, std::int64_t session_id, std::uint64_t config_revision);
    // Called for Welcome: from now on the worker speaks.
    void welcomed(std::chrono::milliseconds heartbeat_interval);
    [[nodiscard]] bool is_welcome() const;
    // Since anything valid was heard; from the start when nothing was.
    [[nodiscard]] std::chrono::milliseconds silence() const;
    [[nodiscard]] std::uint64_t malformed() const;

  private:
    struct Impl;
    explicit SupervisorLink(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

// /proc/self/stat field 22.
std::uint64_t own_start_ticks();

}  // namespace fieldwarden::worker
