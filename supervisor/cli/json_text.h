// Reading the server's answers without trusting their shape: a member that is missing or of another type
// gives an empty or zero value instead of an exception.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace fieldwarden::supervisor::cli {

using Json = nlohmann::json;

// null when there is no such member.
const Json& member(const Json& json, std::string_view name);
// Strings as they are, null as "", anything else as JSON.
std::string text_of(const Json& value);
std::string text_of(const Json& json, std::string_view name);
double number_of(const Json& json, std::string_view name);
bool flag_of(const Json& json, std::string_view name);
// The entries of `items` (or `results`), or of the array itself.
std::vector<Json> items_of(const Json& json);
// How many: a number as it is, an array or object by its size.
std::size_t count_of(const Json& value);
// What an item of an action result says went wrong; "" when it did not.
std::string problem_of(const Json& item);

// "2026-11-22T13:40:27.123Z" as "2026-11-22 13:40:27" in the local time zone; other text as it is.
std::string local_time(const std::string& rfc3339);
// 93 784 s → "1d 2h".
std::string short_span(double seconds);
// 1234567 → "1.2M".
std::string short_number(double number);
std::string dumped(const Json& json);  // one line, bytes that are no UTF-8 replaced

}  // namespace fieldwarden::supervisor::cli
