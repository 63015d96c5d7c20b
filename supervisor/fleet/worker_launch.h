// How a worker is launched: program, environment, crash file. What it is to do it learns over the link.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>

#include "common/clock.h"
#include "common/result.h"
#include "supervisor/fleet/process.h"
#include "supervisor/settings.h"

namespace fieldwarden::supervisor {

class WorkerLaunch {
  public:
    // `endpoint` of the link. The environment of this process is passed on without FIELDWARDEN_* and what
    // systemd gave to us alone.
    WorkerLaunch(const Settings& settings, std::string endpoint);

    // `task_code` empty: a probe, which belongs to no task.
    [[nodiscard]] LaunchSpec spec(const std::string& launch_key, const std::string& task_code,
                                  std::int64_t session_id) const;
    // A warm spare: its task's code is blanks for it to write over.
    [[nodiscard]] LaunchSpec spare(const std::string& launch_key) const;
    [[nodiscard]] const std::string& program() const { return program_; }
    [[nodiscard]] std::string crash_file(const std::string& task_code) const;

  private:
    std::string program_;
    std::string data_dir_;
    std::map<std::string, std::string> environment_;
};

// The program named in the settings, or fieldwarden-worker beside this program.
std::string worker_program(const WorkerSettings& settings);

// Size of the file, 0 when there is none.
std::uint64_t file_size_of(const std::string& path);
// What the file holds after `offset`, at most the last 4 KiB, without control characters.
std::string tail_of(const std::string& path, std::uint64_t offset);

// Starts wait here when there are more than `spawn_rate` a second, so that a thousand workers that die
// together do not melt the machine. Half a second's worth goes at once: a line of a hundred tasks that died
// with its switch or its sink is back as fast as the machine can start programs (some 2 ms of a core each),
// and of a thousand the remaining nine hundred come at a rate that leaves a core free for those that are back
// already.
class LaunchGate {
  public:
    explicit LaunchGate(std::uint32_t starts_per_second) : rate_(std::max(starts_per_second, 1U)) {}
    // Whether one more start may go now; counts it when it may.
    bool admit(MonoTime now);

  private:
    double rate_;
    double tokens_ = -1;  // below zero: not used yet
    MonoTime filled_at_{};
};

}  // namespace fieldwarden::supervisor
