#include "tests/contract/tdengine_stand_in.h"

#include <openssl/evp.h>

#include <algorithm>
#include <chrono>
#include <set>

#include "tests/contract/tdengine_answer.h"

namespace fieldwarden::tdengine_stand_in {

namespace {

constexpr std::size_t kMostSql = 1'048'576;
constexpr std::size_t kMostTagBytes = 16'382;

std::string base64(const std::string& text) {
    std::string out(4 * ((text.size() + 2) / 3) + 1, '\0');
    const int size =
        EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                        reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
    out.resize(static_cast<std::size_t>(size));
    return out;
}

std::int64_t per_second(const std::string& precision) {
    return precision == "ms" ? 1'000 : precision == "us" ? 1'000'000 : 1'000'000'000;
}

std::int64_t time_of(const Database& database, const Word& word) {
    const auto value = value_for({"ts", "BIGINT", 0}, word);
    if (!std::holds_alternative<std::int64_t>(value)) refuse(0x2635, "Incorrect TIMESTAMP value");
    const auto time = std::get<std::int64_t>(value);
    const auto now =
        std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch())
            .count();
    const auto seconds = time / per_second(database.precision);
    constexpr std::int64_t kKeep = 3'650LL * 86'400;
    constexpr std::int64_t kYear2970 = 31'556'889'600;
    if (seconds < now - kKeep || seconds > kYear2970) refuse(0x060B, "Timestamp is out of range");
    return time;
}

std::string affected(std::size_t rows) {
    return success({{"affected_rows", "INT", 4}}, nlohmann::json::array({nlohmann::json::array({rows})}));
}

}  // namespace

ScriptedReply failure(int code, const std::string& desc) {
    const bool access = code >= 0x0350 && code <= 0x0357;
    return http_reply(access ? 401 : 200, nlohmann::json{{"code", code}, {"desc", desc}}.dump());
}

StandIn::StandIn(std::string username, std::string password)
    : authorization_("Basic " + base64(username + ":" + password)),
      http_([this](const SeenRequest& request) { return answer(request); }) {}

std::map<std::string, Database> StandIn::databases() const {
    const std::lock_guard lock{mutex_};
    return databases_;
}

void StandIn::run(const std::string& database, const std::string& sql) {
    const std::lock_guard lock{mutex_};
    execute(database, sql);
}

std::vector<std::string> StandIn::statements() const {
    const std::lock_guard lock{mutex_};
    return statements_;
}

void StandIn::intercept(std::function<std::optional<ScriptedReply>(const std::string&)> hook) {
    const std::lock_guard lock{mutex_};
    hook_ = std::move(hook);
}

ScriptedReply StandIn::answer(const SeenRequest& request) {
    std::unique_lock lock{mutex_};
    statements_.push_back(request.body);
    if (const auto hook = hook_) {
        lock.unlock();
        if (auto instead = hook(request.body)) return *instead;
        lock.lock();
    }
    constexpr std::string_view kPath = "/rest/sql";
    if (request.method != "POST" || !request.target.starts_with(kPath)) return http_reply(404);
    auto database = request.target.substr(kPath.size());
    if (!database.empty() && database.front() != '/') return http_reply(404);
    database.erase(0, 1);
    const auto authorization = request.headers.find("authorization");
    if (authorization == request.headers.end() || authorization->second != authorization_) {
        return failure(0x0357, "Authentication failure");
    }
    try {
        if (request.body.size() > kMostSql) refuse(0x0219, "SQL statement too long");
        if (!database.empty() && databases_.find(database) == databases_.end()) {
            refuse(0x0388, "Database not exist");
        }
        return http_reply(200, execute(database, request.body));
    } catch (const SqlError& error) {
        return failure(error.code, error.desc);
    }
}

Database& StandIn::named(const std::string& database) {
    const auto found = databases_.find(database);
    if (found == databases_.end()) refuse(0x2616, "Database not specified");
    return found->second;
}

