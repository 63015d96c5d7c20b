#include "supervisor/store/plant_records.h"

#include <fmt/format.h>

namespace fieldwarden::supervisor {

std::string quoted_columns(const KindSchema& schema) {
    std::string columns;
    for (const auto& field : schema.fields) columns += fmt::format(", \"{}\"", field.name);
    return columns;
}

Status add_loaded(Records& records, Record record, const KindSchema& schema, std::string_view store) {
    if (!record.code().empty() && records.add(std::move(record))) return {};
    return make_error(ErrorKind::kCorrupt,
                      fmt::format("{}: table {} holds an empty code or one code twice", store, schema.sheet));
}

Status check_record(const KindSchema& schema, const Record& record) {
    if (record.cells.size() != schema.fields.size() || record.code().empty()) {
        return make_error(
            ErrorKind::kInvalidArgument,
            fmt::format("a {} with {} cells and code '{}' cannot be stored; {} cells and a code are "
                        "wanted",
                        schema.noun, record.cells.size(), record.code().substr(0, kLongestCode),
                        schema.fields.size()));
    }
    return {};
}

Status check_id(Kind kind, std::int64_t id) {
    if (kind != Kind::kPoint || id <= UINT32_MAX) return {};
    return make_error(ErrorKind::kTooLarge, "all 4,294,967,295 numbers for points have been used up");
}

Error stale_revision(std::uint64_t stored, std::uint64_t expected) {
    return make_error(ErrorKind::kConflict,
                      fmt::format("the configuration changed meanwhile (revision {}, the change was made "
                                  "against {}); nothing was stored, look again and repeat it",
                                  stored, expected));
}

}  // namespace fieldwarden::supervisor
