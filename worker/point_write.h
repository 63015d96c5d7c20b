// Writing a point: from what a person wants in engineering units to what the device takes, and the question
// whether it holds it now.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "common/task_config.h"
#include "worker/drivers/driver.h"

namespace fieldwarden::worker {

// What is kept of a writable point.
struct WriteRule {
    explicit WriteRule(const PointConfig& point)
        : id(point.id),
          point_code(point.point_code),
          type(point.data_type),
          scale(point.scale),
          offset(point.offset),
          least(point.min_value),
          most(point.max_value) {}

    PointId id = 0;
    std::string point_code;
    DataType type;
    double scale = 1;
    double offset = 0;
    std::optional<double> least;  // engineering units
    std::optional<double> most;
};

// (value − offset) / scale in the point's data type. kInvalidArgument, with a sentence for the operator: of
// another type, outside min_value … max_value, not a whole number where the device holds whole ones, or
// outside what the data type holds. A bool takes 0 and 1; a number takes no text.
Result<Value> raw_value(const WriteRule& rule, const Value& engineering);

// Whether a raw value that was read is the one that was written: a float32 as the device rounds it, text
// without the padding behind it.
bool is_same(const WriteRule& rule, const Value& written, const Value& read);

struct ReadBack {
    Sample sample;  // raw
    bool confirmed = false;
};
// Writes, then reads until the device holds the value, at most kMostReadBacks times: many take a new value
// over with their next cycle. `wait` pauses, and returns true to break it off. An error as of
// Driver::write(); a device that took the value and is then not read gives an unconfirmed bad sample.
inline constexpr int kMostReadBacks = 6;
inline constexpr std::chrono::milliseconds kReadBackPause{100};
Result<ReadBack> write_and_read_back(Driver& driver, std::uint32_t point, const WriteRule& rule,
                                     const Value& raw,
                                     const std::function<bool(std::chrono::milliseconds)>& wait);

}  // namespace fieldwarden::worker
