// From what a person typed to the canonical text of a field (plant/schema.h), one cell at a time.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "supervisor/plant/schema.h"
#include "supervisor/workbook/language.h"
#include "supervisor/workbook/problems.h"
#include "supervisor/workbook/table.h"

namespace fieldwarden::supervisor {

// A problem of one record, before anyone knows in which row it stands.
struct Finding {
    std::size_t field = 0;  // position in the kind's schema
    ProblemCode code = ProblemCode::kBadValue;
    std::string message;
    std::string value = {};  // masked and shortened when it is shown
};
using Findings = std::vector<Finding>;

// Sets `out` to the canonical text; leaves it empty and adds a finding when the cell cannot be understood. A
// blank cell gives "". Does not look at anything outside the cell.
void canonical_cell(const Field& field, std::size_t position, const Cell& cell, Language language,
                    std::string& out, Findings& findings);

// The same for a value without a spreadsheet: typed text.
void canonical_text(const Field& field, std::size_t position, std::string_view text, Language language,
                    std::string& out, Findings& findings);

}  // namespace fieldwarden::supervisor
