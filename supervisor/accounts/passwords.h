// Passwords as Argon2id (RFC 9106), in the encoded form that names its own parameters.
//
// Threads: thread safe. Memory: a hash needs kMemoryKib; never more than kAtOnce run, others wait their turn
// for at most kLongestWait and are then refused, so that a flood of sign-ins takes neither memory nor every
// thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

#include "common/result.h"

namespace fieldwarden::supervisor {

class Passwords {
  public:
    // OWASP's Password Storage Cheat Sheet: 19 MiB, two passes, one lane. RFC 9106's second recommended
    // option (64 MiB, four lanes) would take both cores of a small machine away from acquisition at every
    // sign-in.
    static constexpr std::uint32_t kMemoryKib = 19 * 1024;
    static constexpr std::uint32_t kPasses = 2;
    static constexpr std::uint32_t kLanes = 1;
    static constexpr unsigned kAtOnce = 2;
    static constexpr std::chrono::seconds kLongestWait{5};
    static constexpr std::size_t kLongest = 256;  // bytes of a password

    explicit Passwords(std::uint32_t memory_kib = kMemoryKib) : memory_kib_(memory_kib) {}

    // kBusy: too many others wait.
    Result<std::string> hash(std::string_view password);
    // Whether the password is the one of `encoded`; false for an `encoded` that is no Argon2id. kBusy.
    Result<bool> verify(const std::string& encoded, std::string_view password);

  private:
    class Turn;
    std::uint32_t memory_kib_;
    std::mutex mutex_;
    std::condition_variable freed_;
    unsigned running_ = 0;
};

}  // namespace fieldwarden::supervisor
