#include "supervisor/workbook/problems.h"

namespace fieldwarden::supervisor {

Severity severity_of(ProblemCode code) {
    switch (code) {
        case ProblemCode::kFileNote:
        case ProblemCode::kUnknownSheet:
        case ProblemCode::kHiddenSheet:
        case ProblemCode::kAmbiguousValue:
        case ProblemCode::kOverlap:
        case ProblemCode::kUnused:
            return Severity::kWarning;
        case ProblemCode::kMissingSheet:
        case ProblemCode::kMissingColumn:
        case ProblemCode::kUnknownColumn:
        case ProblemCode::kDuplicateColumn:
        case ProblemCode::kMissingValue:
        case ProblemCode::kBadValue:
        case ProblemCode::kTooLong:
        case ProblemCode::kBadCode:
        case ProblemCode::kPeriodOutOfRange:
        case ProblemCode::kBadAddress:
        case ProblemCode::kBadOptions:
        case ProblemCode::kUnknownOption:
        case ProblemCode::kBadSchedule:
        case ProblemCode::kBadRunLimit:
        case ProblemCode::kBadStateMap:
        case ProblemCode::kBadUrl:
        case ProblemCode::kMaskedSecret:
        case ProblemCode::kZeroScale:
        case ProblemCode::kDuplicateCode:
        case ProblemCode::kDanglingReference:
        case ProblemCode::kNoMatch:
        case ProblemCode::kTypeMismatch:
        case ProblemCode::kMinAboveMax:
        case ProblemCode::kByteOrderConflict:
        case ProblemCode::kEmptyTask:
        case ProblemCode::kUnsupportedProtocol:
        case ProblemCode::kUnsupportedSink:
        case ProblemCode::kStillReferenced:
            return Severity::kError;
    }
    return Severity::kError;
}

bool Problems::has_room(Severity severity) const {
    return (severity == Severity::kError ? errors_ : warnings_).size() < kMaxKeptProblems;
}

void Problems::count_unkept(Severity severity) {
    ++(severity == Severity::kError ? error_count_ : warning_count_);
}

void Problems::add(Problem problem) {
    const auto severity = problem.severity();
    count_unkept(severity);
    if (has_room(severity))
        (severity == Severity::kError ? errors_ : warnings_).push_back(std::move(problem));
}

}  // namespace fieldwarden::supervisor
