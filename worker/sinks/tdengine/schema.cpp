#include "worker/sinks/tdengine/schema.h"

#include <fmt/format.h>

#include <charconv>

#include "worker/sinks/tdengine/names.h"

namespace fieldwarden::worker::tdengine {

namespace {

constexpr std::int64_t kThousand = 1'000;
// Of the tags of a new super table, in characters.
constexpr std::size_t kCodeWidth = 128;
constexpr std::size_t kNameWidth = 256;

SqlReply later(std::string reason) {
    SqlReply reply;
    reply.fault = Fault::kLater;
    reply.reason = std::move(reason);
    return reply;
}

std::size_t to_size(const std::string& text) {
    std::size_t number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
}

}  // namespace

SqlReply Schema::learn_precision() {
    auto reply = link_.run_outside(
        fmt::format("SELECT `precision` FROM information_schema.ins_databases WHERE name='{}'", database_));
    if (reply.good() && !reply.rows.empty() && !reply.rows.front().empty()) {
        precision_ = reply.rows.front().front();
        if (precision_ != "ms" && precision_ != "us" && precision_ != "ns") {
            auto unknown = later(
                fmt::format("tdengine: database {} has the precision '{}', which this program does not know",
                            database_, precision_));
            precision_.clear();
            return unknown;
        }
    }
    return reply;
}

SqlReply Schema::find() {
    return is_there() ? SqlReply{} : learn_precision();
}

SqlReply Schema::open() {
    if (!precision_.empty()) return {};
    auto reply = learn_precision();
    if (!reply.good() || !precision_.empty()) return reply;
    reply = link_.run_outside(
        fmt::format("CREATE DATABASE IF NOT EXISTS {} PRECISION 'us'", back_quoted(database_)));
    if (!reply.good() && !says_exists(reply.code)) return reply;
    // Not what was asked for, but what is there: somebody else may have been first.
    reply = learn_precision();
    if (reply.good() && precision_.empty()) {
        return later(fmt::format("tdengine: database {} is being created", database_));
    }
    return reply;
}

std::int64_t Schema::time_in_database(std::int64_t micros) const {
    if (precision_ == "ns") return micros * kThousand;
    if (precision_ != "ms") return micros;
    const auto rest = micros % kThousand;
    return (micros - (rest < 0 ? rest + kThousand : rest)) / kThousand;
}

SqlReply Schema::look_at(const std::string& name, const SuperTable*& table) {
    if (const auto known = tables_.find(name); known != tables_.end()) {
        table = &known->second;
        return {};
    }
    auto reply = link_.run(fmt::format("DESCRIBE {}", back_quoted(name)));
    SuperTable found;
    if (reply.fault == Fault::kSchema) {
        reply = {};  // not there: it is made with its first columns
    } else if (!reply.good()) {
        return reply;
    } else {
        // field, type, length, note ("TAG" for tags), and more in newer versions; the time comes first.
        for (const auto& row : reply.rows) {
            if (row.size() < 4) continue;
            const bool sized = row[1] == "NCHAR";
            const Column column{row[1], sized ? to_size(row[2]) : 0};
            if (found.time_column.empty()) {
                found.time_column = row[0];
            } else if (row[3] == "TAG") {
                found.tags.emplace(row[0], column);
            } else {
                found.columns.emplace(row[0], column);
            }
        }
        if (found.tags.find(kDeviceCodeTag) == found.tags.end()) {
            return later(fmt::format(
                "tdengine: table {} of database {} is no super table with a tag device_code; add the tag, or "
                "give the device type another stable_name",
                name, database_));
        }
    }
    table = &(tables_[name] = std::move(found));
    return reply;
}

SqlReply Schema::name_table(const std::string& device_code, const std::string& super_table,
                            std::string& name) {
    auto& known = names_[{device_code, super_table}];
    if (known.empty()) {
        const auto plain = table_of(device_code);
        auto reply = link_.run_outside(
            fmt::format("SELECT `stable_name` FROM information_schema.ins_tables WHERE db_name='{}' AND "
                        "table_name='{}'",
                        database_, plain));
        if (!reply.good()) return reply;
        const bool taken =
            !reply.rows.empty() && !reply.rows.front().empty() && reply.rows.front().front() != super_table;
        known = taken ? table_of(device_code, super_table) : plain;
    }
    name = known;
    return {};
}

SqlReply Schema::create(const std::string& name, const std::vector<ColumnPlan::Change>& changes) {
    std::string columns;
    for (const auto& change : changes) {
        columns += fmt::format(", {} {}", back_quoted(change.name), declaration(change.column));
    }
    auto reply =
        link_.run(fmt::format("CREATE STABLE IF NOT EXISTS {} ({} TIMESTAMP{}) TAGS ({} NCHAR({}), {} "
                              "NCHAR({}))",
                              back_quoted(name), back_quoted(kTime), columns, back_quoted(kDeviceCodeTag),
                              kCodeWidth, back_quoted(kNameTag), kNameWidth));
    // Whether it was made or was there with other columns shows when it is looked at.
    tables_.erase(name);
    if (reply.good() || says_exists(reply.code)) {
        reply.fault = Fault::kSchema;
        reply.reason = fmt::format("tdengine: super table {} is being made", name);
    }
    return reply;
}

SqlReply Schema::change(const std::string& name, const std::vector<ColumnPlan::Change>& changes) {
    auto& table = tables_[name];
    if (table.time_column.empty()) return create(name, changes);
    for (const auto& change : changes) {
        auto reply = link_.run(fmt::format("ALTER STABLE {} {} COLUMN {} {}", back_quoted(name),
                                           change.widen ? "MODIFY" : "ADD", back_quoted(change.name),
                                           declaration(change.column)));
        if (!reply.good()) {
            // It may be there with another type.
            if (says_exists(reply.code)) reply.fault = Fault::kSchema;
            tables_.erase(name);
            return reply;
        }
        table.columns[change.name] = change.column;
    }
    return {};
}

}  // namespace fieldwarden::worker::tdengine
