#include "supervisor/logs/crash_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "supervisor/workbook/text.h"

namespace fieldwarden::supervisor {

using proto::LogEntry;
using proto::LogLevel;

namespace {

// A secret that begins within the part that is kept is masked as a whole.
constexpr std::size_t kMostHeld = CrashText::kLongestLine + SecretMask::kMostLength;

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}
std::string_view stripped(std::string_view text) {
    const auto begin = text.find_first_not_of(" \t");
    if (begin == std::string_view::npos) return {};
    return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}
bool equals_ignoring_case(std::string_view a, std::string_view b) {
    return std::ranges::equal(a, b, [](char x, char y) { return lower(x) == lower(y); });
}

// --- levels ------------------------------------------------------------------------------------------------

struct Word {
    std::string_view text;  // lower case
    LogLevel level;
};

// What programs call their levels.
constexpr std::array kLevelNames{
    Word{"trace", LogLevel::kDebug},       Word{"debug", LogLevel::kDebug},
    Word{"info", LogLevel::kInfo},         Word{"notice", LogLevel::kInfo},
    Word{"warning", LogLevel::kWarning},   Word{"warn", LogLevel::kWarning},
    Word{"error", LogLevel::kError},       Word{"err", LogLevel::kError},
    Word{"critical", LogLevel::kCritical}, Word{"crit", LogLevel::kCritical},
    Word{"fatal", LogLevel::kCritical},    Word{"panic", LogLevel::kCritical},
    Word{"alert", LogLevel::kCritical},    Word{"emerg", LogLevel::kCritical},
};

// The end of a process, as the C and C++ libraries announce it.
constexpr std::array<std::string_view, 19> kLastWords{
    "terminate called",
    "pure virtual method called",
    "*** stack smashing detected ***",
    "*** buffer overflow detected ***",
    "fatal glibc error",
    "free(): ",
    "malloc(): ",
    "malloc_consolidate(): ",
    "realloc(): ",
    "calloc(): ",
    "munmap_chunk(): ",
    "double free or corruption",
    "corrupted size vs. prev_size",
    "corrupted double-linked list",
    "segmentation fault",
    "bus error",
    "illegal instruction",
    "aborted",
    "floating point exception",
};

// Words that make a line what it is, the worst first.
constexpr std::array kTellingWords{
    Word{"fatal", LogLevel::kCritical},     Word{"panic", LogLevel::kCritical},
    Word{"critical", LogLevel::kCritical},  Word{"out of memory", LogLevel::kCritical},
    Word{"error", LogLevel::kError},        Word{"exception", LogLevel::kError},
    Word{"failed", LogLevel::kError},       Word{"failure", LogLevel::kError},
    Word{"cannot", LogLevel::kError},       Word{"could not", LogLevel::kError},
    Word{"unable to", LogLevel::kError},    Word{"undefined symbol", LogLevel::kError},
    Word{"refused", LogLevel::kError},      Word{"permission denied", LogLevel::kError},
    Word{"no such file", LogLevel::kError}, Word{"warning", LogLevel::kWarning},
    Word{"warn", LogLevel::kWarning},       Word{"deprecated", LogLevel::kWarning},
};
constexpr std::size_t kTellingPart = 400;  // bytes of the line that are searched for words

std::optional<LogLevel> level_named(std::string_view name) {
    for (const auto& word : kLevelNames) {
        if (equals_ignoring_case(name, word.text)) return word.level;
    }
    return std::nullopt;
}

// syslog's 0 (emergency) to 7 (debug).
LogLevel level_of_priority(char digit) {
    if (digit <= '2') return LogLevel::kCritical;
    if (digit == '3') return LogLevel::kError;
    if (digit == '4') return LogLevel::kWarning;
    return digit == '7' ? LogLevel::kDebug : LogLevel::kInfo;
}

bool has_word(std::string_view text, std::string_view word) {
    for (auto at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1)) {
        const auto end = at + word.size();
        const bool begins = at == 0 || !is_letter(text[at - 1]);
        const bool ends = end == text.size() || !is_letter(text[end]);
        if (!begins || !ends) continue;
        if (at >= 3 && text.substr(at - 3, 3) == "no ") continue;  // "no error"
        return true;
    }
    return false;
}

LogLevel level_by_words(std::string_view line) {
    std::string low{line.substr(0, kTellingPart)};
    std::ranges::transform(low, low.begin(), lower);
    if (std::ranges::any_of(kLastWords, [&](auto words) { return low.starts_with(words); })) {
        return LogLevel::kCritical;
    }
    for (const auto& word : kTellingWords) {
        if (has_word(low, word.text)) return word.level;
    }
    return LogLevel::kInfo;
}

