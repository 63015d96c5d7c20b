#include <algorithm>
#include <utility>

#include "supervisor/workbook/workbook.h"

namespace fieldwarden::supervisor {

namespace {

std::string_view cell(const Record& record, std::size_t field) {
    return field < record.cells.size() ? record.cells[field] : std::string_view{};
}

RecordChange changes_of(const KindSchema& schema, const Record& from, const Record& to) {
    RecordChange change{std::string{to.code()}, {}};
    for (std::size_t i = 0; i < schema.fields.size(); ++i) {
        const auto before = cell(from, i);
        const auto after = cell(to, i);
        if (before == after) continue;
        change.fields.push_back(
            {i, masked_cell(schema.fields[i], before), masked_cell(schema.fields[i], after)});
    }
    return change;
}

proto::Json fields_json(const KindSchema& schema, const RecordChange& change) {
    auto fields = proto::Json::object();
    for (const auto& field : change.fields) {
        fields[std::string{schema.fields[field.field].name}] = {{"from", field.from}, {"to", field.to}};
    }
    return fields;
}

proto::Json counts_json(const KindDiff& kind) {
    return {{"added", kind.added.size()},
            {"changed", kind.changed.size()},
            {"removed", kind.removed.size()},
            {"unchanged", kind.unchanged}};
}

// The records to store stand in the change set in the order of the plant, added and changed mixed.
proto::Json added_json(const KindSchema& schema, const KindChanges& changes, const KindDiff& kind,
                       std::size_t most) {
    auto list = proto::Json::array();
    std::size_t next = 0;
    for (const auto& record : changes.put) {
        if (list.size() == most || next == kind.added.size()) break;
        if (record.code() != kind.added[next]) continue;
        ++next;
        auto fields = proto::Json::object();
        for (std::size_t i = 0; i < schema.fields.size(); ++i) {
            if (cell(record, i).empty()) continue;
            fields[std::string{schema.fields[i].name}] = {
                {"from", nullptr}, {"to", masked_cell(schema.fields[i], cell(record, i))}};
        }
        list.push_back({{"code", record.code()}, {"fields", std::move(fields)}});
    }
    return list;
}

}  // namespace

bool Diff::empty() const {
    return std::all_of(kinds.begin(), kinds.end(), [](const KindDiff& kind) {
        return kind.added.empty() && kind.changed.empty() && kind.removed.empty();
    });
}

Diff diff(const Plant& current, const Plant& proposed) {
    Diff result;
    result.base_revision = current.revision;
    for (const auto kind : kAllKinds) {
        const auto& schema = schema_of(kind);
        auto& of_kind = result.kinds[static_cast<std::size_t>(kind)];
        auto& changes = result.changes.of(kind);
        if (current.of(kind).empty()) changes.put.reserve(proposed.of(kind).size());
        for (const auto& record : proposed.of(kind).all()) {
            const auto* stored = current.of(kind).empty() ? nullptr : current.of(kind).find(record.code());
            if (stored == nullptr) {
                of_kind.added.emplace_back(record.code());
                changes.put.push_back(record);
            } else if (auto change = changes_of(schema, *stored, record); change.fields.empty()) {
                ++of_kind.unchanged;
            } else {
                of_kind.changed.push_back(std::move(change));
                changes.put.push_back(record);
            }
        }
        for (const auto& record : current.of(kind).all()) {
            if (proposed.of(kind).find(record.code()) == nullptr) of_kind.removed.emplace_back(record.code());
        }
        changes.removed = of_kind.removed;
    }
    return result;
}

proto::Json to_json(const Problem& problem) {
    return {{"sheet", problem.sheet},        {"row", problem.row},
            {"column", problem.column},      {"cell", problem.cell},
            {"code", to_name(problem.code)}, {"message", problem.message},
            {"value", problem.value}};
}

proto::Json to_json(const std::vector<Problem>& problems) {
    auto list = proto::Json::array();
    for (const auto& problem : problems) list.push_back(to_json(problem));
    return list;
}

proto::Json summary_json(const Diff& diff) {
    auto summary = proto::Json::object();
    for (const auto kind : kAllKinds)
        summary[std::string{schema_of(kind).sheet}] = counts_json(diff.of(kind));
    return summary;
}

proto::Json to_json(const Diff& diff, std::size_t most) {
    auto json = proto::Json::object();
    for (const auto kind : kAllKinds) {
        const auto& schema = schema_of(kind);
        const auto& of_kind = diff.of(kind);
        auto changed = proto::Json::array();
        for (const auto& change : of_kind.changed) {
            if (changed.size() == most) break;
            changed.push_back({{"code", change.code}, {"fields", fields_json(schema, change)}});
        }
        auto removed = proto::Json::array();
        for (const auto& code : of_kind.removed) {
            if (removed.size() == most) break;
            removed.push_back({{"code", code}});
        }
        json[std::string{schema.sheet}] = {
            {"added", added_json(schema, diff.changes.of(kind), of_kind, most)},
            {"changed", std::move(changed)},
            {"removed", std::move(removed)},
            {"unchanged", of_kind.unchanged},
            {"counts", counts_json(of_kind)},
            {"truncated",
             std::max({of_kind.added.size(), of_kind.changed.size(), of_kind.removed.size()}) > most}};
    }
    return json;
}

}  // namespace fieldwarden::supervisor
