// The table of processes that status and top show.
#pragma once

#include <vector>

#include "supervisor/cli/json_text.h"
#include "supervisor/cli/table.h"

namespace fieldwarden::supervisor::cli {

Style style_of_process(const std::string& status);
Style style_of_health(const std::string& status);
Style style_of_level(const std::string& level);
// ProcessStatus items, one row each.
Table process_table(const std::vector<Json>& processes);

}  // namespace fieldwarden::supervisor::cli
