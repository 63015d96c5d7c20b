// One message of every type, with every member set to something that is not its default; used by the tests of
// the wire and by the generator of the fuzz corpus.
#pragma once

#include <vector>

#include "proto/wire.h"

namespace fieldwarden::proto {

inline constexpr UtcTime kNoon{std::chrono::milliseconds{1'795'355'627'123}};

inline TaskConfig full_task() {
    PointConfig point{.id = 4'294'967'295,
                      .point_code = "W1",
                      .point_name = "焊接电流",
                      .address = "hr:10.3@7",
                      .data_type = {BaseType::kString, 16},
                      .byte_order = ByteOrder::kCdab,
                      .scale = 0.1,
                      .offset = -40.5,
                      .unit = "A",
                      .deadband = 0.5,
                      .min_value = -1e3,
                      .max_value = 1e300,
                      .period = std::chrono::milliseconds{250},
                      .writable = true};
    DeviceConfig device;
    device.device_code = "WELD_01";
    device.device_name = "焊机一";
    device.site_code = "S1";
    device.type_code = "WELDER";
    device.protocol = Protocol::kOpcUa;
    device.address = "opc.tcp://127.0.0.1:4840/x";
    device.options = {{"password", "s\"ec;ret"}, {"unit_id", "3"}};
    PointConfig plain;
    plain.point_code = "W2";
    plain.address = "hr:0";
    device.points = {point, plain};
    TaskConfig task;
    task.task_code = "T1";
    task.task_name = "任务";
    task.revision = UINT64_MAX;
    task.period = std::chrono::milliseconds{10};
    task.devices = {device, DeviceConfig{}};
    task.sinks = {{"history", "history", "", {}}, {"K", "kafka", "kafka://h:9092", {{"topic", "t"}}}};
    task.run_limit.cycles = 12;
    task.spool = {5 << 20, std::chrono::hours{3}, std::chrono::milliseconds{0}, SpoolFullPolicy::kBlock};
    task.history = {std::chrono::hours{5}, 7 << 20};
    task.stop_grace = std::chrono::milliseconds{1};
    task.log_level = "debug";
    task.log_files = {123'456, 7};
    task.options = {{"data_timeout", "30s"}};
    return task;
}

inline LogEntry full_entry() {
    LogEntry entry;
    entry.id = 9;
    entry.timestamp = kNoon;
    entry.level = LogLevel::kError;
    entry.process_name = "T1";
    entry.message = "读取超时";
    entry.source_file = "device_loop.cpp";
    entry.line_number = 4'294'967'295;
    entry.exception_info = "errno 110";
    entry.log_type = LogType::kStrategyChange;
    entry.execution_phase = ExecutionPhase::kFinal;
    entry.parent_log_id = 8;
    entry.retry_context =
        RetryContext{"backoff", 1.5, 2, 3, ErrorCategory::kConnectionError, {"slower", "更慢"}};
    entry.performance_metrics = Json{{"cpu_percent", 3.5}, {"nested", {1, 2}}};
    return entry;
}

inline ConnectionStatus full_connection() {
    return {"WELD_01", "10.0.0.5", 502, "modbus_tcp", true, kNoon, 7, "timed out", 1.25};
}

inline SampleBatch full_samples() {
    return {{1, Quality::kGood, QualityCode::kNone, kNoon, 1.5},
            {2, Quality::kBad, QualityCode::kTimeout, kNoon + std::chrono::microseconds{1}, {}},
            {3, Quality::kUncertain, QualityCode::kStale, kNoon, std::string{"文本"}}};
}

inline std::vector<Message> every_message() {
    Heartbeat beat;
    beat.seq = 1;
    beat.loop_ticks = 2;
    beat.cycles = 3;
    beat.missed_cycles = 4;
    beat.points_read = 5;
    beat.points_good = 6;
    beat.points_delivered = 7;
    beat.errors = 8;
    beat.last_good_time = kNoon;
    beat.last_read_time = kNoon + std::chrono::microseconds{1};
    beat.cycle_ms = 9.5;
    beat.response_ms = 10.5;
    beat.spool_pending = 11;
    beat.spool_bytes = 12;
    beat.spool_dropped = 13;
    beat.dead_letters = 14;
    beat.retrying = 15;
    beat.paused = true;
    beat.period_ms = 16.5;
    beat.devices = {{"WELD_01", UINT64_MAX, 17, 18, "timed out"}, {}};
    beat.sinks = {{"K", 19, 20, 21, "no broker", "no such column", {}}, {}};
    for (auto& count : beat.sinks[0].ages.counts)
        count = UINT64_MAX - (&count - beat.sinks[0].ages.counts.data());
    beat.sinks[0].ages.sum_s = 22.5;
    Reply reply;
    reply.request_id = 3;
    reply.ok = true;
    reply.error = "no";
    reply.duration_ms = 2.5;
    reply.error_kind = ErrorKind::kBusy;
    reply.samples = full_samples();
    reply.probe = ProbeResult{true, 1.5, "ok", ErrorCategory::kStartupFailure};
    reply.confirmed = true;
    reply.browse = BrowsePage{{{"ns=2;s=T", "温度", "variable", "float64", "Double", true, true}, {}}, true};
    reply.diagnostics = {{"D1", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10.5, 11.5, "refused"}, {}};
    const auto task = full_task();
    return {
        Hello{"key", "T1", 12, 4242, UINT64_MAX, "0.1.0", 7},
        Ready{7},
        beat,
        Connection{full_connection()},
        Live{full_samples()},
        Log{{full_entry(), LogEntry{}}, 5},
        reply,
        Finished{ExitCode::kOrphaned, true, "limit"},
        Welcome{12, task, std::chrono::milliseconds{500}, std::chrono::minutes{1}, true},
        Refuse{"unknown key"},
        Configure{task},
        SetPeriod{std::chrono::milliseconds{250}},
        Pause{},
        Resume{},
        Stop{std::chrono::milliseconds{1500}},
        ResetConnection{"WELD_01"},
        AcquireOnce{4},
        TestConnection{5, task.devices[0]},
        TestStorage{6, task.sinks[1]},
        BeatAck{7},
        SlowDown{"D1", 4},
        WritePoint{8, task.devices[0], 9, std::uint64_t{UINT64_MAX}},
        Browse{9, task.devices[0], "ns=2;s=T"},
        Diagnose{10},
        QueryStore{11,
                   "T1",
                   task.sinks[1],
                   {task.devices[0]},
                   QueryStore::Range{UtcTime{std::chrono::microseconds{-1}}, {}, 12, true}},
    };
}

}  // namespace fieldwarden::proto
