// The plant: the whole configuration in memory. A value; copied, compared and diffed freely. Validation and
// the diff work on it, the store loads and saves it, tasks are compiled from it.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/result.h"
#include "common/task_config.h"
#include "supervisor/plant/schema.h"

namespace fieldwarden::supervisor {

// One site, device, point, …: canonical text per field, in the order of its schema; "" is an empty cell.
struct Record {
    std::int64_t id = 0;  // the store's id; 0 for a record that is not stored yet
    std::vector<std::string> cells;

    [[nodiscard]] const std::string& code() const { return cells.front(); }
    bool operator==(const Record&) const = default;
};

// The text of a field by name; the field's fallback when the cell is empty. `name` must exist in the schema.
std::string_view cell_of(Kind kind, const Record& record, std::string_view name);

// The records of one kind in workbook order, found by code.
class Records {
  public:
    // Room for `count` records in all, so that adding them moves and rehashes nothing.
    void reserve(std::size_t count);
    // False (and nothing done: the record is left as it was) when the code is taken.
    bool add(Record&& record);
    bool add(const Record& record) { return add(Record{record}); }
    // Adds or replaces by code; the position of a replaced record is kept.
    void put(Record record);
    bool remove(std::string_view code);
    // Removes many in one pass; returns how many there were.
    std::size_t remove_all(std::span<const std::string> codes);
    [[nodiscard]] const Record* find(std::string_view code) const;
    [[nodiscard]] const Record* find_id(std::int64_t id) const;  // linear
    [[nodiscard]] const std::vector<Record>& all() const { return records_; }
    [[nodiscard]] std::size_t size() const { return records_.size(); }
    [[nodiscard]] bool empty() const { return records_.empty(); }

  private:
    struct Hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
    };
    std::vector<Record> records_;
    std::unordered_map<std::string, std::size_t, Hash, std::equal_to<>> by_code_;
};

struct Plant {
    std::uint64_t revision = 0;  // rises with every change of the configuration
    std::array<Records, kKindCount> kinds;

    Records& of(Kind kind) { return kinds[static_cast<std::size_t>(kind)]; }
    [[nodiscard]] const Records& of(Kind kind) const { return kinds[static_cast<std::size_t>(kind)]; }
};

// A plant that is shared between threads is immutable.
using PlantPtr = std::shared_ptr<const Plant>;

// The entries of a code list: separated by commas (also the full-width one and the ideographic comma), blanks
// around them dropped, empty ones skipped.
std::vector<std::string_view> split_codes(std::string_view code_list);
// Codes of `kind` that match the list ("W*,PUMP_01"), in plant order, each once. `*` matches any run of
// characters.
std::vector<const Record*> match_codes(const Records& records, std::string_view code_list);
bool glob_match(std::string_view glob, std::string_view text);

// What a task takes when its own options say nothing: the settings of `fieldwarden serve`.
struct TaskDefaults {
    SpoolConfig spool;
    HistoryConfig history;
    std::chrono::milliseconds stop_grace{5'000};
    std::string log_level = "info";
    LogFileConfig log_files;
};

inline constexpr std::string_view kHistorySink = "history";  // code and type of the embedded sink

// What a worker needs to run the task: its devices with the chosen points, its sinks (the embedded history
// first, unless the task option history=false), limits. Fails with kNotFound for an unknown task and
// kInvalidArgument when a cell does not parse (validation has let nothing such through, but the store may
// have been edited by hand).
//
// Which points. None named: all points of the devices. Named by code: those, and their devices come with
// them. Named by glob: those among the task's devices, or among all devices when it names none. Devices and
// points stand in plant order.
Result<TaskConfig> compile_task(const Plant& plant, std::string_view task_code,
                                const TaskDefaults& defaults = {});

// compile_task for many tasks of one plant: finds the points of a device without a pass over all points.
// Keeps a reference to the plant. Safe to use from several threads.
class TaskCompiler {
  public:
    explicit TaskCompiler(const Plant& plant, TaskDefaults defaults = {});
    [[nodiscard]] Result<TaskConfig> compile(std::string_view task_code) const;

  private:
    const Plant& plant_;
    TaskDefaults defaults_;
    std::unordered_map<std::string_view, std::vector<const Record*>> points_of_device_;
};

// One device with all its points; for test-connection.
Result<DeviceConfig> compile_device(const Plant& plant, std::string_view device_code);
Result<SinkConfig> compile_sink(const Plant& plant, std::string_view sink_code);

// Tasks whose compiled configuration differs between the two plants, is new, or is gone; in plant order. A
// task that does not compile counts as changed when it did before, or when it fails for another reason.
struct TaskChanges {
    std::vector<std::string> added, changed, removed;
};
TaskChanges task_changes(const Plant& before, const Plant& after);

}  // namespace fieldwarden::supervisor
