// Samples as lines of InfluxDB's line protocol (docs.influxdata.com, InfluxDB v2, "Line protocol"):
//
//   points,device=D1,point=P1,site=S1 value=21.5,quality=0i 1795305600000000000
//
// Tags are sorted by key, as the server likes them, and left out when empty. Fields keep one type for ever,
// because InfluxDB refuses a field that changes its type: `value` is always a float (whole numbers and bools
// too: 5 and 1), `text` a string, `quality` an integer (0 good, 1 uncertain, 2 bad). A sample without a
// value, or with a number that the protocol has no form for (infinite, not a number), has its quality alone.
//
// Escapes. Measurement: comma and space. Tags: comma, space and equals sign. Strings: quote and backslash.
// A backslash elsewhere stands for itself unless an escapable character follows, which is escaped by its own
// backslash, so it needs none. What the protocol cannot carry: line breaks outside of strings are written as
// blanks, and a backslash at the end of a name, which would swallow the separator behind it, as '/'.
#pragma once

#include <string>
#include <string_view>

#include "worker/sinks/point_cache.h"

namespace fieldwarden::worker::influxdb {

void append_measurement(std::string& out, std::string_view name);
void append_tag(std::string& out, std::string_view text);     // key or value
void append_string(std::string& out, std::string_view text);  // with its quotes

// Remembers the beginnings of the lines of one directory's points. One thread.
class LineEncoder {
  public:
    explicit LineEncoder(std::string_view measurement);
    // Appends the line of `sample` with its line break. False, and nothing appended: the directory does not
    // know the point, or nanoseconds since 1970 do not reach to the sample's time (years 1678 to 2261 do).
    bool append(std::string& out, const DeliveryBatch& batch, const Sample& sample);

  private:
    std::string measurement_;
    PointCache<std::string> heads_;  // up to the fields
};

}  // namespace fieldwarden::worker::influxdb
