#include "worker/sinks/tdengine/stored_reader.h"

#include <algorithm>
#include <chrono>
#include <unordered_map>
#include <unordered_set>

namespace fieldwarden::worker::tdengine {

namespace {

// A statement stays far below maxSQLLength, an answer below what is taken of one.
constexpr std::size_t kDevicesPerStatement = 200;
constexpr std::size_t kValuesPerPage = 50'000;
// How far behind a device's newest row the newest sample of a point is looked for, and how.
constexpr std::chrono::hours kLookBack{24};
constexpr std::size_t kRowsPerLook = 32;
constexpr int kLooks = 16;
// What one reading gives at most, like the embedded history (common/history/history_reader.h).
constexpr std::size_t kMostSamples = 250'000;

Error failed(const SqlReply& reply) {
    return make_error(reply.fault == Fault::kRefused ? ErrorKind::kInternal : ErrorKind::kUnavailable,
                      reply.reason);
}

std::set<std::string> names_in(const PointsByColumn& points) {
    std::set<std::string> names;
    for (const auto& [name, point] : points) names.insert(name);
    return names;
}

}  // namespace

StoredReader::Tables StoredReader::arrange(const PointDirectory& points) {
    Tables tables;
    const auto columns = name_columns(points);
    for (const auto& [id, point] : points) {
        tables[super_table_of(point)][point.device_code][columns.at(id)] = {id, point.data_type};
    }
    return tables;
}

Result<bool> StoredReader::look_at(const std::string& super_table, const SuperTable*& table) {
    if (const auto found = schema_.find(); !found.good()) return failed(found);
    if (!schema_.is_there()) return false;
    if (const auto seen = schema_.look_at(super_table, table); !seen.good()) return failed(seen);
    return !table->time_column.empty();
}

Status StoredReader::read_device(const std::string& statement, std::span<const StoredColumn> columns,
                                 const Devices& devices, SampleBatch& samples, std::size_t& rows,
                                 RowTimes* times) {
    const auto reply = link_.read(statement);
    if (!reply.good()) return failed(reply);
    rows = reply.rows.size();
    for (const auto& row : reply.rows) {
        const auto device = row.empty() ? devices.end() : devices.find(row.front());
        if (device == devices.end()) continue;
        const auto added = add_samples(row, columns, device->second, schema_.precision(), samples);
        if (!added) return added;
        if (times != nullptr) times->emplace(device->first, time_of(row[1], schema_.precision()).value());
    }
    return {};
}

Status StoredReader::complete_device(const std::string& super_table, const SuperTable& table,
                                     const std::string& code, PointsByColumn missing, UtcTime newest_row,
                                     SampleBatch& samples) {
    const RowRange range{
        .start = schema_.time_in_database((newest_row - kLookBack).time_since_epoch().count()),
        .end = std::nullopt,
        .limit = kRowsPerLook,
        .descending = true};
    for (int look = 0; look < kLooks && !missing.empty(); ++look) {
        const auto columns = stored_columns(table, names_in(missing));
        if (columns.empty()) break;
        SampleBatch found;
        std::size_t rows = 0;
        const auto read = read_device(range_statement(super_table, table, columns, code, range), columns,
                                      {{code, missing}}, found, rows);
        if (!read) return read;
        if (found.empty()) break;
        std::unordered_set<PointId> seen;  // the newest come first
        for (auto& sample : found) {
            if (seen.insert(sample.point).second) samples.push_back(std::move(sample));
        }
        std::erase_if(missing, [&](const auto& point) { return seen.contains(point.second.id); });
    }
    return {};
}

Status StoredReader::complete(const std::string& super_table, const SuperTable& table, const Devices& devices,
                              const RowTimes& times, SampleBatch& samples) {
    std::unordered_set<PointId> held;
    for (const auto& sample : samples) held.insert(sample.point);
    for (const auto& [code, points] : devices) {
        const auto newest_row = times.find(code);
        if (newest_row == times.end()) continue;  // nothing was ever stored of it
        PointsByColumn missing;
        for (const auto& [column, point] : points) {
            if (!held.contains(point.id)) missing.emplace(column, point);
        }
        if (missing.empty()) continue;
        const auto completed =
            complete_device(super_table, table, code, std::move(missing), newest_row->second, samples);
        if (!completed) return completed;
    }
    return {};
}

Result<SampleBatch> StoredReader::newest(const PointDirectory& points) {
    SampleBatch samples;
    for (const auto& [super_table, devices] : arrange(points)) {
        const SuperTable* table = nullptr;
        const auto there = look_at(super_table, table);
        if (!there) return there.error();
        if (!*there) continue;
        std::set<std::string> names;
        std::vector<std::string> codes;
        for (const auto& [code, by_column] : devices) {
            names.merge(names_in(by_column));
            codes.push_back(code);
        }
        const auto columns = stored_columns(*table, names);
        if (columns.empty()) continue;
        RowTimes times;
        const auto per_statement =
            std::clamp<std::size_t>(kValuesPerPage / columns.size(), 1, kDevicesPerStatement);
        for (std::size_t at = 0; at < codes.size(); at += per_statement) {
            const auto some = std::span{codes}.subspan(at, std::min(per_statement, codes.size() - at));
            std::size_t rows = 0;
            const auto read = read_device(newest_statement(super_table, *table, columns, some), columns,
                                          devices, samples, rows, &times);
            if (!read) return read.error();
        }
        if (const auto whole = complete(super_table, *table, devices, times, samples); !whole)
            return whole.error();
    }
    return samples;
}

Result<SampleBatch> StoredReader::range(const PointDirectory& points, const StoredRange& range) {
    SampleBatch samples;
    for (const auto& [super_table, devices] : arrange(points)) {
        const SuperTable* table = nullptr;
        const auto there = look_at(super_table, table);
        if (!there) return there.error();
        if (!*there) continue;
        // A time in the database is not finer than this.
        const auto step = std::chrono::microseconds{schema_.is_coarse() ? 1'000 : 1};
        const auto in_database = [&](UtcTime time) {
            return schema_.time_in_database(time.time_since_epoch().count());
        };
        for (const auto& [code, by_column] : devices) {
            const auto columns = stored_columns(*table, names_in(by_column));
            if (columns.empty()) continue;
            // Bounds that lie within the database's unit begin with the next one.
            const auto above = [&](UtcTime time) {
                return in_database(time + step - std::chrono::microseconds{1});
            };
            RowRange page;
            page.descending = range.descending;
            if (range.start) page.start = above(*range.start);
            if (range.end) page.end = above(*range.end);
            for (auto left = range.limit; left > 0 && samples.size() < kMostSamples;) {
                page.limit = std::clamp<std::size_t>(kValuesPerPage / columns.size(), 1, left);
                std::size_t rows = 0;
                const auto before = samples.size();
                const auto read = read_device(range_statement(super_table, *table, columns, code, page),
                                              columns, devices, samples, rows);
                if (!read) return read.error();
                left -= std::min(left, rows);
                if (rows < page.limit || samples.size() == before) break;
                const auto last = samples.back().time;
                if (range.descending) {
                    page.end = in_database(last);
                } else {
                    page.start = in_database(last + step);
                }
            }
        }
    }
    return samples;
}

}  // namespace fieldwarden::worker::tdengine
