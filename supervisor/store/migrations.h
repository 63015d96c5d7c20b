// The schema of state.db. Numbered migrations build everything except the tables of the configuration: those
// take their columns from plant/schema.h and grow with it.
#pragma once

#include "common/sqlite.h"

namespace fieldwarden::supervisor {

inline constexpr std::int64_t kStoreSchemaVersion = 5;
// PRAGMA application_id of our files ("FWst"), so that another program's database is not taken for ours.
inline constexpr std::int64_t kStoreApplicationId = 0x46577374;

// Brings the database to kStoreSchemaVersion, each step in a transaction of its own. Refuses a newer schema
// and a database of another program.
Status migrate_store(SqlDatabase& database);

}  // namespace fieldwarden::supervisor
