#include <algorithm>
#include <array>
#include <cassert>

#include "supervisor/workbook/columns.h"
#include "supervisor/workbook/overlap.h"
#include "supervisor/workbook/record_checks.h"
#include "supervisor/workbook/secrets.h"
#include "supervisor/workbook/text.h"
#include "supervisor/workbook/usage.h"
#include "supervisor/workbook/workbook.h"

namespace fieldwarden::supervisor {

namespace {

// Where a record of the proposed plant comes from: a row of a sheet, or (sheet kStored) the plant in force.
struct Origin {
    static constexpr std::uint16_t kStored = 0xFFFF;
    std::uint16_t sheet = kStored;
    std::uint32_t row = 0;
};

// A row that cannot become a record, for want of a code of its own; it is checked all the same.
struct Outcast {
    Kind kind;
    Record record;
    Origin origin;
};

class Validator {
  public:
    Validator(const Workbook& workbook, const Plant& current, const ValidationRules& rules)
        : workbook_(workbook), current_(current), rules_(rules), language_(rules.language) {}

    Validation run() {
        if (rules_.mode == ImportMode::kMerge) {
            result_.proposed = current_;
            for (const auto kind : kAllKinds) origins(kind).resize(current_.of(kind).size());
        }
        result_.proposed.revision = current_.revision;
        report_workbook();
        for (const auto& sheet : workbook_.sheets) read_sheet(sheet);
        report_missing_sheets();
        check_records();
        report_unused();
        return std::move(result_);
    }

  private:
    std::vector<Origin>& origins(Kind kind) { return origins_[static_cast<std::size_t>(kind)]; }
    Plant& proposed() { return result_.proposed; }
    Problems& problems() { return result_.problems; }

    void report_sheet(ProblemCode code, std::string_view sheet, std::string message) {
        problems().add({.code = code, .sheet = shortened(sheet, 100), .message = std::move(message)});
    }

    // --- the workbook as a whole ---

    void report_workbook() {
        for (const auto& note : workbook_.notes) report_sheet(ProblemCode::kFileNote, "", note);
        for (const auto& sheet : workbook_.skipped) {
            if (sheet.hidden) {
                if (!kind_of_sheet(sheet.name)) continue;
                report_sheet(ProblemCode::kHiddenSheet, sheet.name,
                             say(language_, "the sheet is hidden and was not read; unhide it if it is meant",
                                 "该工作表已隐藏，未读取；如需导入请取消隐藏"));
            } else if (!is_help_sheet(sheet.name)) {
                NearestMatch nearest{sheet.name};
                for (const auto kind : kAllKinds) {
                    nearest.offer(schema_of(kind).sheet);
                    nearest.offer(schema_of(kind).sheet_zh);
                }
                const auto hint = nearest.best().empty() ? std::string{}
                                                         : say(language_, " Did you mean '{}'?",
                                                               "是否应为“{}”？", nearest.best());
                report_sheet(
                    ProblemCode::kUnknownSheet, sheet.name,
                    say(language_,
                        "no kind of record has this name, so the sheet was not read.{} Known: sites, "
                        "device_types, devices, points, tasks, sinks",
                        "没有与此名称对应的表，未读取。{}"
                        "可用的表：站点、设备类型、设备、测点、采集任务、存储",
                        hint));
            }
        }
    }

    void report_missing_sheets() {
        if (sheets_.empty()) {
            report_sheet(
                ProblemCode::kMissingSheet, "",
                say(language_,
                    "the workbook has none of the sheets sites, device_types, devices, points, tasks, sinks "
                    "with a header row; start from the template",
                    "工作簿中没有带表头的 站点、设备类型、设备、测点、采集任务、存储 工作表，请使用模板"));
            return;
        }
        if (rules_.mode != ImportMode::kReplace) return;
        for (const auto kind : kAllKinds) {
            const auto is_there = [&](const SheetColumns& sheet) { return sheet.kind == kind; };
            if (current_.of(kind).empty() || std::any_of(sheets_.begin(), sheets_.end(), is_there)) continue;
            report_sheet(
                ProblemCode::kUnused, schema_of(kind).sheet,
                say(language_, "the workbook has no such sheet, so replacing removes all {} stored {}",
                    "工作簿中没有此表，替换导入将删除全部 {} 条{}", current_.of(kind).size(),
                    language_ == Language::kChinese ? schema_of(kind).noun_zh : schema_of(kind).sheet));
        }
    }

