#include "worker/point_directory.h"

namespace fieldwarden::worker {

PointDirectory directory_of(const std::vector<DeviceConfig>& devices) {
    PointDirectory directory;
    for (const auto& device : devices) {
        for (const auto& point : device.points) {
            directory.emplace(point.id, PointIdentity{device.site_code, device.device_code,
                                                      device.device_name, device.type_code, point.point_code,
                                                      point.unit, point.data_type, device.stable_name});
        }
    }
    return directory;
}

}  // namespace fieldwarden::worker
