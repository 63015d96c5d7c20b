// A store seen as tables of rows: what is copied from and to. One implementation per kind of store.
//
// Threads: one at a time. Errors name the store, never its password.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "common/result.h"
#include "supervisor/store/transfer/tables.h"

namespace fieldwarden::supervisor::transfer {

class RowSource {
  public:
    virtual ~RowSource() = default;
    // Every row, in the order of the key; stops at the first error of `take`.
    virtual Status read(const Table& table, const std::function<Status(const Row&)>& take) = 0;
    virtual Result<std::int64_t> last_id(const Table& table) = 0;
    virtual Result<std::int64_t> revision() = 0;
};

class RowTarget {
  public:
    virtual ~RowTarget() = default;
    virtual Status write(const Table& table, const Row& row) = 0;
    virtual Status set_last_id(const Table& table, std::int64_t id) = 0;
    virtual Status set_revision(std::int64_t revision) = 0;
    // Until then nothing of it is there, also when the program ends before.
    virtual Status commit() = 0;
};

// `name` is a path of an SQLite file or a URL of PostgreSQL, as in `server.store`.
//
// A source gives the state of one moment, also while a supervisor works with the store. With kAlone a
// database is opened only if none does, and none can until the source is closed; whose a file is, the lock of
// its data directory says, which the caller takes. kInvalidArgument: of another version.
enum class Sharing : std::uint8_t { kShared, kAlone };
Result<std::unique_ptr<RowSource>> open_row_source(const std::string& name, Sharing sharing);
// Makes the tables. kConflict, and nothing changed: it holds something already, or a supervisor works with
// it.
Result<std::unique_ptr<RowTarget>> open_row_target(const std::string& name);

// Its parts, by kind of store.
Result<std::unique_ptr<RowSource>> open_sqlite_source(const std::string& path);
Result<std::unique_ptr<RowTarget>> open_sqlite_target(const std::string& path);
Result<std::unique_ptr<RowSource>> open_postgres_source(const std::string& url, Sharing sharing);
Result<std::unique_ptr<RowTarget>> open_postgres_target(const std::string& url);

}  // namespace fieldwarden::supervisor::transfer