    // --- one row after the other ---

    void read_sheet(const Sheet& sheet) {
        const auto kind = kind_of_sheet(sheet.name);
        if (!kind) return;
        std::size_t header = 0;
        const auto blank = [&](std::size_t row) {
            const auto cells = sheet.cells_of(row);
            return std::all_of(cells.begin(), cells.end(), [](const Cell& cell) {
                return cell.kind == CellKind::kText && trimmed(cell.text).empty();
            });
        };
        while (header < sheet.rows.size() && blank(header)) ++header;
        if (header == sheet.rows.size()) return;  // an empty sheet says nothing about its kind
        sheets_.push_back(match_columns(*kind, sheet, header, language_, problems()));
        const auto position = static_cast<std::uint16_t>(sheets_.size() - 1);
        above_.assign(schema_of(*kind).fields.size(), {});
        const auto most = origins(*kind).size() + sheet.rows.size() - header;
        origins(*kind).reserve(most);
        proposed().of(*kind).reserve(most);
        for (std::size_t row = header + 1; row < sheet.rows.size(); ++row) {
            if (!blank(row)) read_row(sheet, row, position);
        }
    }

    void read_row(const Sheet& sheet, std::size_t row, std::uint16_t position) {
        const auto& columns = sheets_[position];
        const auto kind = columns.kind;
        const auto fields = schema_of(kind).fields;
        const Origin origin{position, sheet.rows[row].number};

        draft_.resize(fields.size());
        for (auto& cell : draft_) cell.clear();
        findings_.clear();
        for (const auto& cell : sheet.cells_of(row)) {
            if (cell.column >= columns.field_at.size()) continue;
            const auto field = columns.field_at[cell.column];
            if (field == SheetColumns::npos) continue;
            read_cell(fields[field], field, cell, draft_[field]);
        }
        report_missing_values(columns, sheet);

        const auto& code = draft_.front();
        const Record* stored =
            code.empty() || current_.of(kind).empty() ? nullptr : current_.of(kind).find(code);
        if (stored != nullptr && rules_.mode == ImportMode::kMerge) keep_absent_columns(columns, *stored);
        put_back_secrets(kind, stored, draft_, language_, findings_);
        check_pairs(kind, draft_, language_, findings_);
        Record record{stored == nullptr ? 0 : stored->id, draft_};
        // What the workbook repeats is kept once.
        if (stored != nullptr && stored->cells == record.cells) record.cells = stored->cells;
        const bool placed = !record.code().empty() && place(kind, record, origin);
        report(kind, origin, nullptr, findings_);
        if (!placed && outcasts_.size() < kMaxKeptProblems)
            outcasts_.push_back({kind, std::move(record), origin});
    }

    // Most columns repeat the value of the row above (device, type, unit): it is not understood anew.
    void read_cell(const Field& field, std::size_t position, const Cell& cell, std::string& out) {
        auto& above = above_[position];
        if (cell.kind == above.cell.kind && cell.text == above.cell.text) {
            out = above.canonical;
            return;
        }
        const auto before = findings_.size();
        canonical_cell(field, position, cell, language_, out, findings_);
        if (findings_.size() == before && field.type != FieldType::kCode) above = {cell, out};
    }

    void report_missing_values(const SheetColumns& columns, const Sheet& sheet) {
        const auto fields = schema_of(columns.kind).fields;
        for (std::size_t i = 0; i < fields.size(); ++i) {
            if (!fields[i].required || !draft_[i].empty() || !columns.column_of[i]) continue;
            const bool bad = std::any_of(findings_.begin(), findings_.end(),
                                         [&](const Finding& finding) { return finding.field == i; });
            if (bad) continue;
            const auto merged =
                sheet.has_merged_cells
                    ? say(language_, " (a merged cell has its value in the top left one only)",
                          "（合并单元格只有左上角有值）")
                    : std::string{};
            findings_.push_back(
                {i, ProblemCode::kMissingValue,
                 say(language_, "a value is required here{}; fill it in", "此处必须填写{}", merged)});
        }
    }

