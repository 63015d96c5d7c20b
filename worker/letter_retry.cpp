#include "worker/letter_retry.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>

#include "proto/shapes.h"
#include "worker/spool_segment.h"

namespace fieldwarden::worker {

using proto::LogLevel;

namespace {
// One delivery of letters stands between two of fresh data.
constexpr std::size_t kMostLetters = 64;

bool agree(const PointDirectory& a, const PointDirectory& b) {
    return std::all_of(b.begin(), b.end(), [&](const auto& point) {
        const auto found = a.find(point.first);
        return found == a.end() || found->second == point.second;
    });
}
}  // namespace

LetterRetry::LetterRetry(std::string sink_code, DeadLetters& letters, Sink& sink, const Clock& clock,
                         LogFunction log)
    : sink_code_(std::move(sink_code)), letters_(letters), sink_(sink), clock_(clock), log_(std::move(log)) {}

LetterRetry::Step LetterRetry::step() {
    retry_after_.reset();
    // The file may have been cleared meanwhile.
    if (!path_.empty() && ::access(path_.c_str(), F_OK) != 0) path_.clear();
    if (path_.empty()) {
        path_ = letters_.waiting();
        offset_ = 0;
        singly_ = false;
        if (path_.empty()) return Step::kIdle;
        if (log_) log_(LogLevel::kInfo, fmt::format("sink {}: delivering dead letters again", sink_code_));
    }
    const auto portion = read_portion();
    if (portion.letters.empty()) {
        if (portion.skipped_to > offset_) {
            offset_ = portion.skipped_to;
            return Step::kWorked;
        }
        return finish_file();
    }
    std::vector<DeliveryRecord> records;
    for (const auto& letter : portion.letters) records.push_back({letter.seq, letter.block, letter.samples});
    const auto version = directory_version(encode_directory(portion.points));
    const auto* points = sink_.knows_directory(version) ? nullptr : &portion.points;
    const auto outcome = sink_.deliver({records, points, version, true});
    if (outcome.bisect && records.size() > 1) {
        singly_ = true;
        return Step::kWorked;
    }
    // In order: the place in the file moves over a gapless run, as a cursor does.
    for (std::size_t i = 0; i < records.size(); ++i) {
        auto verdict = i < outcome.verdicts.size() ? outcome.verdicts[i] : Verdict::kKeep;
        if (outcome.bisect && verdict == Verdict::kKeep) verdict = Verdict::kRejected;
        switch (verdict) {
            case Verdict::kAccepted:
                delivered_ += records[i].samples.size();
                break;
            case Verdict::kRejected:
                if (const auto written = letters_.add(sink_code_, records[i], &portion.points, outcome.reason,
                                                      clock_.utc_now());
                    !written) {
                    reason_ = written.error().message;
                    return Step::kBlocked;
                }
                break;
            case Verdict::kKeep:
                reason_ = outcome.reason;
                retry_after_ = outcome.retry_after;
                return Step::kBlocked;
        }
        offset_ = portion.ends[i];
    }
    return Step::kWorked;
}

LetterRetry::Portion LetterRetry::read_portion() {
    Portion portion;
    portion.skipped_to = offset_;
    std::ifstream file{path_};
    file.seekg(static_cast<std::streamoff>(offset_));
    const auto most_samples = sink_.limits().samples;
    const std::size_t most = singly_ ? 1 : kMostLetters;
    std::size_t samples = 0;
    std::uint64_t at = offset_;
    std::string line;
    while (portion.letters.size() < most && std::getline(file, line)) {
        // A torn last line has no line feed; its record is still in the spool, because it was never said to
        // be buried.
        const bool torn = file.eof();
        const auto end = at + line.size() + (torn ? 0 : 1);
        auto letter = torn ? Result<DeadLetter>{make_error(ErrorKind::kInvalidArgument, "torn")}
                           : parse_dead_letter(line);
        if (!letter) {
            if (!portion.letters.empty()) break;
            if (!torn && !line.empty() && !set_aside(line)) break;
            portion.skipped_to = end;
            break;
        }
        const bool fits = portion.letters.empty() || samples + letter->samples.size() <= most_samples;
        if (!fits || !agree(portion.points, letter->points)) break;
        samples += letter->samples.size();
        portion.points.insert(letter->points.begin(), letter->points.end());
        portion.letters.push_back(std::move(*letter));
        portion.ends.push_back(end);
        at = end;
    }
    return portion;
}

// A line nobody can deliver, an older build's perhaps, stays for people to read, beside the letters.
bool LetterRetry::set_aside(std::string_view line) {
    RotatingFile unreadable{letters_.path() + ".unreadable", {4U << 20, 2}};
    const auto written = unreadable.write_line(line);
    if (log_) {
        log_(LogLevel::kWarning,
             written ? fmt::format("sink {}: a dead letter cannot be rebuilt; its line is in {}", sink_code_,
                                   unreadable.path())
                     : written.error().message);
    }
    if (!written) reason_ = written.error().message;
    return written.has_value();
}

LetterRetry::Step LetterRetry::finish_file() {
    // Nothing was read and nothing could be skipped: at its end, or it cannot be read or set aside now.
    std::ifstream file{path_, std::ios::ate};
    if (!file || static_cast<std::uint64_t>(file.tellg()) > offset_) {
        if (!file) reason_ = fmt::format("cannot read {}: {}", path_, errno_text(errno));
        return Step::kBlocked;
    }
    if (::unlink(path_.c_str()) != 0 && errno != ENOENT) {
        reason_ = fmt::format("cannot remove {}: {}", path_, errno_text(errno));
        return Step::kBlocked;
    }
    path_.clear();
    return Step::kWorked;
}

}  // namespace fieldwarden::worker
