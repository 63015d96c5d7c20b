// The tables in the schema `fieldwarden` of the database, and whose they are.
#pragma once

#include "supervisor/store/postgres/connection.h"

namespace fieldwarden::supervisor::postgres {

inline constexpr int kSchemaVersion = 1;

// One supervisor at a time has the store: it holds an advisory lock for as long as its connection lives, and
// so the lock ends with the program, however that ends. Waits up to `patience` for one that is leaving. What
// an earlier connection of this very opening still holds is ended. kConflict names who has the store.
Status take_ownership(Connection& connection, const Address& address, std::chrono::milliseconds patience);

// Makes what is missing, step by step, in one transaction. The caller owns the store, so that nobody else
// does the same. kInvalidArgument, and nothing changed: a newer Fieldwarden wrote it.
Status migrate(Connection& connection);
// That the schema is still the one of this program: for connections that are made again.
Status check_version(Connection& connection);

}  // namespace fieldwarden::supervisor::postgres
