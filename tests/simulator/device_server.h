// Simulated devices on TCP ports, whatever they speak: one port each, all served by one thread.
#pragma once

#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/result.h"
#include "tests/simulator/reply_faults.h"

namespace fieldwarden::simulator {

// What one device does with the bytes that came. All calls on the serving thread.
class Responder {
  public:
    virtual ~Responder() = default;
    // Takes the first request off `bytes` and appends what the device says to it, `seconds` after its start.
    // The bytes it took; 0: more are needed; nullopt: nonsense, close the connection.
    virtual std::optional<std::size_t> take(std::span<const std::uint8_t> bytes, double seconds,
                                            Answer& answer) = 0;
    [[nodiscard]] virtual std::chrono::milliseconds delay() const = 0;
};

struct DeviceCounters {
    std::uint64_t requests = 0;
    std::uint64_t accepted = 0;  // connections since start
    std::uint32_t connections = 0;
};

// Methods may be called from any thread; start() and stop() from one at a time.
class DeviceServer {
  public:
    DeviceServer();
    ~DeviceServer();  // stop()
    DeviceServer(const DeviceServer&) = delete;
    DeviceServer& operator=(const DeviceServer&) = delete;

    // Before start(): binds `port` (0: any free one) for a device, whose place is the number of those before.
    Status add(const std::string& host, std::uint16_t port, std::unique_ptr<Responder> responder);
    void start();
    void stop();

    // Runs `work` on the serving thread, or here when it does not run.
    template <class Work>
    auto on_thread(Work work) const {
        std::packaged_task<decltype(work())()> task{std::move(work)};
        auto result = task.get_future();
        post_or_run([&task] { task(); });
        return result.get();
    }

    [[nodiscard]] const std::vector<std::uint16_t>& ports() const;
    [[nodiscard]] std::size_t size() const { return ports().size(); }
    // On the serving thread: closes the connections and refuses new ones, or listens again.
    void plug(std::size_t device, bool in);
    void drop_connections(std::size_t device);
    [[nodiscard]] DeviceCounters counters(std::size_t device) const;

  private:
    void post_or_run(const std::function<void()>& work) const;

    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace fieldwarden::simulator