// --- places ------------------------------------------------------------------------------------------------

constexpr std::array<std::string_view, 11> kSourceEndings{".c",   ".cc",  ".cpp", ".cxx", ".h", ".hh",
                                                          ".hpp", ".hxx", ".ipp", ".tcc", ".rs"};

// The first "path/file.cpp:12" in the line.
void find_source(std::string_view line, LogEntry& entry) {
    for (auto colon = line.find(':'); colon != std::string_view::npos; colon = line.find(':', colon + 1)) {
        std::uint32_t number = 0;
        const auto* digits = line.data() + colon + 1;
        const auto* end = line.data() + line.size();
        if (digits == end || !is_digit(*digits)) continue;
        if (std::from_chars(digits, end, number).ec != std::errc{} || number == 0) continue;
        auto begin = line.find_last_of(" \t([<'\"`=,", colon);
        begin = begin == std::string_view::npos ? 0 : begin + 1;
        const auto file = line.substr(begin, colon - begin);
        const bool known = std::ranges::any_of(kSourceEndings, [&](auto ending) {
            return file.ends_with(ending) && file.size() > ending.size();
        });
        // The sanitizer's own frames are above those of the program.
        if (!known || file.find("sanitizer") != std::string_view::npos) continue;
        entry.source_file = std::string{file};
        entry.line_number = number;
        return;
    }
}

// --- lines with a form -------------------------------------------------------------------------------------

// glog and its kin: "E1122 17:08:43.123456  1234 file.cc:12] text".
bool take_glog(std::string_view line, LogEntry& entry) {
    constexpr std::string_view kLetters = "IWEF";
    if (line.size() < 21 || kLetters.find(line[0]) == std::string_view::npos || line[5] != ' ') return false;
    if (!std::ranges::all_of(line.substr(1, 4), is_digit)) return false;
    const auto end = line.find("] ");
    if (end == std::string_view::npos) return false;
    entry.level = line[0] == 'I'   ? LogLevel::kInfo
                  : line[0] == 'W' ? LogLevel::kWarning
                  : line[0] == 'E' ? LogLevel::kError
                                   : LogLevel::kCritical;
    find_source(line.substr(0, end), entry);
    entry.message = std::string{stripped(line.substr(end + 2))};
    return true;
}

// librdkafka: "%3|1700000000.123|FAIL|rdkafka#producer-1| [thrd:x]: text".
bool take_rdkafka(std::string_view line, LogEntry& entry) {
    if (line.size() < 4 || line[0] != '%' || line[1] < '0' || line[1] > '7' || line[2] != '|') return false;
    const auto facility = line.find('|', 3);
    if (facility == std::string_view::npos) return false;
    entry.level = level_of_priority(line[1]);
    entry.message = std::string{stripped(line.substr(facility + 1))};
    return true;
}

// systemd's convention: "<3>text".
bool take_priority(std::string_view line, LogEntry& entry) {
    if (line.size() < 4 || line[0] != '<' || line[1] < '0' || line[1] > '7' || line[2] != '>') return false;
    entry.level = level_of_priority(line[1]);
    entry.message = std::string{stripped(line.substr(3))};
    return true;
}

// spdlog and many others: "[time] [name] [error] [file.cpp:12] text".
bool take_brackets(std::string_view line, LogEntry& entry) {
    std::optional<LogLevel> level;
    LogEntry found;
    auto rest = line;
    while (!rest.empty() && rest.front() == '[') {
        const auto end = rest.find(']');
        if (end == std::string_view::npos) break;
        const auto group = rest.substr(1, end - 1);
        if (const auto named = level_named(stripped(group))) level = named;
        find_source(group, found);
        rest = stripped(rest.substr(end + 1));
    }
    if (!level || rest.empty()) return false;
    entry.level = *level;
    entry.source_file = found.source_file;
    entry.line_number = found.line_number;
    entry.message = std::string{rest};
    return true;
}

// "ERROR: text", "warning text", "error[12] text": the level's name in front.
bool take_leading_name(std::string_view line, LogEntry& entry) {
    const auto end = std::ranges::find_if_not(line, is_letter) - line.begin();
    const auto level = level_named(line.substr(0, static_cast<std::size_t>(end)));
    if (!level || static_cast<std::size_t>(end) >= line.size()) return false;
    constexpr std::string_view kAfter = ": [";
    if (kAfter.find(line[static_cast<std::size_t>(end)]) == std::string_view::npos) return false;
    entry.level = *level;
    entry.message = std::string{line};
    return true;
}

