// StatusPoints: which points of a plant say what their device is doing, and what their values mean. Made once
// per configuration from `status_point` and `state_map` of the device types; immutable.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/sample.h"
#include "supervisor/plant/plant.h"
#include "supervisor/plant/state_map.h"

namespace fieldwarden::supervisor {

class StatusPoints {
  public:
    struct Device {
        std::string code;
        PointId status_point = 0;             // 0: it has none
        std::shared_ptr<const StateMap> map;  // of its type; null without a status point
    };

    StatusPoints() = default;
    // A device of a type with a status point that has no such point itself is as one of a type without. A map
    // that does not parse (the store may have been edited by hand) is as none.
    explicit StatusPoints(const Plant& plant);

    // All devices, in plant order.
    [[nodiscard]] const std::vector<Device>& devices() const { return devices_; }
    // Position of the device that the point is the status point of; kNone for every other point. One bit is
    // looked at for those: this is asked for every live value there is.
    [[nodiscard]] std::size_t device_of(PointId point) const {
        if (point >= watched_.size() || !watched_[point]) return kNone;
        return device_of_.at(point);
    }
    static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

  private:
    std::vector<Device> devices_;
    std::vector<bool> watched_;  // by number of the point
    std::unordered_map<PointId, std::size_t> device_of_;
};

using StatusPointsPtr = std::shared_ptr<const StatusPoints>;

}  // namespace fieldwarden::supervisor
