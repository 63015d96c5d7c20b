// A sample as message stores (Kafka, MQTT) carry it:
//
//   {"site":"S1","device":"D1","point":"P1","timestamp":"2026-11-22T13:40:27.123456Z","value":21.5,
//    "quality":"good"}
//
// `value` is a number, true/false, a text or null; samples that are not good carry "quality_code" when there
// is one (CONTRACT 5). The time has microseconds: with `point` it tells samples apart, so that a second
// delivery can be recognised.
#pragma once

#include <string>
#include <string_view>

#include "worker/sinks/point_cache.h"

namespace fieldwarden::worker {

// "2026-11-22T13:40:27.123456Z"
void append_time_micros(std::string& out, UtcTime time);
// The value alone. A number that JSON has no form for (infinite, not a number) is null.
void append_value_json(std::string& out, const Value& value);

// Remembers what it wrote of each point of one directory. One thread.
class SampleJson {
  public:
    // Appends the object of `sample`. False, and nothing appended: the directory does not know the point.
    bool append(std::string& out, const DeliveryBatch& batch, const Sample& sample);

  private:
    PointCache<std::string> heads_;  // up to the time
    UtcTime time_{};                 // of the last sample,
    std::string time_text_;          // as it is written
};

}  // namespace fieldwarden::worker