// "==123==ERROR: AddressSanitizer: …", "WARNING: ThreadSanitizer: …", "==123==WARNING: MemorySanitizer…"
bool take_sanitizer(std::string_view line, LogEntry& entry) {
    auto text = line;
    if (text.starts_with("==")) {
        const auto end = text.find("==", 2);
        if (end == std::string_view::npos || end == 2) return false;
        if (!std::ranges::all_of(text.substr(2, end - 2), is_digit)) return false;
        text.remove_prefix(end + 2);
    }
    for (const std::string_view word : {"ERROR: ", "WARNING: "}) {
        if (!text.starts_with(word)) continue;
        const auto name = text.substr(word.size());
        if (name.substr(0, name.find(':')).find("Sanitizer") == std::string_view::npos) return false;
        entry.level = LogLevel::kCritical;
        entry.message = std::string{name};
        return true;
    }
    return false;
}

bool is_rule(std::string_view line) {
    return line.size() >= 18 && std::ranges::all_of(line, [](char c) { return c == '='; });
}

bool ends_block(std::string_view line) {
    return is_rule(line) || (line.starts_with("==") && line.ends_with("==ABORTING"));
}

// "#0 0x55… in f file.cpp:12", "./program(+0x1234) [0x55…]": a stack.
bool is_frame(std::string_view line) {
    if (line.size() > 2 && line[0] == '#' && is_digit(line[1])) return true;
    return line.ends_with("]") && line.find(" [0x") != std::string_view::npos;
}

bool is_continuation(std::string_view line) {
    return line.front() == ' ' || line.front() == '\t' || is_frame(line) || line.starts_with("SUMMARY: ") ||
           line.starts_with("======= ");
}

}  // namespace

std::string clean_text(std::string_view text) {
    std::string clean;
    clean.reserve(text.size());
    for (std::size_t i = 0; i < text.size();) {
        const auto byte = static_cast<unsigned char>(text[i]);
        if (byte == 0x1b && i + 1 < text.size() && text[i + 1] == '[') {
            // A terminal sequence: ESC [ parameters letter.
            i += 2;
            while (i < text.size() && !(text[i] >= '@' && text[i] <= '~')) ++i;
            if (i < text.size()) ++i;
            continue;
        }
        if (byte < 0x80) {
            clean += (byte < 0x20 && byte != '\t') || byte == 0x7f ? ' ' : text[i];
            ++i;
            continue;
        }
        const std::size_t length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
        const auto sequence = text.substr(i, length);
        // U+0080 to U+009F are control characters as well.
        const bool control =
            byte == 0xc2 && sequence.size() == 2 && static_cast<unsigned char>(text[i + 1]) < 0xa0;
        if (sequence.size() == length && valid_utf8(sequence)) {
            clean += control ? std::string_view{" "} : sequence;
            i += length;
        } else {
            clean += "\xEF\xBF\xBD";
            ++i;
        }
    }
    return clean;
}

bool parse_log_line(std::string_view line, LogEntry& entry) {
    // As flat as our lines are: nothing deeper than retry_context and performance_metrics.
    constexpr int kDeepest = 6;
    if (line.size() < 2 || line.front() != '{' || line.back() != '}') return false;
    try {
        bool too_deep = false;
        const auto json = proto::Json::parse(
            line,
            [&](int depth, proto::Json::parse_event_t, proto::Json&) {
                too_deep = too_deep || depth > kDeepest;
                return !too_deep;
            },
            false);
        if (too_deep || !json.is_object()) return false;
        entry = proto::log_entry_from_json(json);
        return true;
    } catch (const std::exception&) {
        return false;
    }
}

void CrashText::feed(std::string_view bytes, std::vector<LogEntry>& out) {
    while (!bytes.empty()) {
        const auto end = bytes.find('\n');
        const auto part = bytes.substr(0, end);
        if (!skipping_) {
            const auto kept = std::min(part.size(), kMostHeld - std::min(kMostHeld, line_.size()));
            line_ += part.substr(0, kept);
            line_cut_ += part.size() - kept;
        }
        if (end == std::string_view::npos) return;
        bytes.remove_prefix(end + 1);
        if (!std::exchange(skipping_, false)) take_line(out);
    }
}

