// Writes down that a process reached main(): one record of 16 bytes, pid and CLOCK_MONOTONIC in nanoseconds,
// at the end of the file $BENCH_ARRIVALS. Appending that much is atomic.
#pragma once

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>

inline std::int64_t monotonic_ns() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

struct Arrival {
    std::int64_t pid;
    std::int64_t at;
};

inline bool write_arrival() {
    const Arrival record{getpid(), monotonic_ns()};
    const char* path = std::getenv("BENCH_ARRIVALS");
    if (path == nullptr) return false;
    const int file = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (file < 0) return false;
    const bool written = write(file, &record, sizeof record) == static_cast<ssize_t>(sizeof record);
    close(file);
    return written;
}
