// The write, read and delete of a marked record, in a measurement of its own.
#pragma once

#include <string>

#include "worker/sinks/http/http_client.h"

namespace fieldwarden::worker::influxdb {

inline constexpr const char* kProbeMeasurement = "fieldwarden_probe";

struct ProbeTarget {
    std::string org;
    std::string bucket;
    std::vector<std::string> headers;  // with the authorization
};

// What was checked. Reading back and removing take whichever of InfluxDB's and VictoriaMetrics' ways the
// server has; where it has none, or the token may only write, the text says what is left behind.
Result<std::string> run_probe(HttpClient& http, const ProbeTarget& target);

}  // namespace fieldwarden::worker::influxdb
