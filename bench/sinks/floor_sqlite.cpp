#include <fmt/format.h>
#include <sqlite3.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>

#include "bench/sinks/floors.h"

namespace fieldwarden::bench {

namespace {

using Steady = std::chrono::steady_clock;

constexpr std::size_t kRowsPerTransaction = 10'000;  // the history's largest delivery

class Database {
  public:
    explicit Database(const std::string& path) {
        if (sqlite3_open(path.c_str(), &handle_) != SQLITE_OK) give_up("open");
    }
    ~Database() {
        sqlite3_finalize(insert_);
        sqlite3_close(handle_);
    }
    Database(const Database&) = delete;
    Database& operator=(const Database&) = delete;

    void execute(const char* sql) {
        if (sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) give_up(sql);
    }
    void prepare_insert(const char* sql) {
        if (sqlite3_prepare_v2(handle_, sql, -1, &insert_, nullptr) != SQLITE_OK) give_up(sql);
    }
    void insert(const Sample& sample) {
        sqlite3_bind_int64(insert_, 1, sample.point);
        sqlite3_bind_int64(insert_, 2, sample.time.time_since_epoch().count());
        sqlite3_bind_double(insert_, 3, std::get<double>(sample.value));
        sqlite3_bind_int(insert_, 4, static_cast<int>(sample.quality));
        if (sqlite3_step(insert_) != SQLITE_DONE) give_up("a row");
        sqlite3_reset(insert_);
    }

  private:
    [[noreturn]] void give_up(const char* what) {
        fmt::print(stderr, "bench_sinks: sqlite: {}: {}\n", what, sqlite3_errmsg(handle_));
        std::exit(1);
    }

    sqlite3* handle_ = nullptr;
    sqlite3_stmt* insert_ = nullptr;
};

}  // namespace

double write_to_sqlite(const Plant& plant, const std::string& folder, bool keyed) {
    std::vector<SampleBatch> scans;
    for (unsigned number = 0; number < plant.scans; ++number) {
        for (unsigned device = 0; device < plant.devices; ++device)
            scans.push_back(plant.scan(device, number, plant.time_of(device, number)));
    }
    const auto path = folder + "/floor.db";
    for (const char* suffix : {"", "-wal", "-shm"}) ::unlink((path + suffix).c_str());
    double seconds = 0;
    {
        Database database{path};
        // As common/history is opened.
        for (const char* pragma : {"PRAGMA auto_vacuum=INCREMENTAL", "PRAGMA journal_mode=WAL",
                                   "PRAGMA synchronous=FULL", "PRAGMA cache_size=-512"})
            database.execute(pragma);
        database.execute(
            keyed ? "CREATE TABLE samples (point INTEGER, ts INTEGER, value REAL, quality INTEGER, "
                    "PRIMARY KEY (point, ts)) WITHOUT ROWID"
                  : "CREATE TABLE samples (point INTEGER, ts INTEGER, value REAL, quality INTEGER)");
        database.prepare_insert("INSERT INTO samples VALUES (?, ?, ?, ?)");
        const auto begun = Steady::now();
        std::size_t open = 0;
        for (const auto& scan : scans) {
            if (open == 0) database.execute("BEGIN");
            for (const auto& sample : scan) database.insert(sample);
            open += scan.size();
            if (open < kRowsPerTransaction) continue;
            database.execute("COMMIT");
            open = 0;
        }
        if (open > 0) database.execute("COMMIT");
        seconds = std::chrono::duration<double>(Steady::now() - begun).count();
    }
    for (const char* suffix : {"", "-wal", "-shm"}) ::unlink((path + suffix).c_str());
    return seconds;
}

}  // namespace fieldwarden::bench
