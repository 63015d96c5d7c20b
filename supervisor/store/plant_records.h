// What every kind of store says of the configuration's records in the same way.
#pragma once

#include <string>
#include <string_view>

#include "supervisor/plant/plant.h"
#include "supervisor/plant/schema.h"

namespace fieldwarden::supervisor {

// `, "device_code", "device_name", …`: the columns behind the id.
std::string quoted_columns(const KindSchema& schema);

// Takes a record read from `store`; kCorrupt when its code is empty or there already.
Status add_loaded(Records& records, Record record, const KindSchema& schema, std::string_view store);
// kInvalidArgument when it does not have a code and a cell for each field.
Status check_record(const KindSchema& schema, const Record& record);
// kTooLarge when no number is left for points: theirs have 32 bits on their way through the system.
Status check_id(Kind kind, std::int64_t id);

// kConflict: the change was made against another revision than the store's.
Error stale_revision(std::uint64_t stored, std::uint64_t expected);

}  // namespace fieldwarden::supervisor