void CrashText::skip(std::vector<LogEntry>& out) {
    line_.clear();
    line_cut_ = 0;
    finish(out);
    skipping_ = true;
}

void CrashText::flush(std::vector<LogEntry>& out) {
    if (!line_.empty()) {
        take_line(out);
        // Its rest, should it still come, is no line of its own.
    }
    finish(out);
}

void CrashText::take_line(std::vector<LogEntry>& out) {
    std::string line = std::move(line_);
    line_.clear();
    auto cut = std::exchange(line_cut_, 0);
    mask_->apply(line);
    if (line.size() > kLongestLine) {
        cut += line.size() - kLongestLine;
        line.resize(kLongestLine);
    }
    line = clean_text(line);
    mask_->apply(line);  // again: a terminal sequence in its midst had taken it apart
    while (!line.empty() && (line.back() == ' ' || line.back() == '\t')) line.pop_back();
    if (cut > 0) line += fmt::format("… ({} bytes more)", cut);
    if (line.empty()) {
        // Between two lines it separates; inside a report it is part of it.
        if (!in_block_) finish(out);
        return;
    }
    if (in_block_) {
        if (LogEntry other; take_sanitizer(line, other) && !entry_.message.empty()) {
            begin(std::move(other), line, true, out);
            return;
        }
        const bool over = ends_block(line);
        if (!over || !is_rule(line)) append(line);
        if (over) finish(out);
        return;
    }
    if (has_entry_ && is_continuation(line)) {
        append(line);
        // A report of the C library goes on to the end: addresses and maps follow.
        if (line.starts_with("======= ")) in_block_ = true;
        return;
    }
    LogEntry entry;
    if (is_rule(line)) return finish(out);
    if (line.front() == '{' && parse_log_line(line, entry)) {
        finish(out);
        // Whoever prints such a line may name its level and its place, not write the execution log.
        LogEntry said;
        said.level = entry.level;
        said.source_file = clean_text(entry.source_file);
        said.line_number = entry.line_number;
        said.message = clean_text(entry.message);
        mask_->apply(said.message);
        entry = std::move(said);
        return begin(std::move(entry), line, false, out);
    }
    if (take_sanitizer(line, entry)) return begin(std::move(entry), line, true, out);
    if (take_glog(line, entry) || take_rdkafka(line, entry) || take_priority(line, entry) ||
        take_brackets(line, entry) || take_leading_name(line, entry)) {
        if (entry.source_file.empty()) find_source(entry.message, entry);
        return begin(std::move(entry), line, false, out);
    }
    entry.message = line;
    find_source(line, entry);
    const bool assertion = line.find(": Assertion ") != std::string::npos && line.ends_with("failed.");
    const bool undefined = line.find(": runtime error: ") != std::string::npos && !entry.source_file.empty();
    entry.level = assertion || undefined ? LogLevel::kCritical : level_by_words(line);
    begin(std::move(entry), line, false, out);
}

void CrashText::begin(LogEntry entry, std::string_view line, bool block, std::vector<LogEntry>& out) {
    finish(out);
    entry_ = std::move(entry);
    if (entry_.message.empty()) entry_.message = line;
    has_entry_ = true;
    in_block_ = block;
    source_is_sure_ = !entry_.source_file.empty();
    text_ = line;
    lines_ = 1;
    left_out_ = 0;
}

void CrashText::append(std::string_view line) {
    ++lines_;
    if (!source_is_sure_) {
        find_source(line, entry_);
        source_is_sure_ = !entry_.source_file.empty();
    }
    const auto what = stripped(line);
    if (what.starts_with("what():") && entry_.message.starts_with("terminate called")) {
        entry_.message += fmt::format(": {}", stripped(what.substr(7)));
    }
    if (lines_ > kMostBlockLines || text_.size() + line.size() + 1 > kMostBlockBytes) {
        ++left_out_;
        return;
    }
    text_ += '\n';
    text_ += line;
}

void CrashText::finish(std::vector<LogEntry>& out) {
    if (!std::exchange(has_entry_, false)) return;
    in_block_ = false;
    if (lines_ > 1) {
        entry_.exception_info = std::move(text_);
        if (left_out_ > 0) entry_.exception_info += fmt::format("\n({} more lines)", left_out_);
    }
    if (entry_.level == LogLevel::kCritical && !entry_.log_type) entry_.log_type = proto::LogType::kException;
    out.push_back(std::move(entry_));
    entry_ = {};
    text_.clear();
    lines_ = 0;
}

}  // namespace fieldwarden::supervisor
