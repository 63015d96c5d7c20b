// How long devices were in which state, by day.
#include "supervisor/store/sqlite_rows.h"
#include "supervisor/store/sqlite_store.h"

namespace fieldwarden::supervisor {

namespace {

std::int64_t number_of(std::chrono::sys_days day) {
    return day.time_since_epoch().count();
}

}  // namespace

Status SqliteStore::put_state_times(const std::vector<StateTime>& rows) {
    return write(Sync::kNormal, [&](SqlDatabase& database) -> Status {
        auto statement = database.prepare(
            "INSERT INTO state_times VALUES (?, ?, ?, ?) ON CONFLICT (day, device_code, state) "
            "DO UPDATE SET spent = excluded.spent");
        if (!statement) return statement.error();
        for (const auto& row : rows) {
            statement->bind(number_of(row.day), row.device, row.state, row.spent.count());
            if (const auto done = statement->run(); !done) return done;
            statement->rewind();
        }
        return {};
    });
}

Result<std::vector<StateTime>> SqliteStore::state_times(const std::vector<std::string>& devices,
                                                        std::chrono::sys_days day) {
    return read([&](SqlDatabase& database) -> Result<std::vector<StateTime>> {
        std::vector<StateTime> found;
        auto rows = database.prepare(
            "SELECT day, device_code, state, spent FROM state_times WHERE day = ? AND device_code = ?");
        if (!rows) return rows.error();
        for (const auto& device : devices) {
            auto of_device = collect(rows->bind(number_of(day), device), "state time", read_state_time);
            if (!of_device) return of_device.error();
            std::ranges::move(*of_device, std::back_inserter(found));
            rows->rewind();
        }
        return found;
    });
}

Result<std::vector<StateTime>> SqliteStore::state_times_since(std::chrono::sys_days day) {
    return read([&](SqlDatabase& database) -> Result<std::vector<StateTime>> {
        auto rows = database.prepare(
            "SELECT day, device_code, state, spent FROM state_times WHERE day >= ? "
            "ORDER BY day, device_code, state");
        if (!rows) return rows.error();
        return collect(rows->bind(number_of(day)), "state time", read_state_time);
    });
}

Status SqliteStore::prune_state_times(std::chrono::sys_days before) {
    return write(Sync::kNormal, [&](SqlDatabase& database) {
        return run(database, "DELETE FROM state_times WHERE day < ?", number_of(before));
    });
}

}  // namespace fieldwarden::supervisor
