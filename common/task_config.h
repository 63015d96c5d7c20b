// What a worker needs to run one task: compiled by the supervisor from the plant's configuration, sent over
// the wire after the worker has proved its launch key, never written to disk by the worker (it may hold
// secrets).
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "common/options.h"
#include "common/plant_types.h"
#include "common/sample.h"

namespace fieldwarden {

struct PointConfig {
    PointId id = 0;
    std::string point_code;
    std::string point_name;
    std::string address;  // in the protocol's own notation, already validated
    DataType data_type;
    ByteOrder byte_order = ByteOrder::kAbcd;
    double scale = 1.0;  // engineering value = raw × scale + offset
    double offset = 0.0;
    std::string unit;
    std::optional<double> deadband;   // engineering units; a smaller change is not delivered
    std::optional<double> min_value;  // outside: quality bad / out_of_range, the value is kept
    std::optional<double> max_value;
    std::chrono::milliseconds period{0};  // 0: the task's period
    bool writable = false;                // access rw: operators may write it

    bool operator==(const PointConfig&) const = default;
};

struct DeviceConfig {
    std::string device_code;
    std::string device_name;
    std::string site_code;
    std::string type_code;
    std::string stable_name;  // of the type: its super table in TDengine
    Protocol protocol = Protocol::kModbusTcp;
    std::string address;  // host:port, /dev/ttyS0, opc.tcp://…, mqtt://…
    Options options;
    std::vector<PointConfig> points;

    bool operator==(const DeviceConfig&) const = default;
};

struct SinkConfig {
    std::string sink_code;  // "history" for the embedded one
    std::string type;       // CONTRACT 6
    std::string url;
    Options options;

    bool operator==(const SinkConfig&) const = default;
};

// Ends a session by itself as `completed`. At most one of the two is set; neither: continuous.
struct RunLimit {
    std::optional<std::uint64_t> cycles;
    std::optional<std::chrono::milliseconds> duration;

    bool operator==(const RunLimit&) const = default;
};

enum class SpoolFullPolicy : std::uint8_t { kDropOldest, kBlock };

template <>
struct EnumNames<SpoolFullPolicy> {
    static constexpr std::array<EnumName<SpoolFullPolicy>, 2> table{{
        {SpoolFullPolicy::kDropOldest, "drop_oldest"},
        {SpoolFullPolicy::kBlock, "block"},
    }};
};

struct SpoolConfig {
    std::uint64_t max_bytes = 1ULL << 30;
    std::chrono::milliseconds max_age{std::chrono::hours{24 * 7}};
    std::chrono::milliseconds fsync_window{100};  // what a power cut may take
    SpoolFullPolicy when_full = SpoolFullPolicy::kDropOldest;

    bool operator==(const SpoolConfig&) const = default;
};

struct HistoryConfig {
    std::chrono::milliseconds max_age{std::chrono::hours{24 * 30}};
    std::uint64_t max_bytes = 2ULL << 30;  // per task

    bool operator==(const HistoryConfig&) const = default;
};

// Of the worker's log files.
struct LogFileConfig {
    std::uint64_t max_bytes = 10ULL << 20;  // of one file
    std::uint32_t max_files = 5;            // the current one included

    bool operator==(const LogFileConfig&) const = default;
};

struct TaskConfig {
    std::string task_code;
    std::string task_name;
    std::uint64_t revision = 0;  // of the configuration it was compiled from
    std::chrono::milliseconds period{1000};
    std::vector<DeviceConfig> devices;
    std::vector<SinkConfig> sinks;
    RunLimit run_limit;
    SpoolConfig spool;
    HistoryConfig history;
    std::chrono::milliseconds stop_grace{5'000};  // time to flush the spool after a stop
    std::string log_level = "info";
    LogFileConfig log_files;
    // `io_error_limit` and the like: task options that only one part of the worker knows.
    Options options;

    bool operator==(const TaskConfig&) const = default;
};

}  // namespace fieldwarden
