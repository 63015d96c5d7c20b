// A relay in front of a server whose connections break at one place of the conversation: the moment in which
// a client cannot know whether the server has done what it asked for.
//
// Threads. One that takes connections and one for each of them; the calls are the test's.
#pragma once

#include <condition_variable>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace fieldwarden {

class CuttingRelay {
  public:
    // Relays to `port` of the loopback.
    explicit CuttingRelay(int port);
    ~CuttingRelay();
    CuttingRelay(const CuttingRelay&) = delete;
    CuttingRelay& operator=(const CuttingRelay&) = delete;

    [[nodiscard]] int port() const { return port_; }

    enum class Loses : std::uint8_t {
        kRequest,  // the words never reach the server: it has not done it
        kAnswer,   // they do, and the connection breaks once the server has answered: it has
    };
    // The next connection on which a client says these words breaks there, once.
    void lose(std::string words, Loses what);
    // From the break on nobody is let in; false: they are again.
    void stay_away(bool away);
    // Until what was to be lost is lost.
    void wait_for_break();

  private:
    void take_all();
    void carry(int client);

    const int target_;
    int listener_ = -1;
    int port_ = 0;
    std::mutex mutex_;
    std::condition_variable broken_;
    std::string words_;  // empty: nothing is to be lost
    bool to_break_ = false;
    Loses what_ = Loses::kRequest;
    bool away_ = false;  // once the connection is broken
    bool away_now_ = false;
    bool ending_ = false;
    std::set<int> open_;  // both sides of every connection
    std::vector<std::thread> carriers_;
    std::thread taker_;
};

}  // namespace fieldwarden
