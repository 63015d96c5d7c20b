#include "supervisor/dead_letters.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <tuple>

#include "common/data_paths.h"
#include "supervisor/logs/backward_lines.h"

namespace fieldwarden::supervisor {

using proto::Json;

namespace {

// Requests that wait at one sink; each is at most the dead letters' limit.
constexpr std::size_t kMostWaiting = 8;
constexpr std::string_view kPrefix = "dead_letters.";
constexpr std::string_view kEnding = ".jsonl";
constexpr std::string_view kRetry = ".retry.";

// One sink's files in a task's folder.
struct LetterFiles {
    std::string path;                                            // the letters; `path`.1 is the older part
    std::vector<std::pair<std::uint64_t, std::string>> waiting;  // oldest first
};

// By the name of the sink's file.
std::vector<LetterFiles> files_of(const std::string& data_dir, const std::string& task_code,
                                  const std::string& sink_code) {
    const auto directory = spool_directory(data_dir, task_code);
    std::vector<LetterFiles> found;
    const auto of = [&](const std::string& path) -> LetterFiles& {
        for (auto& files : found) {
            if (files.path == path) return files;
        }
        return found.emplace_back(LetterFiles{path, {}});
    };
    std::error_code failed;
    std::filesystem::directory_iterator entries{directory, failed};
    for (; !failed && entries != std::filesystem::directory_iterator{}; entries.increment(failed)) {
        auto name = entries->path().filename().string();
        if (!name.starts_with(kPrefix)) continue;
        const auto end = name.rfind(kEnding);
        if (end == std::string::npos) continue;
        const auto rest = name.substr(end + kEnding.size());
        const auto path = directory + "/" + name.substr(0, end + kEnding.size());
        if (!sink_code.empty() && path != dead_letters_file(data_dir, task_code, sink_code)) continue;
        if (rest.empty() || rest == ".1") {
            of(path);
        } else if (rest.starts_with(kRetry)) {
            std::uint64_t number = 0;
            const auto* last = rest.data() + rest.size();
            const auto read = std::from_chars(rest.data() + kRetry.size(), last, number);
            if (read.ec == std::errc{} && read.ptr == last) {
                of(path).waiting.emplace_back(number, entries->path().string());
            }
        }
    }
    std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
    for (auto& files : found) std::sort(files.waiting.begin(), files.waiting.end());
    return found;
}

std::string text_of(const Json& object, const char* name) {
    const auto found = object.find(name);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

// Null when the line is no letter. Depth is what a hostile line could spend our stack on.
Json letter_of(std::string_view line) {
    constexpr int kDeepest = 8;
    const auto shallow = [](int depth, Json::parse_event_t, Json&) { return depth <= kDeepest; };
    Json json = Json::parse(line, shallow, false);
    if (!json.is_object() || !json.contains("seq") || !json.at("seq").is_number_integer()) return nullptr;
    if (!json.contains("samples") || !json.at("samples").is_array()) return nullptr;
    return json;
}

// As the API shows it: without the block, which repeats the samples for machines.
Json shown(Json letter, const std::string& task_code, bool waits) {
    const auto sink_code = text_of(letter, "sink_code");
    const auto seq = letter.at("seq");
    return {{"id", fmt::format("{}/{}/{}", task_code, sink_code, seq.dump())},
            {"task_code", task_code},
            {"sink_code", sink_code},
            {"state", waits ? "retrying" : "dead"},
            {"seq", seq},
            {"rejected_at", text_of(letter, "rejected_at")},
            {"reason", text_of(letter, "reason")},
            {"samples", std::move(letter.at("samples"))}};
}

// ASCII letters only, as everywhere: other scripts have no case to ignore.
bool contains_ignoring_case(std::string_view text, std::string_view part) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
    return std::search(text.begin(), text.end(), part.begin(), part.end(),
                       [&](char a, char b) { return lower(a) == lower(b); }) != text.end();
}

// At a character's boundary.
std::string cut_text(std::string text, std::size_t most) {
    if (text.size() <= most) return text;
    while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xC0) == 0x80) --most;
    text.resize(most);
    return text;
}

bool fits(const Json& letter, std::string_view task_code, std::string_view q) {
    return q.empty() || contains_ignoring_case(task_code, q) ||
           contains_ignoring_case(text_of(letter, "sink_code"), q) ||
           contains_ignoring_case(text_of(letter, "reason"), q);
}

// Texts count by their beginning: a reason may be long. The id ends in the number of the delivery, in as many
// digits as it takes for texts to be in the order of numbers.
DeadLetterPlace place_of(const Json& letter, const std::string& task_code, const std::string& sort) {
    constexpr std::size_t kLongestValue = 256;
    const auto value = sort == "task_code" ? task_code : text_of(letter, sort.c_str());
    return {cut_text(value, kLongestValue),
            fmt::format("{}/{}/{:0>20}", task_code, cut_text(text_of(letter, "sink_code"), kLongestValue),
                        letter.at("seq").dump())};
}

// Calls `take(letter)` for every letter of a file and its older part, newest first, until it answers false.
template <class Take>
void each_letter(const std::string& path, Take take) {
    BackwardLines lines{path};
    while (const auto line = lines.next()) {
        if (!take(*line, lines)) return;
    }
}

