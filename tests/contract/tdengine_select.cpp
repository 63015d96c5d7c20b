// SELECT as the stand-in for TDengine knows it: from an ordinary table, and from a super table the newest row
// of each device or the rows of one in a range of time.
#include <fmt/chrono.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <set>

#include "tests/contract/tdengine_answer.h"
#include "tests/contract/tdengine_stand_in.h"

namespace fieldwarden::tdengine_stand_in {

namespace {

constexpr std::size_t kMostResultColumns = 4'096;

struct Selected {
    std::string name;
    bool last_row = false;
};

// As the REST interface writes it: RFC 3339, with as many digits as the database has.
std::string time_text(std::int64_t time, const std::string& precision) {
    const int digits = precision == "ms" ? 3 : precision == "us" ? 6 : 9;
    std::int64_t unit = 1;
    for (int i = 0; i < digits; ++i) unit *= 10;
    const auto seconds = time / unit;
    return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:0{}}Z", fmt::gmtime(static_cast<std::time_t>(seconds)),
                       time % unit, digits);
}

std::vector<Selected> selected(Words& words) {
    std::vector<Selected> list;
    do {
        if (words.take_if("LAST_ROW")) {
            words.expect("(");
            list.push_back({words.name(kLongestName), true});
            words.expect(")");
        } else {
            list.push_back({words.name(kLongestName), false});
        }
    } while (words.take_if(","));
    if (list.size() > kMostResultColumns) refuse(0x2653, "Too many columns");
    return list;
}

std::string text(Words& words) {
    if (words.next().kind != Word::Kind::kText) words.refuse();
    return words.take().text;
}

std::int64_t number(Words& words) {
    if (words.next().kind != Word::Kind::kNumber) words.refuse();
    const auto digits = words.take().text;
    std::int64_t value = 0;
    if (std::from_chars(digits.data(), digits.data() + digits.size(), value).ec != std::errc{})
        words.refuse();
    return value;
}

}  // namespace

std::string StandIn::select(const std::string& database, Words& words) {
    const auto list = selected(words);
    words.expect("FROM");
    const auto name = words.name(kLongestTable);
    if (name == "information_schema" && list.size() == 1 && words.take_if(".")) {
        return select_information(list.front().name, words);
    }
    const auto& here = named(database);
    if (const auto stable = here.stables.find(name); stable != here.stables.end()) {
        SuperSelect query;
        query.stable = name;
        for (const auto& each : list) query.columns.push_back(each.name);
        query.last_row = std::ranges::count_if(list, [](const auto& each) { return each.last_row; }) ==
                         static_cast<std::ptrdiff_t>(list.size()) - 1;
        // Beside LAST_ROW only what it is partitioned by.
        if (query.columns.front() != "device_code" || list.front().last_row) words.refuse();
        return select_super(here, stable->second, std::move(query), words);
    }
    words.expect_end();
    const auto found = here.tables.find(name);
    if (found == here.tables.end()) refuse(0x2603, "Table does not exist");
    if (list.size() != 1 || list.front().last_row) words.refuse();
    const auto& column = list.front().name;
    if (find(found->second.columns, column) == nullptr) refuse(0x2602, "Invalid column name: " + column);
    auto data = nlohmann::json::array();
    for (const auto& [time, row] : found->second.rows) {
        const auto cell = row.find(column);
        data.push_back(nlohmann::json::array({cell == row.end() ? nlohmann::json{} : json_of(cell->second)}));
    }
    return success({{column, "DOUBLE", 8}}, data);
}

std::string StandIn::select_super(const Database& here, const Stable& stable, SuperSelect query,
                                  Words& words) {
    const auto& time_name = stable.columns.front().name;
    const auto check = [&](const std::string& column) {
        if (find(stable.columns, column) == nullptr && find(stable.tags, column) == nullptr) {
            refuse(0x2602, "Invalid column name: " + column);
        }
    };
    for (const auto& column : query.columns) check(column);
    words.expect("WHERE");
    if (words.name(kLongestName) != "device_code") words.refuse();
    if (query.last_row) {
        words.expect("IN");
        words.expect("(");
        do {
            query.devices.insert(text(words));
        } while (words.take_if(","));
        words.expect(")");
        words.expect("PARTITION");
        words.expect("BY");
        if (words.name(kLongestName) != "device_code") words.refuse();
    } else {
        words.expect("=");
        query.devices.insert(text(words));
        while (words.take_if("AND")) {
            if (words.take_if("(")) {
                do {
                    query.not_null.push_back(words.name(kLongestName));
                    check(query.not_null.back());
                    words.expect("IS");
                    words.expect("NOT");
                    words.expect("NULL");
                } while (words.take_if("OR"));
                words.expect(")");
                continue;
            }
            if (words.name(kLongestName) != time_name) words.refuse();
            if (words.take_if(">")) {
                words.expect("=");
                query.from = number(words);
            } else {
                words.expect("<");
                query.before = number(words);
            }
        }
        words.expect("ORDER");
        words.expect("BY");
        if (words.name(kLongestName) != time_name) words.refuse();
        query.descending = words.take_if("DESC");
        if (!query.descending) words.expect("ASC");
        words.expect("LIMIT");
        query.limit = static_cast<std::size_t>(number(words));
    }
    words.expect_end();

    std::vector<std::pair<std::int64_t, nlohmann::json>> rows;
    for (const auto& [table_name, table] : here.tables) {
        if (table.stable != query.stable) continue;
        const auto code = table.tags.find("device_code");
        if (code == table.tags.end() || !query.devices.contains(std::get<std::string>(code->second)))
            continue;
        const auto row_of = [&](std::int64_t time, const Row& row) {
            auto cells = nlohmann::json::array();
            for (const auto& column : query.columns) {
                const auto& from = find(stable.tags, column) != nullptr ? table.tags : row;
                const auto cell = from.find(column);
                if (column == time_name) {
                    cells.push_back(time_text(time, here.precision));
                } else {
                    cells.push_back(cell == from.end() ? nlohmann::json{} : json_of(cell->second));
                }
            }
            rows.emplace_back(time, std::move(cells));
        };
        if (query.last_row) {
            if (!table.rows.empty()) row_of(table.rows.rbegin()->first, table.rows.rbegin()->second);
            continue;
        }
        for (const auto& [time, row] : table.rows) {
            if ((query.from && time < *query.from) || (query.before && time >= *query.before)) continue;
            const auto holds = [&](const std::string& column) { return row.contains(column); };
            if (query.not_null.empty() || std::ranges::any_of(query.not_null, holds)) row_of(time, row);
        }
    }
    std::ranges::stable_sort(rows, [&](const auto& a, const auto& b) {
        return query.descending ? a.first > b.first : a.first < b.first;
    });
    if (rows.size() > query.limit) rows.resize(query.limit);
    auto data = nlohmann::json::array();
    for (auto& row : rows) data.push_back(std::move(row.second));
    auto meta = nlohmann::json::array();
    for (const auto& column : query.columns) meta.push_back({column, "", 0});
    return success(meta, data);
}

}  // namespace fieldwarden::tdengine_stand_in
