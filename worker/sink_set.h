// SinkSet: one flusher per sink of a task. Takes a new configuration by restarting only the sinks that
// changed; the embedded history is always among them (CONTRACT 2: it is what an empty list means).
//
// Threads. The main thread.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "proto/wire.h"
#include "worker/flusher.h"

namespace fieldwarden::worker {

class SinkSet {
  public:
    SinkSet(Spool& spool, std::string data_dir, std::string task_code, LogFunction log, const Clock& clock);
    ~SinkSet();

    // kInvalidArgument: a sink's configuration is refused; nothing was changed then.
    Status apply(const TaskConfig& config);
    // Delivers what is in the spool for at most `grace`; the rest stays on disk.
    void stop(std::chrono::milliseconds grace);

    struct Stats {
        std::uint64_t delivered = 0;  // by the slowest sink
        std::uint64_t dead = 0;
        std::uint64_t retrying = 0;
        std::vector<proto::SinkProgress> sinks;
    };
    [[nodiscard]] Stats stats() const;
    // Whether dead letters were moved or removed by somebody else. Returns at once.
    void look_at_letters();

  private:
    struct Entry {
        SinkConfig config;
        HistoryConfig history;
        std::unique_ptr<Flusher> flusher;
        std::uint64_t delivered_before = 0;  // by earlier flushers of this sink
        proto::DeliveryAges ages_before;
    };

    Spool& spool_;
    std::string data_dir_;
    std::string task_code_;
    LogFunction log_;
    const Clock& clock_;
    std::map<std::string, Entry> sinks_;
};

// The sinks of `config`, with the embedded history when there is none.
std::vector<SinkConfig> sinks_of(const TaskConfig& config);

}  // namespace fieldwarden::worker
