// Options cells: `key=value; key=value` or a flat JSON object (CONTRACT 2). Keys are lower-cased; values keep
// their text. A quoted value ("a; b") may hold the separators.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "common/result.h"

namespace fieldwarden {

using Options = std::map<std::string, std::string, std::less<>>;

// Refuses a part without '=', an empty key, a key given twice, a nested JSON value.
Result<Options> parse_options(std::string_view text);
// The canonical `key=value; key=value` form: sorted by key, quoted where needed. parse_options reads it back.
std::string format_options(const Options& options);

}  // namespace fieldwarden
