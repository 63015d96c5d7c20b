// Questions about the configuration that would cost a pass over all records each time: answered from an index
// made once per plant.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/result.h"
#include "supervisor/control.h"
#include "supervisor/plant/plant.h"

namespace fieldwarden::supervisor::gateway {

// Threads: thread safe.
class PlantIndex {
  public:
    explicit PlantIndex(PlantPtr plant);

    [[nodiscard]] const Plant& plant() const { return *plant_; }
    [[nodiscard]] const PlantPtr& plant_ptr() const { return plant_; }

    // By code, otherwise by number: what stands for {id} in a path. Null when there is none.
    [[nodiscard]] const Record* find(Kind kind, std::string_view id_or_code) const;
    // Records that live as long as the index.
    [[nodiscard]] const std::vector<const Record*>& points_of(std::string_view device_code) const;
    // The points a task acquires, in plant order. Fails when the task does not compile.
    Result<std::shared_ptr<const std::vector<const Record*>>> points_of_task(const std::string& task_code);
    // A text that the plant and `key` alone determine, such as a page of its records: written by `make` at
    // the first call and kept, together with others up to 8 MiB.
    std::shared_ptr<const std::string> text(const std::string& key, const std::function<std::string()>& make);
    // "W001_TEMP" of device "W001" is the field "TEMP"; a point whose code does not begin with the device's
    // keeps its code.
    static std::string_view field_of(std::string_view device_code, std::string_view point_code);

  private:
    PlantPtr plant_;
    std::array<std::vector<const Record*>, kKindCount> by_id_;  // by rising number
    TaskCompiler compiler_;
    std::mutex mutex_;
    std::unordered_map<std::string, std::shared_ptr<const std::vector<const Record*>>> task_points_;
    std::unordered_map<std::string, std::shared_ptr<const std::string>> texts_;
    std::size_t texts_bytes_ = 0;
};

inline PointId point_id(const Record& record) {
    return static_cast<PointId>(record.id);
}

// The index of the plant in force. Threads: thread safe.
class PlantIndexes {
  public:
    explicit PlantIndexes(const Control& control) : control_(control) {}
    std::shared_ptr<PlantIndex> current();

  private:
    const Control& control_;
    std::mutex mutex_;
    std::shared_ptr<PlantIndex> index_;
};

}  // namespace fieldwarden::supervisor::gateway
