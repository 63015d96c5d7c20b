// Workbooks: how a plant comes in from a spreadsheet and goes out again (CONTRACT 2). Open this header first.
//
//   read_workbook   file → Workbook (table.h): sheets of cells, the file format forgotten
//   validate        Workbook + the plant in force → the plant it proposes, and every problem in it
//   diff            plant in force, proposed plant → what changes, field by field, and the ChangeSet to store
//   write_export    plant → .xlsx that reads back as the same plant; write_template → an empty one to fill in
//   check_record    the same checks for one record changed by hand (POST, PATCH); check_removal for DELETE
//
// Everything is a function over values: no store, no clock, no global state; safe from any thread.
// read_workbook and the writers touch the file they are given and nothing else. Work takes a fraction of a
// second for 100,000 points: run it on a pool thread, not on the supervisor's loop.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/plant_types.h"
#include "common/result.h"
#include "supervisor/plant/plant.h"
#include "supervisor/store/store.h"
#include "supervisor/workbook/language.h"
#include "supervisor/workbook/problems.h"
#include "supervisor/workbook/table.h"

namespace fieldwarden::supervisor {

// Reads .xlsx, .xls, .csv, a zip of .csv or a folder of .csv; what a file is shows in its content.
// `file_name` is the name the user gave it (the path may be a temporary one): it names the sheet of a single
// .csv, and an ending that does not fit the content becomes a note. Sheets whose name no kind has are listed,
// not read. Errors: kTooLarge, kCorrupt, kInvalidArgument (not a workbook, encrypted, an old format), kIo;
// the message is for the user, in `language`.
Result<Workbook> read_workbook(const std::string& path, std::string_view file_name, Language language);

// Packs the .csv files of a folder into a zip that read_workbook takes: how the command line client uploads a
// folder.
Status pack_csv_folder(const std::string& folder, const std::string& zip_path);

// merge adds and changes; replace also removes what the workbook does not hold.
enum class ImportMode : std::uint8_t { kMerge, kReplace };

struct ValidationRules {
    ImportMode mode = ImportMode::kMerge;
    Language language = Language::kEnglish;
    // What this build can run; rows of other protocols and sinks are errors.
    std::span<const Protocol> protocols;
    std::span<const std::string_view> sink_types;
};

struct Validation {
    Plant proposed;  // ids of known records kept; only to be used when ok()
    Problems problems;

    [[nodiscard]] bool ok() const { return problems.error_count() == 0; }
};

// Checks every cell, row and reference in one pass. An empty cell means the field's fallback; a column that
// is missing keeps what is stored (merge) or means empty cells (replace). A secret shown as kSecretMask keeps
// the stored one.
Validation validate(const Workbook& workbook, const Plant& current, const ValidationRules& rules);

struct FieldChange {
    std::size_t field = 0;  // position in the kind's schema
    std::string from, to;   // secrets masked; a changed secret shows as kSecretMask on both sides
};
struct RecordChange {
    std::string code;
    std::vector<FieldChange> fields;
};
struct KindDiff {
    std::vector<std::string> added;
    std::vector<RecordChange> changed;
    std::vector<std::string> removed;
    std::size_t unchanged = 0;
};
struct Diff {
    std::uint64_t base_revision = 0;  // of the plant in force it was made against
    std::array<KindDiff, kKindCount> kinds;
    ChangeSet changes;  // secrets in clear: for Store::apply, never for an answer

    [[nodiscard]] const KindDiff& of(Kind kind) const { return kinds[static_cast<std::size_t>(kind)]; }
    [[nodiscard]] bool empty() const;
};

// The mode has done its work in validate: what `proposed` does not hold is removed.
Diff diff(const Plant& current, const Plant& proposed);

// --- the shapes of the API ---

// {sheet, row, column, cell, code, message, value}
proto::Json to_json(const Problem& problem);
proto::Json to_json(const std::vector<Problem>& problems);
// {"sites": {"added": n, "changed": n, "removed": n, "unchanged": n}, …}
proto::Json summary_json(const Diff& diff);
// {"sites": {"added": [{code, fields}], "changed": […], "removed": [{code}], "unchanged": n, "counts": {…},
// "truncated": bool}, …} where fields is {name: {"from": …, "to": …}}. At most `most` records in each list.
proto::Json to_json(const Diff& diff, std::size_t most = 1000);

// --- out ---

enum class ExportSecrets : std::uint8_t {
    kMasked,  // as kSecretMask
    kClear,   // for a file that is nobody's to read
};
Status write_export(const Plant& plant, const std::string& path, Language language,
                    ExportSecrets secrets = ExportSecrets::kMasked);
Status write_template(const std::string& path, Language language);
// The text of a cell as any surface may show it: secrets of options and URLs replaced by kSecretMask.
std::string masked_cell(const Field& field, std::string_view text);

// --- one record by hand ---

struct RecordCheck {
    Record record;  // canonical cells; the id of `existing`
    Problems problems;

    [[nodiscard]] bool ok() const { return problems.error_count() == 0; }
};
// `cells` as the user sent them, in schema order (missing ones at the end count as empty). `existing`: the
// record being changed, null for a new one. Problems name the field in `column` and have no row.
RecordCheck check_record(Kind kind, std::span<const std::string> cells, const Record* existing,
                         const Plant& plant, const ValidationRules& rules);
// What still refers to the record; empty when it can go.
std::vector<Problem> check_removal(Kind kind, std::string_view code, const Plant& plant, Language language);

}  // namespace fieldwarden::supervisor

namespace fieldwarden {
template <>
struct EnumNames<supervisor::ImportMode> {
    static constexpr std::array<EnumName<supervisor::ImportMode>, 2> table{{
        {supervisor::ImportMode::kMerge, "merge"},
        {supervisor::ImportMode::kReplace, "replace"},
    }};
};
}  // namespace fieldwarden