    void keep_absent_columns(const SheetColumns& columns, const Record& stored) {
        for (std::size_t i = 0; i < draft_.size() && i < stored.cells.size(); ++i) {
            if (!columns.column_of[i]) draft_[i] = stored.cells[i];
        }
    }

    // Moves the record into the proposed plant; false and a finding when a row before has taken its code.
    bool place(Kind kind, Record& record, Origin origin) {
        auto& records = proposed().of(kind);
        if (records.add(std::move(record))) {
            origins(kind).push_back(origin);
            return true;
        }
        const auto* other = records.find(record.code());
        auto& first = origins(kind)[static_cast<std::size_t>(other - records.all().data())];
        if (first.sheet == Origin::kStored) {
            first = origin;
            records.put(std::move(record));
            return true;
        }
        const auto where = first.sheet == origin.sheet
                               ? say(language_, "row {}", "第 {} 行", first.row)
                               : say(language_, "row {} of sheet {}", "第 {} 行（{} 表）", first.row,
                                     sheets_[first.sheet].sheet);
        findings_.push_back(
            {0, ProblemCode::kDuplicateCode,
             say(language_,
                 "the code stands in {} already; codes are unique, change or delete one of the two rows",
                 "编码已出现在{}，编码必须唯一，请修改或删除其中一行", where),
             std::string{record.code()}});
        return false;
    }

    // --- the records among each other ---

    void check_records() {
        RecordChecks checks{proposed(), rules_};
        const auto check = [&](Kind kind, auto function) {
            const auto& records = proposed().of(kind).all();
            for (std::size_t i = 0; i < records.size(); ++i) {
                if (origins(kind)[i].sheet == Origin::kStored) continue;
                findings_.clear();
                (checks.*function)(records[i], findings_);
                report(kind, origins(kind)[i], nullptr, findings_);
            }
            for (const auto& outcast : outcasts_) {
                if (outcast.kind != kind) continue;
                findings_.clear();
                (checks.*function)(outcast.record, findings_);
                report(kind, outcast.origin, nullptr, findings_);
            }
        };
        check(Kind::kDeviceType, &RecordChecks::device_type);
        check(Kind::kDevice, &RecordChecks::device);
        check_points(checks);
        check(Kind::kSink, &RecordChecks::sink);
        check(Kind::kTask, &RecordChecks::task);
        used_ = find_used(proposed(), checks);
    }

    void check_points(RecordChecks& checks) {
        const auto& points = proposed().of(Kind::kPoint).all();
        const auto& devices = proposed().of(Kind::kDevice);
        const auto& fields_device = field_at(Kind::kPoint, "device_code");
        std::vector<PlacedPoint> placed;
        placed.reserve(points.size());
        const Record* device = nullptr;
        for (std::size_t i = 0; i < points.size(); ++i) {
            const auto& point = points[i];
            const auto device_code = point.cells[fields_device];
            if (device == nullptr || device->code() != device_code) device = devices.find(device_code);
            const auto device_position = device == nullptr
                                             ? RecordChecks::kNoDevice
                                             : static_cast<std::uint32_t>(device - devices.all().data());
            std::optional<ModbusPlace> where;
            findings_.clear();
            checks.point(point, findings_, &where);
            if (where) placed.push_back({device_position, static_cast<std::uint32_t>(i), *where});
            const auto& origin = origins(Kind::kPoint)[i];
            if (origin.sheet != Origin::kStored) {
                report(Kind::kPoint, origin, nullptr, findings_);
            } else if (device != nullptr &&
                       origins(Kind::kDevice)[device_position].sheet != Origin::kStored) {
                // The workbook changes the device under a point that it does not hold itself.
                report(Kind::kDevice, origins(Kind::kDevice)[device_position], &point, findings_);
            }
        }
        for (const auto& outcast : outcasts_) {
            if (outcast.kind != Kind::kPoint) continue;
            findings_.clear();
            checks.point(outcast.record, findings_);
            report(Kind::kPoint, outcast.origin, nullptr, findings_);
        }
        find_overlaps(placed, [&](OverlapKind kind, const PlacedPoint& first, const PlacedPoint& second) {
            report_overlap(kind, first, second);
        });
    }

