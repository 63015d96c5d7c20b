// Dead letters: the records a sink refused for good, with the reason, one JSON object per line in
// <data-dir>/spool/<task>/dead_letters.<sink>.jsonl. Bounded: past max_bytes the file moves to `.1`, and the
// one before it is removed.
//
// Line: {"seq", "sink_code", "rejected_at", "reason", "samples": [{site_code, device_code, point_code,
// timestamp, value, quality, quality_code?}]}. A point that the directory does not know has its number as
// point_code.
#pragma once

#include <string>

#include "common/log/rotating_file.h"
#include "worker/sinks/sink.h"

namespace fieldwarden::worker {

class DeadLetters {
  public:
    DeadLetters(std::string path, std::uint64_t max_bytes);
    // On failure the record is not recorded; the caller keeps it.
    Status add(const std::string& sink_code, const DeliveryRecord& record, const PointDirectory* directory,
               const std::string& reason, UtcTime now);

  private:
    RotatingFile file_;
};

}  // namespace fieldwarden::worker
