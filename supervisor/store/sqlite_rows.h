// How the rows of state.db map to values; used by the two halves of the SQLite store.
#pragma once

#include "common/sqlite.h"
#include "supervisor/store/store.h"

namespace fieldwarden::supervisor {

Status insert_audit(SqlDatabase& database, const AuditEntry& entry);

}  // namespace fieldwarden::supervisor
