// What bench_sinks delivers: scans of some devices with float points, the same in our pipeline and in the
// ready-made content of the floors. Pure.
#pragma once

#include "common/sample.h"
#include "worker/sinks/sink.h"

namespace fieldwarden::bench {

struct Plant {
    unsigned devices = 10;
    unsigned points = 1'000;  // of each device
    unsigned scans = 50;      // of each device
    UtcTime first{};          // time of the first scan; they follow each other by a second

    [[nodiscard]] std::uint64_t rows() const { return std::uint64_t{devices} * points * scans; }
    [[nodiscard]] worker::PointDirectory directory() const;
    // Values as instruments have them: three to five digits.
    [[nodiscard]] SampleBatch scan(unsigned device, unsigned number, UtcTime time) const;
    // Of the scan `number` of a device; devices follow each other by a millisecond.
    [[nodiscard]] UtcTime time_of(unsigned device, unsigned number) const;
};

}  // namespace fieldwarden::bench