    void report_overlap(OverlapKind kind, const PlacedPoint& first, const PlacedPoint& second) {
        const auto& all = origins(Kind::kPoint);
        // The row to mend is the later one that the workbook holds.
        const bool second_is_ours = all[second.point].sheet != Origin::kStored;
        const bool first_is_later = all[first.point].sheet != Origin::kStored &&
                                    (!second_is_ours || (all[first.point].sheet == all[second.point].sheet &&
                                                         all[first.point].row > all[second.point].row));
        const auto& ours = first_is_later ? first : second;
        const auto& other = first_is_later ? second : first;
        const auto& origin = all[ours.point];
        if (origin.sheet == Origin::kStored) return;
        findings_.clear();
        findings_.push_back(overlap_finding(kind, ours.place, proposed().of(Kind::kPoint).all()[other.point],
                                            other.place, all[other.point].row, language_));
        findings_.back().value = proposed().of(Kind::kPoint).all()[ours.point].cells[findings_.back().field];
        report(Kind::kPoint, origin, nullptr, findings_);
    }

    // --- what nothing refers to ---

    void report_unused() {
        for (const auto kind : kAllKinds) {
            if (kind == Kind::kTask) continue;
            // One warning per sheet: a plant that is being set up has many of them.
            constexpr std::size_t kNamed = 5;
            std::vector<std::string> named;
            std::size_t count = 0;
            Origin first;
            const auto& records = proposed().of(kind).all();
            for (std::size_t i = 0; i < records.size(); ++i) {
                if (used_[static_cast<std::size_t>(kind)][i] || origins(kind)[i].sheet == Origin::kStored)
                    continue;
                if (count++ == 0) first = origins(kind)[i];
                if (named.size() < kNamed) named.emplace_back(records[i].code());
            }
            if (count == 0) continue;
            findings_.clear();
            findings_.push_back({0, ProblemCode::kUnused,
                                 unused_message(kind, count, joined(named, language_), language_),
                                 named.front()});
            report(kind, first, nullptr, findings_);
        }
    }

    // --- findings with a place ---

    // `stored` names the record in force that the finding is about, when it is not the row's own.
    void report(Kind kind, const Origin& origin, const Record* stored, const Findings& findings) {
        if (findings.empty()) return;
        const auto& columns = sheets_[origin.sheet];
        for (const auto& finding : findings) {
            const auto severity = severity_of(finding.code);
            if (!problems().has_room(severity)) {
                problems().count_unkept(severity);
                continue;
            }
            const auto& field = schema_of(stored == nullptr ? kind : Kind::kPoint).fields[finding.field];
            const bool own = stored == nullptr;
            const auto column = own ? columns.column_of[finding.field] : std::nullopt;
            problems().add({.code = finding.code,
                            .sheet = columns.sheet,
                            .row = origin.row,
                            .column = own ? shortened(columns.header_of[finding.field], kMaxShownValue) : "",
                            .cell = column ? fmt::format("{}{}", column_letters(*column), origin.row) : "",
                            .message = own ? finding.message
                                           : say(language_, "stored point {} no longer fits this device: {}",
                                                 "已保存的测点 {} 与此设备不再匹配：{}", stored->code(),
                                                 finding.message),
                            .value = shortened(masked_cell(field, finding.value), kMaxShownValue)});
        }
    }

    const Workbook& workbook_;
    const Plant& current_;
    const ValidationRules& rules_;
    Language language_;
    Validation result_;
    std::vector<SheetColumns> sheets_;
    struct ReadCell {
        Cell cell;
        std::string canonical;
    };
    std::vector<ReadCell> above_;     // per field, the last cell that was understood
    std::vector<std::string> draft_;  // the cells of the row that is being read
    std::array<std::vector<Origin>, kKindCount> origins_;
    UsedRecords used_;
    std::vector<Outcast> outcasts_;
    Findings findings_;
};

}  // namespace

Validation validate(const Workbook& workbook, const Plant& current, const ValidationRules& rules) {
    return Validator{workbook, current, rules}.run();
}

}  // namespace fieldwarden::supervisor
