// What the sink knows and changes about the database: its precision and its super tables, looked at when they
// are first needed and again when the server says that they are otherwise. Several workers may do the same at
// once: that something is there already is what was wanted.
#pragma once

#include <map>
#include <string>

#include "worker/sinks/tdengine/columns.h"
#include "worker/sinks/tdengine/sql_link.h"

namespace fieldwarden::worker::tdengine {

class Schema {
  public:
    Schema(SqlLink& link, std::string database) : link_(link), database_(std::move(database)) {}

    // Makes the database when it is missing and learns its precision. Cheap once that is known.
    SqlReply open();
    // As open(), but makes nothing: whether it is there shows in is_there().
    SqlReply find();
    [[nodiscard]] bool is_there() const { return !precision_.empty(); }
    [[nodiscard]] const std::string& precision() const { return precision_; }
    // Microseconds in the unit of the database's times; finer ones are cut.
    [[nodiscard]] std::int64_t time_in_database(std::int64_t micros) const;
    [[nodiscard]] bool is_coarse() const { return precision_ == "ms"; }

    // `table` stays valid until forget().
    SqlReply look_at(const std::string& name, const SuperTable*& table);
    // The name of a device's sub-table, which may be there as one of another super table.
    SqlReply name_table(const std::string& device_code, const std::string& super_table, std::string& name);
    // Adds, widens, or makes the super table. A reply of kSchema: somebody else did; look again.
    SqlReply change(const std::string& name, const std::vector<ColumnPlan::Change>& changes);
    void forget() {
        tables_.clear();
        names_.clear();
    }
    void forget_database() {
        forget();
        precision_.clear();
    }

  private:
    SqlReply learn_precision();
    SqlReply create(const std::string& name, const std::vector<ColumnPlan::Change>& changes);

    SqlLink& link_;
    std::string database_;
    std::string precision_;  // "ms", "us" or "ns"; empty: not known yet
    std::map<std::string, SuperTable> tables_;
    std::map<std::pair<std::string, std::string>, std::string> names_;  // of sub-tables: device, super table
};

}  // namespace fieldwarden::worker::tdengine
