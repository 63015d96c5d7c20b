// Samples as rows of COPY in its binary format. Pure.
//
// Source: PostgreSQL 15, "COPY", section "Binary Format"; timestamptz is the 64-bit count of microseconds
// since 2000-01-01T00:00:00Z, everything is big-endian.
#pragma once

#include <string>
#include <string_view>

#include "worker/sinks/sink.h"

namespace fieldwarden::worker::postgres {

// The columns of a row, in order, as SQL names them.
inline constexpr std::string_view kColumns =
    "ts, site_code, device_code, point_code, value, text_value, quality";

// timestamptz begins at 4714-11-24 BC; its end, in the year 294276, is beyond UtcTime's.
bool fits_timestamptz(UtcTime time);

void append_copy_header(std::string& out);
// Numbers and flags (1, 0) go into `value`, texts into `text_value`. A whole number that a double does not
// hold exactly is in both: rounded as `value`, exact as `text_value`. The sample's time fits.
void append_copy_row(std::string& out, const PointIdentity& point, const Sample& sample);
void append_copy_trailer(std::string& out);

}  // namespace fieldwarden::worker::postgres
