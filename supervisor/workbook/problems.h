// Problems of a workbook or of one record: what is wrong, where, and how to mend it.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/enum_table.h"
#include "supervisor/workbook/limits.h"

namespace fieldwarden::supervisor {

enum class Severity : std::uint8_t { kError, kWarning };

enum class ProblemCode : std::uint8_t {
    // the file and its sheets
    kFileNote,
    kMissingSheet,
    kUnknownSheet,
    kHiddenSheet,
    // columns
    kMissingColumn,
    kUnknownColumn,
    kDuplicateColumn,
    // one cell
    kMissingValue,
    kBadValue,
    kTooLong,
    kBadCode,
    kAmbiguousValue,
    kPeriodOutOfRange,
    kBadAddress,
    kBadOptions,
    kUnknownOption,
    kBadSchedule,
    kBadRunLimit,
    kBadStateMap,
    kBadUrl,
    kMaskedSecret,
    kZeroScale,
    // one record against itself and the others
    kDuplicateCode,
    kDanglingReference,
    kNoMatch,
    kTypeMismatch,
    kMinAboveMax,
    kByteOrderConflict,
    kOverlap,
    kEmptyTask,
    kUnsupportedProtocol,
    kUnsupportedSink,
    kUnused,
    kStillReferenced,
};

// Warnings do not keep a workbook from being applied.
Severity severity_of(ProblemCode code);

struct Problem {
    ProblemCode code = ProblemCode::kBadValue;
    std::string sheet = {};    // as the workbook names it; for a single record the kind's English name
    std::uint32_t row = 0;     // as Excel numbers it; 0 when the problem is not of one row
    std::string column = {};   // the header as the workbook writes it, or the field's name
    std::string cell = {};     // "D17"; "" when there is no such cell
    std::string message = {};  // what is wrong and how to mend it, in the language asked for
    std::string value = {};    // shortened; secrets masked

    [[nodiscard]] Severity severity() const { return severity_of(code); }
};

// All problems are counted, the first kMaxKeptProblems of each severity are kept.
class Problems {
  public:
    void add(Problem problem);

    [[nodiscard]] const std::vector<Problem>& errors() const { return errors_; }
    [[nodiscard]] const std::vector<Problem>& warnings() const { return warnings_; }
    [[nodiscard]] std::size_t error_count() const { return error_count_; }
    [[nodiscard]] std::size_t warning_count() const { return warning_count_; }
    // Whether a problem of this severity would still be kept: spares the caller building a message nobody
    // sees.
    [[nodiscard]] bool has_room(Severity severity) const;
    void count_unkept(Severity severity);

  private:
    std::vector<Problem> errors_;
    std::vector<Problem> warnings_;
    std::size_t error_count_ = 0;
    std::size_t warning_count_ = 0;
};

}  // namespace fieldwarden::supervisor

namespace fieldwarden {
template <>
struct EnumNames<supervisor::ProblemCode> {
    using E = supervisor::ProblemCode;
    static constexpr std::array<EnumName<E>, 34> table{{
        {E::kFileNote, "file_note"},
        {E::kMissingSheet, "missing_sheet"},
        {E::kUnknownSheet, "unknown_sheet"},
        {E::kHiddenSheet, "hidden_sheet"},
        {E::kMissingColumn, "missing_column"},
        {E::kUnknownColumn, "unknown_column"},
        {E::kDuplicateColumn, "duplicate_column"},
        {E::kMissingValue, "missing_value"},
        {E::kBadValue, "bad_value"},
        {E::kTooLong, "too_long"},
        {E::kBadCode, "bad_code"},
        {E::kAmbiguousValue, "ambiguous_value"},
        {E::kPeriodOutOfRange, "period_out_of_range"},
        {E::kBadAddress, "bad_address"},
        {E::kBadOptions, "bad_options"},
        {E::kUnknownOption, "unknown_option"},
        {E::kBadSchedule, "bad_schedule"},
        {E::kBadRunLimit, "bad_run_limit"},
        {E::kBadStateMap, "bad_state_map"},
        {E::kBadUrl, "bad_url"},
        {E::kMaskedSecret, "masked_secret"},
        {E::kZeroScale, "zero_scale"},
        {E::kDuplicateCode, "duplicate_code"},
        {E::kDanglingReference, "dangling_reference"},
        {E::kNoMatch, "no_match"},
        {E::kTypeMismatch, "type_mismatch"},
        {E::kMinAboveMax, "min_above_max"},
        {E::kByteOrderConflict, "byte_order_conflict"},
        {E::kOverlap, "overlap"},
        {E::kEmptyTask, "empty_task"},
        {E::kUnsupportedProtocol, "unsupported_protocol"},
        {E::kUnsupportedSink, "unsupported_sink"},
        {E::kUnused, "unused"},
        {E::kStillReferenced, "still_referenced"},
    }};
};
}  // namespace fieldwarden
