#include "worker/sinks/tdengine/insert_sql.h"

#include <fmt/format.h>

#include <iterator>

#include "worker/sinks/tdengine/names.h"

namespace fieldwarden::worker::tdengine {

namespace {

constexpr std::string_view kInsert = "INSERT INTO";

// Rows of one table with values in the same columns.
struct Clause {
    std::string head;
    std::vector<std::string> rows;
};

std::vector<Clause> clauses_of(const TableRows& table) {
    std::map<std::string, Clause> by_columns;
    for (const auto& [time, cells] : table.rows) {
        auto columns = back_quoted(table.time_column);
        auto values = fmt::format("({}", time);
        for (const auto& [column, literal] : cells) {
            columns += ',';
            columns += back_quoted(column);
            values += ',';
            values += literal;
        }
        values += ')';
        auto& clause = by_columns[columns];
        if (clause.head.empty()) clause.head = fmt::format(" {} ({}) VALUES ", table.head, columns);
        clause.rows.push_back(std::move(values));
    }
    std::vector<Clause> clauses;
    for (auto& [columns, clause] : by_columns) clauses.push_back(std::move(clause));
    return clauses;
}

class Writer {
  public:
    explicit Writer(std::size_t longest) : longest_(longest) {}

    void add(const Clause& clause) {
        bool open = false;
        for (const auto& row : clause.rows) {
            const auto more = row.size() + (open ? 0 : clause.head.size());
            if (sql_.size() > kInsert.size() && sql_.size() + more > longest_) {
                finish();
                open = false;
            }
            if (!open) sql_ += clause.head;
            open = true;
            sql_ += row;
        }
    }
    void finish() {
        if (sql_.size() > kInsert.size()) statements_.push_back(std::move(sql_));
        sql_ = kInsert;
    }
    std::vector<std::string> take() {
        finish();
        return std::move(statements_);
    }

  private:
    std::size_t longest_;
    std::string sql_{kInsert};
    std::vector<std::string> statements_;
};

}  // namespace

std::vector<std::string> insert_statements(const std::vector<TableRows>& tables, std::size_t longest) {
    std::vector<std::vector<Clause>> all;
    std::size_t rounds = 0;
    for (const auto& table : tables) {
        all.push_back(clauses_of(table));
        rounds = std::max(rounds, all.back().size());
    }
    Writer writer{longest};
    for (std::size_t round = 0; round < rounds; ++round) {
        for (const auto& clauses : all) {
            if (round < clauses.size()) writer.add(clauses[round]);
        }
        writer.finish();
    }
    return writer.take();
}

}  // namespace fieldwarden::worker::tdengine
