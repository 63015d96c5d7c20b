// What the answers to a write mean (docs.influxdata.com, InfluxDB v2 API, POST /api/v2/write). Pure.
#pragma once

#include <string>
#include <string_view>

#include "worker/sinks/http/http_client.h"
#include "worker/sinks/sink.h"

namespace fieldwarden::worker::influxdb {

enum class Reply : std::uint8_t {
    kTaken,    // 2xx
    kRefused,  // 400, 413, 422: something in this batch, or its size; halve it
    kLater,    // all else: configuration, load, outage
};
Reply meaning_of(long status);

// "/api/v2/write?org=…&bucket=…&precision=ns"
std::string write_target(std::string_view org, std::string_view bucket);

// What an answer that is not 2xx means and what to check.
std::string explain(const HttpClient& http, const HttpAnswer& answer);

}  // namespace fieldwarden::worker::influxdb
