// Dead letters: the records a sink refused for good, with the reason, one JSON object per line in
// <data-dir>/spool/<task>/dead_letters.<sink>.jsonl. Bounded: past max_bytes the file moves to `.1`, and the
// one before it is removed.
//
// Line: {"seq", "sink_code", "rejected_at", "reason", "block", "samples": [{point_id, point_code, site_code,
// device_code, device_name, type_code, unit, data_type, stable_name, timestamp, value, quality,
// quality_code?}]}. `block` is the record's sample block (common/sample_block.h) in base64: the samples as
// they were, with the types of their values; the rest of a sample says who its point is. A point that the
// directory does not know has its number as point_code and no other name.
//
// Letters that are to be delivered again lie beside it, in <file>.retry.<n>: the supervisor moves them there,
// the worker removes each such file when all of it is delivered or refused again.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/log/rotating_file.h"
#include "worker/sinks/sink.h"

namespace fieldwarden::worker {

// A letter as it is delivered again.
struct DeadLetter {
    std::uint64_t seq = 0;
    Bytes block;
    SampleBatch samples;
    PointDirectory points;
};
// Safe on hostile bytes: memory is bounded by the line's length. kInvalidArgument: no letter, or one whose
// samples cannot be rebuilt.
Result<DeadLetter> parse_dead_letter(std::string_view line);

class DeadLetters {
  public:
    DeadLetters(std::string path, std::uint64_t max_bytes);
    // On failure the record is not recorded; the caller keeps it.
    Status add(const std::string& sink_code, const DeliveryRecord& record, const PointDirectory* directory,
               const std::string& reason, UtcTime now);

    // Samples on disk, those that wait for a retry included, and why the newest letter was refused. Reads all
    // of it: at most max_bytes, and what waits.
    struct Census {
        std::uint64_t samples = 0;
        std::string last_reason;
    };
    [[nodiscard]] Census count() const;
    // Changes when somebody else has moved or removed letters; costs a look at the directory.
    [[nodiscard]] std::string fingerprint() const;

    // The oldest file of letters that wait to be delivered again; empty: none.
    [[nodiscard]] std::string waiting() const;
    [[nodiscard]] const std::string& path() const { return file_.path(); }

  private:
    [[nodiscard]] std::vector<std::pair<std::uint64_t, std::string>> waiting_files() const;

    RotatingFile file_;
};

}  // namespace fieldwarden::worker
