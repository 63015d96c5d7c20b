#include "worker/sinks/tdengine/names.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "common/hash.h"

namespace fieldwarden::worker::tdengine {

namespace {

constexpr std::size_t kChecksum = 9;  // "_" and eight digits
constexpr std::size_t kLongestSuffix = 5;

bool is_lower_or_digit(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::string with_checksum(std::string name, std::string_view of, std::size_t longest) {
    name.resize(std::min(name.size(), longest - kChecksum));
    return name + fmt::format("_{:08x}", crc32c(std::as_bytes(std::span{of})));
}

// As the realtime rows name a device's points: "D1_temp" and "D1.temp" of device D1 are "temp".
std::string_view without_device(std::string_view device_code, std::string_view point_code) {
    if (!point_code.starts_with(device_code)) return point_code;
    const auto rest = point_code.substr(device_code.size());
    const bool separated =
        rest.size() > 1 && (rest.front() == '_' || rest.front() == '.' || rest.front() == '-');
    return separated ? rest.substr(1) : point_code;
}

// Table names keep their case; what may stand in back-quotes without any doubt stays.
std::string table_name(std::string name) {
    const auto before = name;
    const auto replaced = [](char c) { return !is_letter(c) && !is_lower_or_digit(c) && c != '-'; };
    std::replace_if(name.begin(), name.end(), replaced, '_');
    if (name == before && name.size() <= kLongestTable) return name;
    return with_checksum(std::move(name), before, kLongestTable);
}

std::string column_with_checksum(std::string name, std::string_view point_code) {
    return with_checksum(std::move(name), point_code, kLongestColumn - kLongestSuffix);
}

}  // namespace

std::string super_table_of(const PointIdentity& point) {
    if (!point.stable_name.empty()) return table_name(point.stable_name);
    if (!point.type_code.empty()) return table_name("st_" + point.type_code);
    return "st_points";
}

std::string table_of(std::string_view device_code) {
    return table_name(fmt::format("t_{}", device_code));
}

std::string table_of(std::string_view device_code, std::string_view super_table) {
    return with_checksum(table_of(device_code), super_table, kLongestTable);
}

std::string column_of(std::string_view device_code, std::string_view point_code) {
    std::string name{without_device(device_code, point_code)};
    std::transform(name.begin(), name.end(), name.begin(), lower);
    // A '.' or '-' between words is as good as a '_'; other characters would leave too little of a name.
    bool exact = std::all_of(name.begin(), name.end(),
                             [](char c) { return is_lower_or_digit(c) || c == '.' || c == '-'; });
    std::replace_if(
        name.begin(), name.end(), [](char c) { return !is_lower_or_digit(c); }, '_');
    if (name.empty() || !is_letter(name.front())) {
        name = "p_" + name;
        exact = false;
    }
    const bool ours = name == kTime || name == kDeviceCodeTag || name == kNameTag || name == "tbname" ||
                      name.ends_with(kQualitySuffix) || name.ends_with(kTextSuffix) ||
                      name.ends_with(kNumberSuffix);
    if (exact && !ours && name.size() <= kLongestColumn - kLongestSuffix) return name;
    return column_with_checksum(std::move(name), point_code);
}

ColumnNames name_columns(const PointDirectory& directory) {
    std::map<std::pair<std::string_view, std::string>, std::vector<PointId>> columns;
    for (const auto& [id, point] : directory) {
        columns[{point.device_code, column_of(point.device_code, point.point_code)}].push_back(id);
    }
    ColumnNames names;
    for (auto& [key, ids] : columns) {
        // The same point may be in a directory under several numbers: removed and made anew.
        const auto& first = directory.at(ids.front()).point_code;
        const bool shared = std::any_of(ids.begin(), ids.end(),
                                        [&](auto id) { return directory.at(id).point_code != first; });
        for (const auto id : ids) {
            names[id] = shared ? column_with_checksum(key.second, directory.at(id).point_code) : key.second;
        }
    }
    return names;
}

std::string back_quoted(std::string_view name) {
    return fmt::format("`{}`", name);
}

void append_text(std::string& out, std::string_view text) {
    out += '\'';
    for (const char c : text) {
        switch (c) {
            case '\0':
                break;
            case '\'':
                out += "\\'";
                break;
            case '\\':
                out += "\\\\";
                break;
            case '\n':
                out += "\\n";
                break;
            case '\r':
                out += "\\r";
                break;
            case '\t':
                out += "\\t";
                break;
            default:
                out += c;
        }
    }
    out += '\'';
}

bool is_plain_name(std::string_view name) {
    return !name.empty() && name.size() <= 64 && (is_letter(name.front()) || name.front() == '_') &&
           std::all_of(name.begin(), name.end(), [](char c) { return is_letter(c) || is_lower_or_digit(c); });
}

std::size_t characters(std::string_view utf8) {
    return static_cast<std::size_t>(std::count_if(
        utf8.begin(), utf8.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

}  // namespace fieldwarden::worker::tdengine
