// From canonical text to what a worker runs.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <unordered_set>

#include "common/device_options.h"
#include "common/sink_options.h"
#include "supervisor/plant/plant.h"
#include "supervisor/plant/run_plan.h"
#include "supervisor/plant/task_options.h"

namespace fieldwarden::supervisor {

namespace {

using std::chrono::milliseconds;

// Reads the cells of one record. The first cell that does not parse is kept as the error, so that a whole
// record is read and checked once.
class Cells {
  public:
    Cells(Kind kind, const Record& record) : kind_(kind), record_(record) {}

    [[nodiscard]] std::string_view text(std::string_view name) const { return cell_of(kind_, record_, name); }
    [[nodiscard]] std::string copy(std::string_view name) const { return std::string{text(name)}; }

    template <class Number>
    std::optional<Number> number(std::string_view name) {
        const auto cell = text(name);
        if (cell.empty()) return std::nullopt;
        Number value{};
        const auto [rest, error] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
        if (error != std::errc{} || rest != cell.data() + cell.size()) {
            fail(name, fmt::format("'{}' is not a number", cell.substr(0, 64)));
            return std::nullopt;
        }
        return value;
    }
    // nullopt for an empty cell.
    std::optional<milliseconds> period(std::string_view name) {
        const auto value = number<std::int64_t>(name);
        if (!value) return std::nullopt;
        if (*value < kShortestPeriodMs || *value > kLongestPeriodMs) {
            fail(name, fmt::format("{} ms is outside {} to {}", *value, kShortestPeriodMs, kLongestPeriodMs));
        }
        return milliseconds{*value};
    }
    template <class E>
    E choice(std::string_view name) {
        const auto value = from_name<E>(text(name));
        if (!value) fail(name, fmt::format("'{}' is not one of {}", text(name), all_names<E>()));
        return value.value_or(E{});
    }
    // What `parse` makes of the cell.
    template <class Parse>
    auto parsed(std::string_view name, Parse&& parse) ->
        typename decltype(parse(std::string_view{}))::value_type {
        auto value = parse(text(name));
        if (value) return std::move(*value);
        fail(name, value.error().message);
        return {};
    }
    void fail(std::string_view name, std::string why) {
        if (error_) return;
        error_ = make_error(ErrorKind::kInvalidArgument,
                            fmt::format("{} {}, {}: {}", schema_of(kind_).noun, record_.code(), name, why));
    }
    [[nodiscard]] const std::optional<Error>& error() const { return error_; }

