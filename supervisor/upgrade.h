// Upgrade in place (SIGUSR2, `systemctl reload`): this process becomes the program that now lies where it was
// started from. The pid stays, so the workers stay its children and acquire on; sessions and restart counts
// come back from the store, and the socket of the API stays open meanwhile: clients wait instead of being
// refused.
//
// Threads. check() may run beside everything else; replace() when nothing else runs any more.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "common/result.h"

namespace fieldwarden::supervisor {

class Upgrade {
  public:
    // Remembers how this program was started; made before the installation can change under it.
    Upgrade();
    // For tests: another program, started as `arguments` (the first is its own name).
    Upgrade(std::string program, std::vector<std::string> arguments);

    // What the program says about itself with --check added to our own arguments. An error says why it must
    // not take over; at most `patience` long.
    [[nodiscard]] Status check(std::chrono::milliseconds patience = std::chrono::seconds{30}) const;

    // Does not return when it succeeds. `listener` (−1: none) is handed on as systemd hands on a socket
    // (LISTEN_FDS, see sd_listen_fds(3)); every other descriptor is closed.
    [[nodiscard]] Error replace(int listener) const;

    [[nodiscard]] const std::string& program() const { return program_; }

  private:
    std::string program_;
    std::vector<std::string> arguments_;
};

// The listening socket this process was given by systemd or by the supervisor it replaces; −1: none. Taken
// once: a second call gives −1.
int inherited_listener();

}  // namespace fieldwarden::supervisor