std::string StandIn::execute(const std::string& database, const std::string& sql) {
    Words words{sql};
    if (words.take_if("SELECT")) return select(database, words);
    if (words.take_if("CREATE")) {
        create(database, words);
    } else if (words.take_if("ALTER")) {
        alter(database, words);
    } else if (words.take_if("INSERT")) {
        insert(database, words);
    } else if (words.take_if("DROP")) {
        words.expect("TABLE");
        const bool quietly = words.take_if("IF");
        if (quietly) words.expect("EXISTS");
        const auto table = words.name(kLongestTable);
        words.expect_end();
        if (named(database).tables.erase(table) == 0 && !quietly) refuse(0x2603, "Table does not exist");
    } else {
        words.expect("DESCRIBE");
        const auto name = words.name(kLongestTable);
        words.expect_end();
        const auto& stables = named(database).stables;
        const auto found = stables.find(name);
        if (found == stables.end()) refuse(0x2603, "Table does not exist");
        auto data = nlohmann::json::array();
        const auto row = [&](const ColumnDef& column, const char* note) {
            const auto length = column.width != 0 ? column.width : bytes_of(column);
            data.push_back(nlohmann::json::array({column.name, column.type, length, note}));
        };
        for (const auto& column : found->second.columns) row(column, "");
        for (const auto& tag : found->second.tags) row(tag, "TAG");
        return success({{"field", "VARCHAR", 64},
                        {"type", "VARCHAR", 32},
                        {"length", "INT", 4},
                        {"note", "VARCHAR", 16}},
                       data);
    }
    return affected(0);
}

std::string StandIn::select_information(const std::string& column, Words& words) {
    const auto view = words.name(kLongestTable);
    std::map<std::string, std::string> where;
    words.expect("WHERE");
    do {
        const auto key = words.name(kLongestName);
        words.expect("=");
        if (words.next().kind != Word::Kind::kText) words.refuse();
        where[key] = words.take().text;
    } while (words.take_if("AND"));
    words.expect_end();
    auto data = nlohmann::json::array();
    if (view == "ins_databases" && column == "precision" && where.size() == 1 && where.count("name") == 1) {
        const auto found = databases_.find(where["name"]);
        if (found != databases_.end()) data.push_back(nlohmann::json::array({found->second.precision}));
        return success({{"precision", "VARCHAR", 2}}, data);
    }
    if (view != "ins_tables" || column != "stable_name" || where.size() != 2 || where.count("db_name") == 0 ||
        where.count("table_name") == 0) {
        refuse(0x2602, "Invalid column name");
    }
    if (const auto found = databases_.find(where["db_name"]); found != databases_.end()) {
        const auto table = found->second.tables.find(where["table_name"]);
        if (table != found->second.tables.end())
            data.push_back(nlohmann::json::array({table->second.stable}));
    }
    return success({{"stable_name", "VARCHAR", 192}}, data);
}

void StandIn::create(const std::string& database, Words& words) {
    const auto if_not_exists = [&] {
        const bool said = words.take_if("IF");
        if (said) {
            words.expect("NOT");
            words.expect("EXISTS");
        }
        return said;
    };
    if (words.take_if("DATABASE")) {
        const bool quietly = if_not_exists();
        const auto name = words.name(kLongestName);
        words.expect("PRECISION");
        const auto precision = words.take();
        words.expect_end();
        if (precision.text != "ms" && precision.text != "us" && precision.text != "ns") {
            refuse(0x2619, "Invalid database option");
        }
        if (!databases_.try_emplace(name, Database{precision.text, {}, {}}).second && !quietly) {
            refuse(0x0381, "Database already exists");
        }
        return;
    }
    auto& here = named(database);
    if (words.take_if("TABLE")) {
        const auto name = words.name(kLongestTable);
        const auto columns = definitions(words);
        words.expect_end();
        check_columns(columns, 0);
        if (!here.tables.try_emplace(name, Table{{}, columns, {}, {}}).second) {
            refuse(0x0603, "Table already exists");
        }
        return;
    }
    words.expect("STABLE");
    const bool quietly = if_not_exists();
    const auto name = words.name(kLongestTable);
    Stable stable;
    stable.columns = definitions(words);
    words.expect("TAGS");
    stable.tags = definitions(words);
    words.expect_end();
    check_columns(stable.columns, stable.tags.size());
    std::size_t tag_bytes = 0;
    for (const auto& tag : stable.tags) {
        tag_bytes += bytes_of(tag);
        if (find(stable.columns, tag.name) != nullptr) refuse(0x263C, "Duplicated column names");
    }
    if (tag_bytes > kMostTagBytes) refuse(0x263D, "Tags length exceeds max length");
    if (!here.stables.try_emplace(name, stable).second && !quietly) refuse(0x0360, "STable already exists");
}

