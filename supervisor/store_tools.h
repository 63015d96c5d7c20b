// `fieldwarden backup`, `restore` and `migrate-store`: they work on the store itself and need no running
// supervisor; `restore` goes through one that runs. argv[0] is the verb. Exit codes: 0 done, 1 failed and
// nothing was changed, 2 wrong usage.
#pragma once

namespace fieldwarden::supervisor {

// A backup is one SQLite file: the tables of the store as of one moment (store/transfer/tables.h), and in
// `history_files` which files of the embedded history there were. It holds secrets of devices and sinks; only
// its owner may read it.
int backup_main(int argc, char** argv);
// While a supervisor runs on the data directory: the configuration alone, through it (restore_running.h).
// Refused while one has the database.
int restore_main(int argc, char** argv);
// Likewise refused while a supervisor works with either of the two.
int migrate_store_main(int argc, char** argv);

}  // namespace fieldwarden::supervisor
