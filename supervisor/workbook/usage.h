// Which records of a plant serve a purpose.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "supervisor/plant/plant.h"
#include "supervisor/workbook/record_checks.h"

namespace fieldwarden::supervisor {

// Per kind and position: whether something needs the record. Sites and types: a device; devices: a point;
// points and sinks: a task. Tasks are left empty, nothing refers to them.
using UsedRecords = std::array<std::vector<bool>, kKindCount>;
UsedRecords find_used(const Plant& plant, RecordChecks& checks);

// "12 points are in no task …: A, B, C".
std::string unused_message(Kind kind, std::size_t count, std::string_view codes, Language language);

}  // namespace fieldwarden::supervisor