void StandIn::alter(const std::string& database, Words& words) {
    words.expect("STABLE");
    auto& here = named(database);
    const auto found = here.stables.find(words.name(kLongestTable));
    const bool add = words.take_if("ADD");
    if (!add) words.expect("MODIFY");
    words.expect("COLUMN");
    const auto column = definition(words);
    words.expect_end();
    if (found == here.stables.end()) refuse(0x0361, "STable not exist");
    auto changed = found->second;
    if (add) {
        if (find(changed.columns, column.name) != nullptr) refuse(0x036B, "Column already exists");
        if (find(changed.tags, column.name) != nullptr) refuse(0x0369, "Tag already exists");
        changed.columns.push_back(column);
    } else {
        const auto at = std::find_if(changed.columns.begin(), changed.columns.end(),
                                     [&](const auto& each) { return each.name == column.name; });
        if (at == changed.columns.end()) refuse(0x036C, "Column does not exist");
        if (at->type != "NCHAR" || column.type != "NCHAR" || column.width <= at->width) {
            refuse(0x264B, "Only binary/nchar column length could be modified, and only increased");
        }
        at->width = column.width;
    }
    check_columns(changed.columns, changed.tags.size());
    found->second = changed;
}

// Parsed to its end before anything is done, as documented.
void StandIn::insert(const std::string& database, Words& words) {
    words.expect("INTO");
    auto& here = named(database);
    auto changed = here.tables;
    std::set<std::string> seen;
    do {
        const auto name = words.name(kLongestTable);
        // Not said to be forbidden, and not said to work with other columns.
        if (!seen.insert(name).second) words.refuse();
        auto table = changed.find(name);
        if (words.take_if("USING")) {
            const auto stable_name = words.name(kLongestTable);
            const auto stable = here.stables.find(stable_name);
            if (stable == here.stables.end()) refuse(0x2603, "Table does not exist: " + stable_name);
            const auto tag_names = names(words);
            words.expect("TAGS");
            const auto tag_values = values(words);
            if (tag_names.size() != tag_values.size()) refuse(0x260D, "Tags number not matched");
            Row tags;
            for (std::size_t i = 0; i < tag_names.size(); ++i) {
                const auto* tag = find(stable->second.tags, tag_names[i]);
                if (tag == nullptr) refuse(0x260E, "Invalid tag name: " + tag_names[i]);
                tags[tag->name] = value_for(*tag, tag_values[i]);
            }
            if (table == changed.end()) {
                table = changed.emplace(name, Table{stable_name, {}, tags, {}}).first;
            } else if (table->second.stable != stable_name) {
                refuse(0x061D, "Table already exists in other supertable");
            }
        }
        if (table == changed.end()) refuse(0x2603, "Table does not exist: " + name);
        const auto& columns = table->second.stable.empty() ? table->second.columns
                                                           : here.stables.at(table->second.stable).columns;
        const auto wanted = names(words);
        for (const auto& column : wanted) {
            if (find(columns, column) == nullptr) refuse(0x2602, "Invalid column name: " + column);
        }
        if (wanted.front() != columns.front().name) refuse(0x2635, "The time is missing");
        words.expect("VALUES");
        do {
            const auto cells = values(words);
            if (cells.size() != wanted.size()) refuse(0x2634, "Mismatched number of columns");
            auto& row = table->second.rows[time_of(here, cells.front())];
            for (std::size_t i = 1; i < cells.size(); ++i) {
                row[wanted[i]] = value_for(*find(columns, wanted[i]), cells[i]);
            }
        } while (words.next().kind == Word::Kind::kMark && words.next().text == "(");
    } while (words.next().kind == Word::Kind::kName || words.next().kind == Word::Kind::kQuotedName);
    words.expect_end();
    here.tables = std::move(changed);
}

}  // namespace fieldwarden::tdengine_stand_in