  private:
    Kind kind_;
    const Record& record_;
    std::optional<Error> error_;
};

Error unknown(Kind kind, std::string_view code) {
    return make_error(ErrorKind::kNotFound,
                      fmt::format("there is no {} '{}'", schema_of(kind).noun, code.substr(0, kLongestCode)));
}

Result<PointConfig> compile_point(const Record& record) {
    Cells cells{Kind::kPoint, record};
    PointConfig point;
    if (record.id < 0 || record.id > UINT32_MAX) {
        return make_error(
            ErrorKind::kInvalidArgument,
            fmt::format("point {}: its number {} is outside 32 bits", record.code(), record.id));
    }
    point.id = static_cast<PointId>(record.id);
    point.point_code = record.code();
    point.point_name = cells.copy("point_name");
    point.address = cells.copy("address");
    point.data_type = cells.parsed("data_type", parse_data_type);
    point.byte_order = cells.choice<ByteOrder>("byte_order");
    point.scale = cells.number<double>("scale").value_or(1.0);
    point.offset = cells.number<double>("offset").value_or(0.0);
    point.unit = cells.copy("unit");
    point.deadband = cells.number<double>("deadband");
    point.min_value = cells.number<double>("min_value");
    point.max_value = cells.number<double>("max_value");
    point.period = cells.period("period_ms").value_or(milliseconds{0});
    point.writable = cells.text("access") == "rw";
    if (cells.error()) return *cells.error();
    return point;
}

Result<DeviceConfig> compile_device_record(const Plant& plant, const Record& record,
                                           const std::vector<const Record*>& points) {
    Cells cells{Kind::kDevice, record};
    DeviceConfig device;
    device.device_code = record.code();
    device.device_name = cells.copy("device_name");
    device.site_code = cells.copy("site_code");
    device.type_code = cells.copy("type_code");
    if (const auto* type = plant.of(Kind::kDeviceType).find(device.type_code)) {
        device.stable_name = cell_of(Kind::kDeviceType, *type, "stable_name");
    }
    device.protocol = cells.choice<Protocol>("protocol");
    device.address = cells.copy("address");
    device.options = cells.parsed("options", parse_options);
    if (cells.error()) return *cells.error();
    if (const auto fit = check_device_options(device.protocol, device.options); !fit) {
        cells.fail("options", fit.error().message);
        return *cells.error();
    }
    device.points.reserve(points.size());
    for (const auto* point : points) {
        auto compiled = compile_point(*point);
        if (!compiled) return compiled.error();
        device.points.push_back(std::move(*compiled));
    }
    return device;
}

Result<SinkConfig> compile_sink_record(const Record& record) {
    Cells cells{Kind::kSink, record};
    SinkConfig sink;
    sink.sink_code = record.code();
    sink.type = cells.copy("type");
    sink.url = cells.copy("url");
    sink.options = cells.parsed("options", parse_options);
    if (sink.sink_code == kHistorySink && sink.type != kHistorySink) {
        cells.fail("sink_code", "'history' is the embedded history's own code; choose another");
    }
    if (cells.error()) return *cells.error();
    if (const auto fit = check_sink(sink); !fit) return fit.error();
    return sink;
}

// The first entry of a list that is no glob and names nothing. `always` needs no record.
std::optional<std::string_view> dangling(const Records& records, std::string_view code_list,
                                         std::string_view always) {
    for (const auto code : split_codes(code_list)) {
        if (code.find('*') != std::string_view::npos || code == always) continue;
        if (records.find(code) == nullptr) return code;
    }
    return std::nullopt;
}

Result<std::vector<SinkConfig>> compile_sinks(const Plant& plant, Cells& task, bool keep_history) {
    std::vector<SinkConfig> sinks;
    for (const auto* record : match_codes(plant.of(Kind::kSink), task.text("sinks"))) {
        auto sink = compile_sink_record(*record);
        if (!sink) return sink.error();
        sinks.push_back(std::move(*sink));
    }
    const auto is_history = [](const SinkConfig& sink) { return sink.type == kHistorySink; };
    if (!keep_history) {
        std::erase_if(sinks, is_history);
    } else if (std::none_of(sinks.begin(), sinks.end(), is_history)) {
        sinks.insert(sinks.begin(), SinkConfig{std::string{kHistorySink}, std::string{kHistorySink}, {}, {}});
    }
    std::stable_partition(sinks.begin(), sinks.end(), is_history);
    if (sinks.empty()) task.fail("sinks", "none, and history=false: the data would go nowhere");
    return sinks;
}

using PointsOfDevice = std::unordered_map<std::string_view, std::vector<const Record*>>;

// The points named by code, and those that match a glob and lie on one of `devices` (null: on any).
PointsOfDevice chosen_points(const Plant& plant, std::string_view list,
                             const std::unordered_set<std::string_view>* devices) {
    std::unordered_set<std::string_view> by_code;
    for (const auto code : split_codes(list)) by_code.insert(code);
    PointsOfDevice chosen;
    for (const auto* point : match_codes(plant.of(Kind::kPoint), list)) {
        const auto device = cell_of(Kind::kPoint, *point, "device_code");
        if (by_code.contains(point->code()) || devices == nullptr || devices->contains(device)) {
            chosen[device].push_back(point);
        }
    }
    return chosen;
}

// The task's devices in plant order, each with its points in plant order.
Result<std::vector<DeviceConfig>> compile_devices(const Plant& plant, Cells& task,
                                                  const PointsOfDevice& all_points) {
    const auto& devices = plant.of(Kind::kDevice);
    const auto device_list = task.text("devices");
    const auto point_list = task.text("points");
    auto wanted = match_codes(devices, device_list);
    PointsOfDevice chosen;
    const PointsOfDevice* points = &all_points;
    if (!split_codes(point_list).empty()) {
        std::unordered_set<std::string_view> named;
        for (const auto* device : wanted) named.insert(device->code());
        chosen = chosen_points(plant, point_list, split_codes(device_list).empty() ? nullptr : &named);
        points = &chosen;
        wanted.clear();
        for (const auto& [device_code, of_device] : chosen) {
            const auto* device = devices.find(device_code);
            if (device == nullptr) {
                task.fail("points", fmt::format("point {} lies on device '{}', which does not exist",
                                                of_device.front()->code(), device_code));
                return std::vector<DeviceConfig>{};
            }
            wanted.push_back(device);
        }
        std::sort(wanted.begin(), wanted.end());
    }
    std::vector<DeviceConfig> compiled;
    std::size_t point_count = 0;
    for (const auto* device : wanted) {
        const auto of_device = points->find(device->code());
        static const std::vector<const Record*> kNone;
        auto config =
            compile_device_record(plant, *device, of_device == points->end() ? kNone : of_device->second);
        if (!config) return config.error();
        point_count += config->points.size();
        compiled.push_back(std::move(*config));
    }
    if (point_count == 0) task.fail("devices", "together with `points` they select no point to acquire");
    return compiled;
}

PointsOfDevice index_points(const Plant& plant) {
    PointsOfDevice index;
    for (const auto& point : plant.of(Kind::kPoint).all()) {
        index[cell_of(Kind::kPoint, point, "device_code")].push_back(&point);
    }
    return index;
}

// The points of the devices that a list names: one pass, and no index over the whole plant.
PointsOfDevice index_points(const Plant& plant, const std::vector<const Record*>& devices) {
    PointsOfDevice index;
    for (const auto* device : devices) index[device->code()];
    for (const auto& point : plant.of(Kind::kPoint).all()) {
        const auto of_device = index.find(cell_of(Kind::kPoint, point, "device_code"));
        if (of_device != index.end()) of_device->second.push_back(&point);
    }
    return index;
}

Result<TaskConfig> compile(const Plant& plant, const Record& record, const PointsOfDevice& points,
                           const TaskDefaults& defaults) {
    Cells cells{Kind::kTask, record};
    TaskConfig task;
    task.task_code = record.code();
    task.task_name = cells.copy("task_name");
    task.revision = plant.revision;
    if (const auto period = cells.period("period_ms")) {
        task.period = *period;
    } else {
        cells.fail("period_ms", "it is missing");
    }
    task.run_limit = cells.parsed("run_limit", parse_run_limit);
    task.options = cells.parsed("options", parse_options);
    if (const auto fit = check_task_options(task.options); !fit) cells.fail("options", fit.error().message);
    cells.parsed("schedule", parse_schedule);
    for (const auto& [field, kind] :
         {std::pair{"devices", Kind::kDevice}, {"points", Kind::kPoint}, {"sinks", Kind::kSink}}) {
        // The embedded history is there without a row of its own.
        const auto always = kind == Kind::kSink ? kHistorySink : std::string_view{};
        if (const auto code = dangling(plant.of(kind), cells.text(field), always)) {
            cells.fail(field, fmt::format("there is no {} '{}'", schema_of(kind).noun,
                                          code->substr(0, kLongestCode)));
        }
    }
    if (cells.error()) return *cells.error();

    const auto& options = task.options;
    const auto text = [&](std::string_view name, std::string_view otherwise) {
        const auto given = options.find(name);
        return std::string{given == options.end() ? otherwise : given->second};
    };
    task.spool = defaults.spool;
    task.spool.max_bytes = task_number(options, "spool_max_bytes", task.spool.max_bytes);
    task.spool.max_age = task_duration(options, "spool_max_age", task.spool.max_age);
    task.spool.fsync_window = task_duration(options, "fsync_window", task.spool.fsync_window);
    task.spool.when_full =
        from_name<SpoolFullPolicy>(text("spool_when_full", "")).value_or(task.spool.when_full);
    task.history = defaults.history;
    task.history.max_age = task_duration(options, "history_max_age", task.history.max_age);
    task.history.max_bytes = task_number(options, "history_max_bytes", task.history.max_bytes);
    task.stop_grace = task_duration(options, "stop_grace", defaults.stop_grace);
    task.log_level = text("log_level", defaults.log_level);
    task.log_files = defaults.log_files;
    task.log_files.max_bytes = task_number(options, "log_max_file_bytes", task.log_files.max_bytes);
    task.log_files.max_files =
        static_cast<std::uint32_t>(task_number(options, "log_max_files", task.log_files.max_files));

    auto sinks = compile_sinks(plant, cells, text("history", "true") == "true");
    if (!sinks) return sinks.error();
    task.sinks = std::move(*sinks);
    auto devices = compile_devices(plant, cells, points);
    if (!devices) return devices.error();
    task.devices = std::move(*devices);
    if (cells.error()) return *cells.error();
    return task;
}

}  // namespace

TaskCompiler::TaskCompiler(const Plant& plant, TaskDefaults defaults)
    : plant_(plant), defaults_(std::move(defaults)), points_of_device_(index_points(plant)) {}

const std::vector<const Record*>& TaskCompiler::points_of(std::string_view device_code) const {
    static const std::vector<const Record*> kNone;
    const auto found = points_of_device_.find(device_code);
    return found == points_of_device_.end() ? kNone : found->second;
}

Result<TaskConfig> TaskCompiler::compile(std::string_view task_code) const {
    const auto* record = plant_.of(Kind::kTask).find(task_code);
    if (record == nullptr) return unknown(Kind::kTask, task_code);
    return supervisor::compile(plant_, *record, points_of_device_, defaults_);
}

Result<TaskConfig> compile_task(const Plant& plant, std::string_view task_code,
                                const TaskDefaults& defaults) {
    const auto* record = plant.of(Kind::kTask).find(task_code);
    if (record == nullptr) return unknown(Kind::kTask, task_code);
    const auto devices = match_codes(plant.of(Kind::kDevice), cell_of(Kind::kTask, *record, "devices"));
    return compile(plant, *record, index_points(plant, devices), defaults);
}

Result<DeviceConfig> compile_device(const Plant& plant, std::string_view device_code) {
    const auto* record = plant.of(Kind::kDevice).find(device_code);
    if (record == nullptr) return unknown(Kind::kDevice, device_code);
    const auto points = index_points(plant, {record});
    return compile_device_record(plant, *record, points.at(record->code()));
}

Result<SinkConfig> compile_sink(const Plant& plant, std::string_view sink_code) {
    if (const auto* record = plant.of(Kind::kSink).find(sink_code)) return compile_sink_record(*record);
    // The embedded history is always there, also when no sheet names it.
    if (sink_code == kHistorySink) return SinkConfig{std::string{sink_code}, std::string{sink_code}, {}, {}};
    return unknown(Kind::kSink, sink_code);
}

TaskChanges task_changes(const Plant& before, const Plant& after) {
    TaskChanges changes;
    const auto& old_tasks = before.of(Kind::kTask);
    const auto& new_tasks = after.of(Kind::kTask);
    const TaskCompiler old_compiler{before};
    const TaskCompiler new_compiler{after};
    for (const auto& task : new_tasks.all()) {
        if (old_tasks.find(task.code()) == nullptr) {
            changes.added.emplace_back(task.code());
            continue;
        }
        auto was = old_compiler.compile(task.code());
        auto is = new_compiler.compile(task.code());
        if (was) was->revision = 0;  // every change of the plant raises it
        if (is) is->revision = 0;
        const bool same = was && is ? *was == *is : !was && !is && was.error().message == is.error().message;
        if (!same) changes.changed.emplace_back(task.code());
    }
    for (const auto& task : old_tasks.all()) {
        if (new_tasks.find(task.code()) == nullptr) changes.removed.emplace_back(task.code());
    }
    return changes;
}

}  // namespace fieldwarden::supervisor
