// The wire between supervisor and worker, over the Unix socket <data-dir>/run/control.sock.
// WIRE.md describes it for readers of other languages; this header is the one table of messages.
//
// One message (frame_stream.h has its place in the stream):
//   header   4 bytes: 'F' 'W', wire version, message type
//   payload  CBOR object (RFC 8949) of the message's members; for kLive, a sample block
//   (common/sample_block.h)
//
// Rules. A payload is at most kMaxPayload bytes. A member that the receiver does not know is ignored, so that
// an older worker can be adopted by a newer supervisor; a member it needs and does not find, or of another
// type, makes the message malformed. A malformed message is refused (decode fails), counted and never partly
// applied. The supervisor accepts nothing but kHello from a connection that has not proved a launch key.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/bytes.h"
#include "common/task_config.h"
#include "proto/browse.h"
#include "proto/delivery_ages.h"
#include "proto/shapes.h"

namespace fieldwarden::proto {

inline constexpr std::uint8_t kWireVersion = 1;
inline constexpr std::size_t kMaxPayload = 64U
                                           << 20;  // a task of 100,000 points takes about 30 MB as JSON text

// Exit codes of fieldwarden-worker: a contract between the two programs.
enum class ExitCode : int {
    kDone = 0,            // told to stop, or its run limit was reached
    kInternalError = 70,  // a defect, or an exception nobody expected
    kSpoolInUse = 71,     // another worker holds this task's spool: the supervisor must find and end it first
    kOrphaned = 72,       // no supervisor for orphan_grace
    kUnreachable = 75,    // device or sink unreachable at start, only when the task asks for that to be fatal
    kRefused = 77,        // the supervisor does not know the launch key
    kBadConfiguration = 78,  // never restarted until the configuration changes
};

// --- worker → supervisor
// -----------------------------------------------------------------------------------------

// First message on every connection, also after a reconnect. Answered by Welcome or Refuse.
struct Hello {
    std::string launch_key;  // from the environment of the launch, kept in memory
    std::string task_code;   // empty: a warm spare that waits for a task
    std::int64_t session_id = 0;
    std::int64_t pid = 0;
    std::uint64_t start_ticks = 0;  // /proc/<pid>/stat field 22: a PID is never trusted without it
    std::string version;
    std::uint64_t config_revision = 0;  // 0: not configured yet; otherwise the worker is already acquiring
};

// The configuration is applied and acquisition runs (or, paused, would run).
struct Ready {
    std::uint64_t config_revision = 0;
};

// Progress of one device: GET /tasks/{id}/progress.
struct DeviceProgress {
    std::string device_code;
    std::uint64_t cycles = 0;
    std::uint32_t points_ok = 0;  // in the last scan
    std::uint32_t points_total = 0;
    std::string last_error;
    std::uint64_t timeouts = 0;       // scans that ended because the device did not answer in time
    std::uint32_t period_factor = 1;  // in force, see SlowDown
};

// Delivery to one sink.
struct SinkProgress {
    std::string sink_code;
    std::uint64_t pending = 0;   // samples in the spool that it has not got yet
    std::uint64_t retrying = 0;  // of these, being tried again
    std::uint64_t dead = 0;   // refused for good and still on disk; those waiting for a retry are among them
    std::string last_error;   // empty while all is well
    std::string dead_reason;  // of the newest that was refused; empty when there is none
    DeliveryAges ages;        // of what it has stored; dead letters on their second way are not counted
};

// Every second. Counters count since the worker process started; they never go back.
struct Heartbeat {
    std::uint64_t seq = 0;
    // Moves with every turn of every acquisition loop, also while devices are unreachable or the task is
    // paused. A heartbeat whose loop_ticks stands still comes from a worker that is hung.
    std::uint64_t loop_ticks = 0;
    std::uint64_t cycles = 0;  // completed scans over all devices
    std::uint64_t missed_cycles = 0;
    std::uint64_t points_read = 0;  // samples acquired, any quality
    std::uint64_t points_good = 0;
    std::uint64_t points_delivered = 0;  // samples accepted by the slowest sink
    std::uint64_t errors = 0;
    std::optional<UtcTime> last_good_time;
    std::optional<UtcTime> last_read_time;
    double cycle_ms = 0;              // of the last scan, slowest device
    double response_ms = 0;           // mean of the last scans' requests
    std::uint64_t spool_pending = 0;  // samples not yet delivered to every sink
    std::uint64_t spool_bytes = 0;
    std::uint64_t spool_dropped = 0;  // samples dropped because the spool was full
    std::uint64_t dead_letters = 0;   // samples in dead letters, on disk now: no counter
    std::uint64_t retrying = 0;       // samples whose delivery failed and is being tried again
    bool paused = false;
    double period_ms = 0;  // in force
    std::vector<DeviceProgress> devices;
    std::vector<SinkProgress> sinks;
};

// A device's connection came, went or changed its error; all of them are sent once after every Welcome.
struct Connection {
    ConnectionStatus status;
};

// The newest sample of every point that changed since the last one; at most five a second per task.
struct Live {
    SampleBatch samples;
};

struct Log {
    std::vector<LogEntry> entries;
    std::uint64_t dropped = 0;  // lines not sent since the last Log; the worker's file has them
    std::uint64_t lost = 0;     // lines since the last Log that are in no file either: the rate limit
};

// What a driver has counted since it was made: `GET /devices/{id}/diagnostics`.
struct DeviceDiagnostics {
    std::string device_code;
    std::uint64_t requests = 0;
    std::uint64_t timeouts = 0;
    std::uint64_t exceptions = 0;
    std::uint64_t broken_answers = 0;
    std::uint64_t lost_connections = 0;
    std::uint64_t updates = 0;
    std::uint64_t overflowed = 0;
    std::uint64_t bytes_sent = 0;
    std::uint64_t bytes_received = 0;
    double response_p50_ms = 0;
    double response_p99_ms = 0;
    std::string last_refusal;
};

// Answer to AcquireOnce, TestConnection, TestStorage, WritePoint, Browse, Diagnose or QueryStore.
struct Reply {
    std::uint64_t request_id = 0;
    bool ok = false;
    std::string error;  // when not ok
    double duration_ms = 0;
    ErrorKind error_kind = ErrorKind::kUnavailable;
    // AcquireOnce; WritePoint: the point as it was read back; QueryStore: in the order of time by device
    SampleBatch samples;
    std::optional<ProbeResult> probe;
    bool confirmed = false;            // WritePoint: what was read back is what was written
    std::optional<BrowsePage> browse;  // Browse
    std::vector<DeviceDiagnostics> diagnostics;
};

// The last message of a worker that stops by itself (run limit) or on command.
struct Finished {
    ExitCode code = ExitCode::kDone;
    bool completed = false;  // the run limit was reached
    std::string reason;
};

// --- supervisor → worker
// -----------------------------------------------------------------------------------------

// The launch key is right. A worker that is not configured gets its configuration with it; one that is being
// adopted keeps its own unless the revision differs.
struct Welcome {
    std::int64_t session_id = 0;
    std::optional<TaskConfig> config;
    std::chrono::milliseconds heartbeat_interval{1000};
    std::chrono::milliseconds orphan_grace{15 * 60 * 1000};
    bool paused = false;
};
struct Refuse {
    std::string reason;
};
// Reload: what did not change keeps running; samples in the spool stay.
struct Configure {
    TaskConfig config;
};
struct SetPeriod {
    std::chrono::milliseconds period{1000};
};
struct Pause {};
struct Resume {};
struct Stop {
    std::chrono::milliseconds grace{5000};
};
struct ResetConnection {
    std::string device_code;  // empty: all
};
// Multiplies every period of one device until told otherwise; 1: as configured. Others keep their pace.
struct SlowDown {
    std::string device_code;
    std::uint32_t period_factor = 1;
};
struct AcquireOnce {
    std::uint64_t request_id = 0;
};
struct TestConnection {
    std::uint64_t request_id = 0;
    DeviceConfig device;
};
struct TestStorage {
    std::uint64_t request_id = 0;
    SinkConfig sink;
};
// Writes one point, reads it back and compares. Without `device` the task's own connection is used, otherwise
// one that is opened for this.
struct WritePoint {
    std::uint64_t request_id = 0;
    std::optional<DeviceConfig> device;
    PointId point = 0;
    Value value;  // in engineering units
};
// Opens a connection of its own.
struct Browse {
    std::uint64_t request_id = 0;
    DeviceConfig device;
    std::string node;  // empty: the root
};
// Of the devices of the task that runs.
struct Diagnose {
    std::uint64_t request_id = 0;
};
// What a store holds of these devices' points. Only of sinks that can be asked (SinkType::readable).
struct QueryStore {
    std::uint64_t request_id = 0;
    std::string task_code;  // whose samples they are
    SinkConfig sink;
    std::vector<DeviceConfig> devices;  // without addresses and options, which no store needs
    struct Range {
        std::optional<UtcTime> start;  // inclusive
        std::optional<UtcTime> end;    // exclusive
        std::uint64_t limit = 0;       // of moments per device
        bool descending = false;
    };
    std::optional<Range> range;  // unset: the newest sample of every point
};
// Tells the worker that its supervisor lives. Every kBeatsPerAck-th heartbeat is answered, and the one behind
// Finished. A worker of an older build takes twelve unanswered ones for the supervisor's end.
inline constexpr std::uint64_t kBeatsPerAck = 8;
struct BeatAck {
    std::uint64_t seq = 0;
};

// The order is the message type's number on the wire, counted from 1. Append only.
using Message =
    std::variant<Hello, Ready, Heartbeat, Connection, Live, Log, Reply, Finished, Welcome, Refuse, Configure,
                 SetPeriod, Pause, Resume, Stop, ResetConnection, AcquireOnce, TestConnection, TestStorage,
                 BeatAck, SlowDown, WritePoint, Browse, Diagnose, QueryStore>;

struct Frames {
    Bytes header;
    Bytes payload;
};

Frames encode(const Message& message);
// Safe on hostile bytes: bounded memory, never throws.
Result<Message> decode(ByteSpan header, ByteSpan payload);
// "heartbeat", "set_period": for logs and counters.
std::string_view message_name(const Message& message);

// TaskConfig as JSON, the same on the wire, in `GET /tasks/{id}/config` and in tests.
Json to_json(const TaskConfig& config);
Result<TaskConfig> task_config_from_json(const Json& json);
Json to_json(const DeviceConfig& config);
Result<DeviceConfig> device_config_from_json(const Json& json);
Json to_json(const SinkConfig& config);
Result<SinkConfig> sink_config_from_json(const Json& json);

// Names of the environment variables a worker is launched with.
inline constexpr const char* kEnvLaunchKey = "FIELDWARDEN_LAUNCH_KEY";
inline constexpr const char* kEnvControl = "FIELDWARDEN_CONTROL";  // path of the socket
// Task code; unset for a probe. A spare has as many of kSpareTask as a code may have bytes: it writes the
// code of the task it is given over them, so that /proc/<pid>/environ tells whose worker it is.
inline constexpr const char* kEnvTask = "FIELDWARDEN_TASK";
inline constexpr char kSpareTask = ' ';
inline constexpr const char* kEnvSession = "FIELDWARDEN_SESSION";
inline constexpr const char* kEnvDataDir = "FIELDWARDEN_DATA_DIR";

}  // namespace fieldwarden::proto