void count_letters(const std::string& path, DeadLetterChange& change) {
    each_letter(path, [&](std::string_view line, const BackwardLines&) {
        const auto letter = letter_of(line);
        if (letter.is_null()) return true;
        ++change.letters;
        change.samples += letter.at("samples").size();
        return true;
    });
}

// Moves without writing over anything. False with errno: it did not.
bool move_file(const std::string& from, const std::string& to) {
    return ::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0;
}

}  // namespace

DeadLetterPage list_dead_letters(const std::string& data_dir, std::span<const std::string> tasks,
                                 const DeadLetterQuery& query) {
    struct Found {
        DeadLetterPlace place;
        std::string line;
        const std::string* task = nullptr;
        bool waits = false;
    };
    const auto first = [&](const DeadLetterPlace& a, const DeadLetterPlace& b) {
        const auto left = std::tie(a.value, a.id);
        const auto right = std::tie(b.value, b.id);
        return query.descending ? right < left : left < right;
    };
    const auto comes_first = [&](const Found& a, const Found& b) { return first(a.place, b.place); };
    DeadLetterPage out;
    std::vector<Found> kept;  // a heap: the last of those kept is its front
    // One more than the page tells whether more follow.
    const auto skipped = query.after ? 0 : (query.page - 1) * query.page_size;
    const auto most = skipped + query.page_size + 1;
    std::uint64_t read = 0;
    const auto look = [&](const std::string& path, const std::string& task, bool waits) {
        std::uint64_t before = 0;
        each_letter(path, [&](std::string_view line, const BackwardLines& lines) {
            read += lines.bytes_read() - before;
            before = lines.bytes_read();
            const auto letter = letter_of(line);
            if (letter.is_null()) {
                ++out.damaged;
                return read < kMostDeadLetterBytes;
            }
            if (!fits(letter, task, query.q)) return read < kMostDeadLetterBytes;
            ++out.total;
            auto place = place_of(letter, task, query.sort);
            if (query.after && !first(*query.after, place)) return read < kMostDeadLetterBytes;
            kept.push_back({std::move(place), std::string{line}, &task, waits});
            std::push_heap(kept.begin(), kept.end(), comes_first);
            if (kept.size() > most) {
                std::pop_heap(kept.begin(), kept.end(), comes_first);
                kept.pop_back();
            }
            return read < kMostDeadLetterBytes;
        });
    };
    for (const auto& task : tasks) {
        for (const auto& files : files_of(data_dir, task, query.scope.sink_code)) {
            if (read >= kMostDeadLetterBytes) break;
            look(files.path, task, false);
            for (auto waiting = files.waiting.rbegin(); waiting != files.waiting.rend(); ++waiting) {
                if (read < kMostDeadLetterBytes) look(waiting->second, task, true);
            }
        }
    }
    out.complete = read < kMostDeadLetterBytes;
    std::sort(kept.begin(), kept.end(), comes_first);
    if (kept.size() == most) {
        kept.pop_back();
        out.last = kept.back().place;
    }
    for (auto i = skipped; i < kept.size(); ++i) {
        out.items.push_back(shown(letter_of(kept[i].line), *kept[i].task, kept[i].waits));
    }
    return out;
}

Result<DeadLetterChange> retry_dead_letters(const std::string& data_dir, const std::string& task_code,
                                            const std::string& sink_code) {
    DeadLetterChange change;
    change.task_code = task_code;
    for (const auto& files : files_of(data_dir, task_code, sink_code)) {
        auto number = files.waiting.empty() ? 0 : files.waiting.back().first;
        // The older part first: it is delivered first.
        for (const auto& part : {files.path + ".1", files.path}) {
            if (::access(part.c_str(), F_OK) != 0) continue;
            if (files.waiting.size() >= kMostWaiting) {
                return make_error(
                    ErrorKind::kBusy,
                    fmt::format("task {}: {} files of dead letters wait already to be delivered again; "
                                "start the task, or see why its sink does not take them",
                                task_code, files.waiting.size()));
            }
            const auto waiting = fmt::format("{}{}{}", files.path, kRetry, ++number);
            if (!move_file(part, waiting)) {
                if (errno == ENOENT) continue;  // the worker has just moved it
                return make_error(ErrorKind::kIo,
                                  fmt::format("cannot move {} to {}: {}", part, waiting, errno_text(errno)));
            }
            count_letters(waiting, change);
        }
    }
    return change;
}

Result<DeadLetterChange> clear_dead_letters(const std::string& data_dir, const std::string& task_code,
                                            const std::string& sink_code) {
    DeadLetterChange change;
    change.task_code = task_code;
    for (const auto& files : files_of(data_dir, task_code, sink_code)) {
        count_letters(files.path, change);
        std::vector<std::string> parts{files.path, files.path + ".1"};
        for (const auto& [number, path] : files.waiting) {
            count_letters(path, change);
            parts.push_back(path);
        }
        for (const auto& part : parts) {
            if (::unlink(part.c_str()) == 0 || errno == ENOENT) continue;
            return make_error(ErrorKind::kIo, fmt::format("cannot remove {}: {}", part, errno_text(errno)));
        }
    }
    return change;
}

}  // namespace fieldwarden::supervisor
