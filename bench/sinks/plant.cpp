#include "bench/sinks/plant.h"

#include <fmt/format.h>

namespace fieldwarden::bench {

namespace {

PointId id_of(const Plant& plant, unsigned device, unsigned point) {
    return static_cast<PointId>(device * plant.points + point + 1);
}

}  // namespace

worker::PointDirectory Plant::directory() const {
    worker::PointDirectory directory;
    for (unsigned device = 0; device < devices; ++device) {
        for (unsigned point = 0; point < points; ++point) {
            directory[id_of(*this, device, point)] = {"PLANT",
                                                      fmt::format("DEV_{:03}", device),
                                                      fmt::format("Device {}", device),
                                                      "TYPE",
                                                      fmt::format("D{:03}_P{:04}", device, point),
                                                      "kW",
                                                      {BaseType::kFloat64, 0}};
        }
    }
    return directory;
}

SampleBatch Plant::scan(unsigned device, unsigned number, UtcTime time) const {
    SampleBatch samples;
    samples.reserve(points);
    for (unsigned point = 0; point < points; ++point) {
        const auto steps = (device * 7'919U + point * 104'729U + number * 31U) % 99'991U;
        samples.push_back({id_of(*this, device, point), Quality::kGood, QualityCode::kNone, time,
                           static_cast<double>(steps) / 100.0});
    }
    return samples;
}

UtcTime Plant::time_of(unsigned device, unsigned number) const {
    return first + std::chrono::seconds{number} + std::chrono::milliseconds{device};
}

}  // namespace fieldwarden::bench
