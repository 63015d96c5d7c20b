// The table in the database: made when it is missing, checked when it is there, and its partitions.
//
// Both run inside the caller's transaction, under an advisory lock that ends with it: of several workers that
// start at once one makes the table and the others find it.
#pragma once

#include <chrono>
#include <string>

#include "worker/sinks/postgres/session.h"

namespace fieldwarden::worker::postgres {

// `daily`: the table is ours and natively partitioned, so that days need partitions. A hypertable, a plain
// table and one that somebody partitioned in his own way do not.
Outcome ensure_table(Session& session, const TableName& table, bool& daily);

// Days that get a partition of their own: a clock that is wrong by years must not make thousands of them.
// Samples of other days go to the default partition.
bool has_partition(std::chrono::sys_days day, UtcTime now);

// A partition that is there already, made by anybody, is success. So is a day whose samples are in the
// default partition already: they stay there, and the new ones join them; the transaction is then a new one.
Outcome ensure_partition(Session& session, const TableName& table, std::chrono::sys_days day);

}  // namespace fieldwarden::worker::postgres
