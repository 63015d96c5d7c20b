// How devices, types and points are called in TDengine, and how SQL writes names and texts. Pure.
//
// Names are always written in back-quotes (TDengine 3 documentation, "Naming Conventions"): case is kept and
// reserved words are allowed. A name that had to be changed to fit ends in a checksum of what it was, so that
// two different names never become one, and it is the same in every process.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "worker/sinks/sink.h"

namespace fieldwarden::worker::tdengine {

inline constexpr std::size_t kLongestColumn = 64;  // bytes
inline constexpr std::size_t kLongestTable = 192;
inline constexpr std::string_view kTime = "ts";  // the first column of every super table
inline constexpr std::string_view kDeviceCodeTag = "device_code";
inline constexpr std::string_view kNameTag = "name";
// Columns that belong to a point's own one: its quality, texts of a point of numbers, numbers that do not
// fit.
inline constexpr std::string_view kQualitySuffix = "_q";
inline constexpr std::string_view kTextSuffix = "_text";
inline constexpr std::string_view kNumberSuffix = "_num";

// "st_pump", the type's stable_name, or "st_points" for a device without a type.
std::string super_table_of(const PointIdentity& point);
// "t_<device_code>"
std::string table_of(std::string_view device_code);
// "t_<device_code>_<checksum>": for a device whose plain name is taken by a table of another super table,
// because its type was changed.
std::string table_of(std::string_view device_code, std::string_view super_table);
// The point's code without its device's as prefix, in lower case, of letters, digits and '_'.
std::string column_of(std::string_view device_code, std::string_view point_code);

// The column of every point of a directory. Points of one device whose codes differ by case or by the prefix
// alone would share a column: all of them get checksums.
using ColumnNames = std::map<PointId, std::string>;
ColumnNames name_columns(const PointDirectory& directory);

// `name` in back-quotes. It comes from the functions above, so it holds none.
std::string back_quoted(std::string_view name);
// A text literal (documentation, "Escape Characters"): in single quotes, which are escaped like backslashes
// and line breaks. A NUL, at which a text would end, is left out.
void append_text(std::string& out, std::string_view text);

// Letters, digits and '_', not beginning with a digit, 64 bytes at most: what the database option may be.
bool is_plain_name(std::string_view name);
// Characters as NCHAR counts them.
std::size_t characters(std::string_view utf8);

}  // namespace fieldwarden::worker::tdengine
