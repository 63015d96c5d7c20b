// How long devices were in which state, by day.
#include <map>

#include "supervisor/store/postgres/postgres_store.h"
#include "supervisor/store/postgres/rows.h"

namespace fieldwarden::supervisor {

using namespace postgres;

namespace {

constexpr std::size_t kSlice = 5'000;

}  // namespace

Status PostgresStore::put_state_times(const std::vector<StateTime>& rows) {
    // One statement takes each key once only; what counts is the last.
    std::map<std::tuple<std::chrono::sys_days, std::string_view, std::string_view>, std::int64_t> totals;
    for (const auto& row : rows) totals[{row.day, row.device, row.state}] = row.spent.count();
    return write([&](Connection& connection) -> Status {
        for (auto next = totals.begin(); next != totals.end();) {
            IdArray days;
            IdArray spent;
            TextArray devices;
            TextArray states;
            for (std::size_t i = 0; i < kSlice && next != totals.end(); ++i, ++next) {
                const auto& [day, device, state] = next->first;
                days.items.push_back(day.time_since_epoch().count());
                devices.items.push_back(device);
                states.items.push_back(state);
                spent.items.push_back(next->second);
            }
            const auto done = run(
                connection,
                "INSERT INTO state_times (day, device_code, state, spent_us) SELECT date '1970-01-01' + "
                "day::integer, device, state, spent FROM unnest($1, $2, $3, $4) AS new (day, device, state, "
                "spent) ON CONFLICT (day, device_code, state) DO UPDATE SET spent_us = excluded.spent_us",
                days, devices, states, spent);
            if (!done) return done;
        }
        return {};
    });
}

Result<std::vector<StateTime>> PostgresStore::state_times(const std::vector<std::string>& devices,
                                                          std::chrono::sys_days day) {
    TextArray asked;
    asked.items.assign(devices.begin(), devices.end());
    return read([&](Connection& connection) {
        return collect(connection,
                       "SELECT t.day, t.device_code, t.state, t.spent_us FROM unnest($2) WITH ORDINALITY AS "
                       "asked (code, place) JOIN state_times t ON t.day = $1 AND t.device_code = asked.code "
                       "ORDER BY asked.place, t.state",
                       "state time", read_state_time, day, asked);
    });
}

Result<std::vector<StateTime>> PostgresStore::state_times_since(std::chrono::sys_days day) {
    return read([&](Connection& connection) {
        return collect(connection,
                       "SELECT day, device_code, state, spent_us FROM state_times WHERE day >= $1 ORDER BY "
                       "day, device_code, state",
                       "state time", read_state_time, day);
    });
}

Status PostgresStore::prune_state_times(std::chrono::sys_days before) {
    return write([&](Connection& connection) {
        return run(connection, "DELETE FROM state_times WHERE day < $1", before);
    });
}

}  // namespace fieldwarden::supervisor
