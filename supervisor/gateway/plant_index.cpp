#include "supervisor/gateway/plant_index.h"

#include <algorithm>
#include <charconv>

#include "supervisor/plant/point_field.h"

namespace fieldwarden::supervisor::gateway {

namespace {

constexpr std::size_t kMostTextBytes = 8U << 20;

}  // namespace

PlantIndex::PlantIndex(PlantPtr plant) : plant_(std::move(plant)), compiler_(*plant_) {
    for (const auto kind : kAllKinds) {
        auto& by_id = by_id_[static_cast<std::size_t>(kind)];
        by_id.reserve(plant_->of(kind).size());
        for (const auto& record : plant_->of(kind).all()) by_id.push_back(&record);
        std::ranges::sort(by_id, {}, &Record::id);
    }
}

const Record* PlantIndex::find(Kind kind, std::string_view id_or_code) const {
    if (const auto* record = plant_->of(kind).find(id_or_code)) return record;
    std::int64_t id = 0;
    const auto* end = id_or_code.data() + id_or_code.size();
    const auto [rest, error] = std::from_chars(id_or_code.data(), end, id);
    if (error != std::errc{} || rest != end) return nullptr;
    const auto& by_id = by_id_[static_cast<std::size_t>(kind)];
    const auto found = std::ranges::lower_bound(by_id, id, {}, &Record::id);
    return found == by_id.end() || (*found)->id != id ? nullptr : *found;
}

const std::vector<const Record*>& PlantIndex::points_of(std::string_view device_code) const {
    return compiler_.points_of(device_code);
}

Result<std::shared_ptr<const std::vector<const Record*>>> PlantIndex::points_of_task(
    const std::string& task_code) {
    const std::scoped_lock lock(mutex_);
    if (const auto known = task_points_.find(task_code); known != task_points_.end()) return known->second;
    auto config = compiler_.compile(task_code);
    if (!config) return config.error();
    auto points = std::make_shared<std::vector<const Record*>>();
    for (const auto& device : config->devices) {
        for (const auto& point : device.points) {
            if (const auto* record = plant_->of(Kind::kPoint).find(point.point_code))
                points->push_back(record);
        }
    }
    return task_points_.emplace(task_code, std::move(points)).first->second;
}

std::shared_ptr<const std::string> PlantIndex::text(const std::string& key,
                                                    const std::function<std::string()>& make) {
    {
        const std::scoped_lock lock(mutex_);
        if (const auto found = texts_.find(key); found != texts_.end()) return found->second;
    }
    auto written = std::make_shared<const std::string>(make());
    const auto bytes = key.size() + written->size();
    const std::scoped_lock lock(mutex_);
    if (bytes > kMostTextBytes) return written;
    if (texts_bytes_ + bytes > kMostTextBytes) {
        texts_.clear();
        texts_bytes_ = 0;
    }
    if (texts_.emplace(key, written).second) texts_bytes_ += bytes;
    return written;
}

std::string_view PlantIndex::field_of(std::string_view device_code, std::string_view point_code) {
    return point_field(device_code, point_code);
}

std::shared_ptr<PlantIndex> PlantIndexes::current() {
    const auto plant = control_.plant();
    const std::scoped_lock lock(mutex_);
    if (!index_ || index_->plant_ptr() != plant) index_ = std::make_shared<PlantIndex>(plant);
    return index_;
}

}  // namespace fieldwarden::supervisor::gateway
