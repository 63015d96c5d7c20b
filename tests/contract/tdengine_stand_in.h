// A stand-in for TDengine 3's REST interface. No TDengine was at hand: there is no Debian package of it. It
// was written from the documentation (REST API, SQL manual, Error Codes), apart from the sink, takes exactly
// the statements below and refuses all else with the documented code: it is stricter than the server, never
// more lenient. What it cannot show is where the server differs from its documentation.
//
//   SELECT `precision` FROM information_schema.ins_databases WHERE name='…'
//   SELECT `stable_name` FROM information_schema.ins_tables WHERE db_name='…' AND table_name='…'
//   CREATE DATABASE IF NOT EXISTS `…` PRECISION 'ms|us|ns'
//   SELECT `device_code`, LAST_ROW(`…`), … FROM `…` WHERE `device_code` IN ('…', …) PARTITION BY
//   `device_code` SELECT `device_code`, `…`, … FROM `…` WHERE `device_code`='…' [AND `ts`>=n] [AND `ts`<n]
//     AND (`…` IS NOT NULL OR …) ORDER BY `ts` ASC|DESC LIMIT n
//   DESCRIBE `…` · DROP TABLE [IF EXISTS] `…` · SELECT `…` FROM `…`
//   CREATE STABLE IF NOT EXISTS `…` (`…` TIMESTAMP, `…` type, …) TAGS (`…` type, …) · CREATE TABLE `…` (…)
//   ALTER STABLE `…` ADD COLUMN `…` type · ALTER STABLE `…` MODIFY COLUMN `…` NCHAR(n)
//   INSERT INTO `…` [USING `…` (`…`, …) TAGS (…)] (`…`, …) VALUES (…) (…) [`…` …]
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/contract/scripted_http.h"
#include "tests/contract/tdengine_sql.h"
#include "tests/contract/tdengine_values.h"

namespace fieldwarden::tdengine_stand_in {

struct Stable {
    std::vector<ColumnDef> columns;  // the time first
    std::vector<ColumnDef> tags;
};
struct Table {
    std::string stable;              // empty: an ordinary table
    std::vector<ColumnDef> columns;  // of an ordinary table
    Row tags;
    std::map<std::int64_t, Row> rows;  // by time in the database's unit
};
struct Database {
    std::string precision;
    std::map<std::string, Stable> stables;
    std::map<std::string, Table> tables;
};

class StandIn {
  public:
    StandIn(std::string username, std::string password);

    [[nodiscard]] std::string url() const { return http_.url(); }
    void stop() { http_.stop(); }
    void start() { http_.start(); }

    // A copy of everything.
    [[nodiscard]] std::map<std::string, Database> databases() const;
    // As a person at the server's own prompt: "USE"s `database`. Throws SqlError.
    void run(const std::string& database, const std::string& sql);
    [[nodiscard]] std::vector<std::string> statements() const;  // that came over HTTP
    // Asked before a statement is looked at; an answer takes the place of the server's.
    void intercept(std::function<std::optional<ScriptedReply>(const std::string& sql)> hook);
    [[nodiscard]] bool hanging() const { return http_.hanging(); }

  private:
    ScriptedReply answer(const SeenRequest& request);
    std::string execute(const std::string& database, const std::string& sql);
    std::string select(const std::string& database, Words& words);
    // From a super table.
    struct SuperSelect {
        std::string stable;
        std::vector<std::string> columns;
        std::set<std::string> devices;
        std::vector<std::string> not_null;  // one of them is to hold something
        std::optional<std::int64_t> from, before;
        bool last_row = false;
        std::size_t limit = SIZE_MAX;
        bool descending = false;
    };
    static std::string select_super(const Database& here, const Stable& stable, SuperSelect query,
                                    Words& words);
    std::string select_information(const std::string& column, Words& words);
    void create(const std::string& database, Words& words);
    void alter(const std::string& database, Words& words);
    void insert(const std::string& database, Words& words);
    Database& named(const std::string& database);

    std::string authorization_;
    mutable std::mutex mutex_;
    std::map<std::string, Database> databases_;
    std::vector<std::string> statements_;
    std::function<std::optional<ScriptedReply>(const std::string&)> hook_;
    ScriptedHttp http_;  // last: its threads use the rest
};

// {"code": …, "desc": …} with the status of the documentation's table.
ScriptedReply failure(int code, const std::string& desc);

}  // namespace fieldwarden::tdengine_stand_in
