// <data-dir>/log/access.jsonl: one line a request, for whoever has to find out later who asked what.
// {"ts", "remote", "user", "method", "path", "status", "bytes", "ms", "request_id"}; user "" before sign-in.
//
// Threads: note() any, never waits; the lines are written on a thread of its own. A disk that cannot follow
// costs lines, not requests: at most kMostWaiting wait, and the next line says how many were left out.
#pragma once

#include <atomic>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <cstdint>
#include <string>

#include "common/clock.h"
#include "common/log/rotating_file.h"

namespace fieldwarden::supervisor::gateway {

struct AccessNote {
    UtcTime at{};
    std::string remote;
    std::string user;
    std::string method;
    std::string path;  // without the query
    int status = 0;
    std::uint64_t bytes = 0;  // of the answer's body; 0 for a stream
    std::chrono::duration<double> took{};
    std::string request_id;
};

class AccessLog {
  public:
    static constexpr std::size_t kMostWaiting = 4096;

    AccessLog(std::string path, RotatingFileOptions options) : file_(std::move(path), options) {}
    ~AccessLog();  // writes what waits
    void note(AccessNote note);

  private:
    void write(const AccessNote& note);

    RotatingFile file_;  // of the writing thread
    std::atomic<std::size_t> waiting_ = 0;
    std::atomic<std::uint64_t> left_out_ = 0;
    boost::asio::thread_pool writer_{1};
};

}  // namespace fieldwarden::supervisor::gateway
