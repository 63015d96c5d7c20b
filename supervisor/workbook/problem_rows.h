// The rows that problems are about, as the workbook has them: a person finds a wrong cell by its neighbours.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proto/shapes.h"
#include "supervisor/workbook/problems.h"
#include "supervisor/workbook/table.h"

namespace fieldwarden::supervisor {

inline constexpr std::size_t kMostProblemRows = 200;      // of the first problems
inline constexpr std::size_t kMostCellsOfRow = 40;        // beyond them it is no row that people compare
inline constexpr std::size_t kLongestNeighbourText = 80;  // bytes

struct NeighbourCell {
    std::string cell;    // "D17"
    std::string column;  // the header as the workbook writes it; "" where there is none
    std::string text;    // shortened; secrets masked
};
// By sheet and row number: errors first, then warnings, up to kMostProblemRows.
using ProblemRows = std::map<std::pair<std::string, std::uint32_t>, std::vector<NeighbourCell>>;
ProblemRows problem_rows(const Workbook& workbook, const Problems& problems);

// Gives each of `list`, which is to_json() of problems, its "row_cells": [{"cell", "column", "text"}, …], as
// far as its row is there.
void put_row_cells(proto::Json& list, const ProblemRows& rows);

}  // namespace fieldwarden::supervisor
