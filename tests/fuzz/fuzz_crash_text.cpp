// What a worker's process prints, in pieces as they are read, and the JSON lines of the log files. Whatever
// comes in, what comes out is bounded, valid UTF-8, and free of the secret.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "supervisor/logs/crash_text.h"
#include "supervisor/workbook/text.h"

using namespace fieldwarden;
using namespace fieldwarden::supervisor;

namespace {

void check(bool holds) {
    if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    constexpr std::string_view kSecret = "s3cr3t!";
    SecretMask mask;
    mask.add({std::string{kSecret}});
    CrashText crash{mask};
    std::vector<proto::LogEntry> entries;
    // The first byte chooses the size of the pieces and whether some are skipped.
    const std::size_t piece = size == 0 ? 1 : 1 + data[0] % 64;
    for (std::size_t at = 0; at < size; at += piece) {
        crash.feed(text.substr(at, piece), entries);
        if (data[0] > 200 && at % 7 == 3) crash.skip(entries);
        if (data[0] < 50 && at % 11 == 5) crash.flush(entries);
    }
    crash.flush(entries);
    check(!crash.is_open());
    for (const auto& entry : entries) {
        check(!entry.message.empty());
        check(entry.message.size() < 4 * CrashText::kLongestLine);
        check(entry.exception_info.size() < 2 * CrashText::kMostBlockBytes);
        check(valid_utf8(entry.message) && valid_utf8(entry.exception_info) && valid_utf8(entry.source_file));
        // Cut apart by a flush, a secret is no longer one.
        if (data[0] >= 50) check(entry.message.find(kSecret) == std::string::npos);
    }
    proto::LogEntry entry;
    if (parse_log_line(text, entry)) {
        proto::LogEntry again;
        check(parse_log_line(to_json(entry).dump(-1, ' ', false, proto::Json::error_handler_t::replace),
                             again));
        check(again.message == entry.message && again.level == entry.level);
    }
    return 0;
}
