// Sink: where acquired data goes. One folder per type under worker/sinks, one row in registry.cpp, one line
// in worker/CMakeLists.txt.
//
// The flusher reads the spool and calls deliver(); the sink answers per record; only the spool deletes.
// Retry, backoff and bisection of refused batches live in the flusher, not in sinks.
//
// Threads. A sink belongs to its flusher's thread: every call comes from that thread, except interrupt().
// Idempotence. The same record may be delivered again after a crash; a second write must change nothing.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/bytes.h"
#include "common/result.h"
#include "common/sample.h"
#include "common/task_config.h"
#include "worker/log_function.h"

namespace fieldwarden::worker {

// Who a point is, kept in the spool beside the samples so that data of a point that was meanwhile removed or
// moved still reaches its sink with the identity it had when it was acquired.
struct PointIdentity {
    std::string site_code;
    std::string device_code;
    std::string device_name;
    std::string type_code;
    std::string point_code;
    std::string unit;
    DataType data_type;
    std::string stable_name = {};  // of the device's type: its super table in TDengine

    bool operator==(const PointIdentity&) const = default;
};
using PointDirectory = std::map<PointId, PointIdentity>;

// One spool record: the samples of one scan of one device.
struct DeliveryRecord {
    std::uint64_t seq = 0;  // spool sequence number: rises by one per record, never reused within a task
    ByteSpan block;  // the sample block as spooled (common/sample_block.h), for sinks that keep it as it is
    std::span<const Sample> samples;
};

// Records in spool order, all described by one directory (null only for a sink that knows it already).
struct DeliveryBatch {
    std::span<const DeliveryRecord> records;
    const PointDirectory* directory = nullptr;
    // Tells directories apart by their content, across processes: a sink that stores them need not compare.
    std::uint64_t directory_version = 0;
    // Dead letters on their second way, with their old numbers: a sink that leaves out what it has had by the
    // number takes these all the same, and keeps its place. (The embedded history refuses nothing, so none
    // come.)
    bool again = false;
};

enum class Verdict : std::uint8_t {
    kAccepted,  // stored, durably as far as the store promises
    kRejected,  // refused for good: goes to the dead letters with the reason
    kKeep,      // not stored now: deliver again later
};

struct DeliveryOutcome {
    // One per record; fewer means the rest is kKeep.
    std::vector<Verdict> verdicts;
    std::string reason;  // of the first record that was not accepted
    // The server asked to wait (Retry-After).
    std::optional<std::chrono::milliseconds> retry_after;
    // The whole batch was refused although single records may be good (InfluxDB 400, SQL constraint): the
    // flusher halves the batch until the poison record stands alone.
    bool bisect = false;
};

struct StoredRange {
    std::optional<UtcTime> start;  // inclusive; unset: from the oldest
    std::optional<UtcTime> end;    // exclusive; unset: to the newest
    std::size_t limit = 1000;      // of moments per device
    bool descending = false;
};

class Sink {
  public:
    virtual ~Sink() = default;

    // Connects, creates what is missing. May be called again after a failure.
    virtual Status open() = 0;
    virtual DeliveryOutcome deliver(const DeliveryBatch& batch) = 0;
    // A sink that has taken over who the points of a directory are gets its batches without one
    // (DeliveryBatch::directory is null), which spares a large task some memory.
    [[nodiscard]] virtual bool knows_directory(std::uint64_t /*version*/) const { return false; }
    // Upper bounds of one deliver() call; the flusher also delivers earlier, after `linger`.
    struct Limits {
        std::size_t samples = 5'000;
        std::chrono::milliseconds linger{200};
    };
    [[nodiscard]] virtual Limits limits() const = 0;
    // Writes a marked probe record, reads it back where the store can, and removes it. The text says what was
    // checked. Connects by itself: open() is not called before.
    virtual Result<std::string> probe() = 0;
    // The newest sample that the store holds of each of these points; what is more than a day older than its
    // device's newest may be left out. Only of types that sink_options.h calls readable. Connects by itself,
    // like probe(); makes and changes nothing. A point that the store does not know has no sample.
    virtual Result<SampleBatch> newest(const PointDirectory& /*points*/) { return not_readable(); }
    // The samples of a range of time, by device and time.
    virtual Result<SampleBatch> stored_range(const PointDirectory& /*points*/, const StoredRange& /*range*/) {
        return not_readable();
    }
    // Makes a blocked call return soon. The only call allowed from another thread.
    virtual void interrupt() = 0;

  private:
    static Error not_readable() {
        return make_error(ErrorKind::kInvalidArgument,
                          "a sink of this type cannot be asked for what it holds");
    }
};

struct SinkContext {
    std::string data_dir;
    std::string task_code;
    HistoryConfig history;
    LogFunction log = {};  // for what a sink mends by itself; what it cannot, it answers to the flusher
};

// Makes the sink of `config.type`. Fails with kInvalidArgument on an unknown type, a url or an option that
// does not parse. Touches neither disk nor network.
Result<std::unique_ptr<Sink>> make_sink(const SinkConfig& config, const SinkContext& context);

}  // namespace fieldwarden::worker
