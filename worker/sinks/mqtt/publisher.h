// Publisher: one connection to a broker that only publishes, over paho's asynchronous client. Made for one
// connection and thrown away with it, so that nothing of a failed one stays behind.
//
// Threads: the sink's, but for interrupt(). paho's threads only fill in outcomes.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "worker/mqtt/handle.h"

namespace fieldwarden::worker::mqtt {

struct PublisherSettings : ConnectionSettings {
    std::string status_topic;  // empty: neither birth message nor last will
};

// A broker's answer to one message.
struct Acknowledgement {
    bool ok = false;
    int reason = 0;  // when not ok: of MQTT 5.0, section 3.4.2.1; 0: no answer
};

class Publisher {
  public:
    // Set by interrupt() of the sink; ends every wait of every publisher that shares it.
    struct Interrupt {
        std::mutex mutex;
        std::condition_variable changed;
        bool set = false;
    };

    // Both outlive the publisher.
    Publisher(const PublisherSettings& settings, Interrupt& interrupt);
    // Says "offline" and goodbye where the broker still listens; waits for that at most a second.
    ~Publisher();
    Publisher(const Publisher&) = delete;
    Publisher& operator=(const Publisher&) = delete;

    // Within the connection's time-out. The last will stands from then on.
    Status connect();
    [[nodiscard]] bool connected() const { return handle_.connected(); }
    // The largest packet the broker takes, as it said with MQTT 5; 0: it did not.
    [[nodiscard]] std::size_t largest_packet() const { return largest_packet_; }

    struct Message {
        std::string topic;
        std::string payload;
        int qos = 1;
        bool retain = false;
    };
    // Sends all of them, a bounded number at a time, and waits for the answers until nothing has come for the
    // time-out. The answers in order; those of messages that were not answered have reason 0, and trouble()
    // says why.
    std::vector<Acknowledgement> publish(const std::vector<Message>& messages);
    [[nodiscard]] const Error& trouble() const { return trouble_; }

  private:
    struct Slot {
        Publisher* owner = nullptr;
        bool done = false;
        Acknowledgement answer;
    };
    void finish(Slot& slot, bool ok, int reason);
    void lose(std::string why);
    bool send(const Message& message, Slot& slot);
    void say_goodbye();
    Error error(ErrorKind kind, std::string_view why) const;

    const PublisherSettings& settings_;
    Interrupt& interrupt_;  // its mutex guards what paho's threads write
    Handle handle_;
    Slot connected_;
    std::string connect_text_;
    Slot disconnected_;
    std::string lost_;
    bool is_lost_ = false;
    std::size_t answered_ = 0;
    std::size_t wanted_ = 0;                         // who waits is woken from so many answers on
    std::chrono::steady_clock::time_point heard_{};  // the last answer
    std::deque<Slot> slots_;                         // of the messages in hand
    std::size_t window_ = 0;
    std::size_t largest_packet_ = 0;
    Error trouble_;
};

}  // namespace fieldwarden::worker::mqtt
