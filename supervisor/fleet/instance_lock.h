// One supervisor per data directory: an exclusive flock on run/supervisor.lock, held until destroyed.
#pragma once

#include <string>

#include "common/result.h"

namespace fieldwarden::supervisor {

class InstanceLock {
  public:
    // kConflict when another supervisor holds it; the message names its pid.
    static Result<InstanceLock> take(const std::string& path);
    InstanceLock() = default;
    InstanceLock(InstanceLock&& other) noexcept;
    InstanceLock& operator=(InstanceLock&& other) noexcept;
    ~InstanceLock();

  private:
    int file_ = -1;
};

}  // namespace fieldwarden::supervisor
