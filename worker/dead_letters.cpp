#include "worker/dead_letters.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "common/node_id.h"
#include "common/sample_block.h"
#include "proto/shapes.h"

namespace fieldwarden::worker {

using proto::Json;

namespace {

Json sample_line(const Sample& sample, const PointIdentity* point) {
    Json line =
        proto::point_json(point != nullptr ? point->point_code : std::to_string(sample.point), sample);
    line["point_id"] = sample.point;
    if (point == nullptr) return line;
    line["site_code"] = point->site_code;
    line["device_code"] = point->device_code;
    line["device_name"] = point->device_name;
    line["type_code"] = point->type_code;
    line["unit"] = point->unit;
    line["data_type"] = format_data_type(point->data_type);
    line["stable_name"] = point->stable_name;
    return line;
}

std::string text_of(const Json& object, const char* name) {
    const auto found = object.find(name);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

// Depth is what a hostile line could spend our stack on; a letter has three levels.
Json parse_line(std::string_view line) {
    constexpr int kDeepest = 8;
    const auto shallow = [](int depth, Json::parse_event_t, Json&) { return depth <= kDeepest; };
    return Json::parse(line, shallow, false);
}

}  // namespace

Result<DeadLetter> parse_dead_letter(std::string_view line) {
    const auto refuse = [](const char* why) {
        return make_error(ErrorKind::kInvalidArgument,
                          fmt::format("a line of the dead letters cannot be delivered again: {}", why));
    };
    const Json json = parse_line(line);
    if (!json.is_object()) return refuse("it is no JSON object, or only a part of one");
    DeadLetter letter;
    if (const auto seq = json.find("seq"); seq != json.end() && seq->is_number_unsigned()) {
        letter.seq = seq->get<std::uint64_t>();
    }
    const auto binary = decode_base64(text_of(json, "block"));
    if (!binary || binary->empty()) return refuse("it has no block of samples");
    letter.block.resize(binary->size());
    std::memcpy(letter.block.data(), binary->data(), binary->size());
    if (auto decoded = decode_sample_block(letter.block, letter.samples); !decoded) {
        return refuse("its block of samples is damaged");
    }
    const auto samples = json.find("samples");
    if (samples == json.end() || !samples->is_array()) return letter;
    for (const auto& sample : *samples) {
        if (!sample.is_object() || !sample.contains("site_code")) continue;
        const auto id = sample.find("point_id");
        if (id == sample.end() || !id->is_number_unsigned()) continue;
        const auto number = id->get<std::uint64_t>();
        const auto type = parse_data_type(text_of(sample, "data_type"));
        if (!type || number > std::numeric_limits<PointId>::max()) continue;
        letter.points.insert_or_assign(
            static_cast<PointId>(number),
            PointIdentity{text_of(sample, "site_code"), text_of(sample, "device_code"),
                          text_of(sample, "device_name"), text_of(sample, "type_code"),
                          text_of(sample, "point_code"), text_of(sample, "unit"), *type,
                          text_of(sample, "stable_name")});
    }
    return letter;
}

DeadLetters::DeadLetters(std::string path, std::uint64_t max_bytes)
    : file_(std::move(path), {max_bytes / 2, 2}) {}

Status DeadLetters::add(const std::string& sink_code, const DeliveryRecord& record,
                        const PointDirectory* directory, const std::string& reason, UtcTime now) {
    Json samples = Json::array();
    for (const auto& sample : record.samples) {
        const PointIdentity* point = nullptr;
        if (directory != nullptr) {
            const auto found = directory->find(sample.point);
            if (found != directory->end()) point = &found->second;
        }
        samples.push_back(sample_line(sample, point));
    }
    const std::string_view block{reinterpret_cast<const char*>(record.block.data()), record.block.size()};
    const Json letter = {
        {"seq", record.seq}, {"sink_code", sink_code},        {"rejected_at", format_rfc3339(now)},
        {"reason", reason},  {"block", encode_base64(block)}, {"samples", std::move(samples)}};
    return file_.write_line(letter.dump(-1, ' ', false, Json::error_handler_t::replace));
}

DeadLetters::Census DeadLetters::count() const {
    std::vector<std::string> files;
    for (auto& [number, path] : waiting_files()) files.push_back(std::move(path));
    files.push_back(file_.path() + ".1");
    files.push_back(file_.path());
    Census census;
    for (const auto& path : files) {
        std::ifstream file{path};
        for (std::string line; std::getline(file, line);) {
            const Json json = parse_line(line);
            if (!json.is_object()) continue;
            const auto samples = json.find("samples");
            if (samples == json.end() || !samples->is_array()) continue;
            census.samples += samples->size();
            census.last_reason = text_of(json, "reason");
        }
    }
    return census;
}

std::string DeadLetters::fingerprint() const {
    std::string print;
    const auto add = [&](const std::string& path) {
        struct stat info {};
        // With its name: letters that are to be delivered again are a file that was renamed.
        if (::stat(path.c_str(), &info) == 0) print += fmt::format("{}={};", path, info.st_ino);
    };
    add(file_.path());
    add(file_.path() + ".1");
    for (const auto& [number, path] : waiting_files()) add(path);
    return print;
}

std::string DeadLetters::waiting() const {
    const auto files = waiting_files();
    return files.empty() ? std::string{} : files.front().second;
}

// Oldest first.
std::vector<std::pair<std::uint64_t, std::string>> DeadLetters::waiting_files() const {
    const std::filesystem::path path{file_.path()};
    const auto prefix = path.filename().string() + ".retry.";
    std::vector<std::pair<std::uint64_t, std::string>> files;
    std::error_code failed;
    std::filesystem::directory_iterator entries{path.parent_path(), failed};
    for (; !failed && entries != std::filesystem::directory_iterator{}; entries.increment(failed)) {
        const auto name = entries->path().filename().string();
        if (!name.starts_with(prefix)) continue;
        std::uint64_t number = 0;
        const auto* end = name.data() + name.size();
        const auto read = std::from_chars(name.data() + prefix.size(), end, number);
        if (read.ec == std::errc{} && read.ptr == end) files.emplace_back(number, entries->path().string());
    }
    std::sort(files.begin(), files.end());
    return files;
}

}  // namespace fieldwarden::worker
