// Character sets of files that do not say which one they use.
#pragma once

#include <string>
#include <string_view>

#include "common/result.h"

namespace fieldwarden::supervisor {

// `from` as iconv names it. kCorrupt when a byte sequence does not exist in that set.
Result<std::string> to_utf8(std::string_view bytes, const char* from);

}  // namespace fieldwarden::supervisor
