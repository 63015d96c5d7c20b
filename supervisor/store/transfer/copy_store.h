// Copies everything of one store into another, empty one.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "supervisor/store/transfer/row_store.h"

namespace fieldwarden::supervisor::transfer {

// Rows by table, in the order of tables().
using Copied = std::vector<std::pair<std::string, std::uint64_t>>;

// All or nothing. The copy is committed when this returns it.
Result<Copied> copy_store(RowSource& from, RowTarget& to);

}  // namespace fieldwarden::supervisor::transfer
