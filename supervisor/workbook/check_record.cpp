#include <algorithm>
#include <optional>

#include "supervisor/workbook/overlap.h"
#include "supervisor/workbook/record_checks.h"
#include "supervisor/workbook/secrets.h"
#include "supervisor/workbook/text.h"
#include "supervisor/workbook/workbook.h"

namespace fieldwarden::supervisor {

namespace {

// Points of `device` in the plant that share registers with the point, itself left out.
void check_overlaps(const Plant& plant, const Record& point, const ModbusPlace& place,
                    const ValidationRules& rules, Findings& findings) {
    static const auto kDevice = field_at(Kind::kPoint, "device_code");
    RecordChecks checks{plant, rules};
    const auto& points = plant.of(Kind::kPoint).all();
    std::vector<PlacedPoint> placed;
    Findings ignored;
    constexpr std::uint32_t kSelf = 0xFFFFFFFF;
    for (std::size_t i = 0; i < points.size(); ++i) {
        if (points[i].cells[kDevice] != point.cells[kDevice] || points[i].code() == point.code()) continue;
        std::optional<ModbusPlace> other;
        checks.point(points[i], ignored, &other);
        ignored.clear();
        if (other) placed.push_back({0, static_cast<std::uint32_t>(i), *other});
    }
    placed.push_back({0, kSelf, place});
    bool found = false;
    find_overlaps(placed, [&](OverlapKind kind, const PlacedPoint& first, const PlacedPoint& second) {
        if (found || (first.point != kSelf && second.point != kSelf)) return;
        const auto& other = first.point == kSelf ? second : first;
        findings.push_back(overlap_finding(kind, place, points[other.point], other.place, 0, rules.language));
        found = true;
    });
}

void check_device_points(const Plant& plant, const Record& device, RecordChecks& checks,
                         const ValidationRules& rules, Findings& findings) {
    static const auto kDevice = field_at(Kind::kPoint, "device_code");
    static const auto kProtocol = field_at(Kind::kDevice, "protocol");
    const auto facts = RecordChecks::facts_of(device);
    for (const auto& point : plant.of(Kind::kPoint).all()) {
        if (point.cells[kDevice] != device.code()) continue;
        Findings of_point;
        checks.point_on(point, facts, of_point, nullptr);
        for (auto& finding : of_point) {
            if (severity_of(finding.code) != Severity::kError || findings.size() >= kMaxKeptProblems)
                continue;
            findings.push_back({kProtocol, finding.code,
                                say(rules.language, "point {} no longer fits this device: {}",
                                    "测点 {} 与此设备不再匹配：{}", point.code(), finding.message),
                                std::move(finding.value)});
        }
    }
}

}  // namespace

RecordCheck check_record(Kind kind, std::span<const std::string> cells, const Record* existing,
                         const Plant& plant, const ValidationRules& rules) {
    const auto& schema = schema_of(kind);
    const auto language = rules.language;
    RecordCheck result;
    Findings findings;
    std::vector<std::string> canonical(schema.fields.size());
    for (std::size_t i = 0; i < schema.fields.size(); ++i) {
        const auto before = findings.size();
        if (i < cells.size()) {
            canonical_text(schema.fields[i], i, cells[i], language, canonical[i], findings);
        }
        if (schema.fields[i].required && canonical[i].empty() && findings.size() == before) {
            findings.push_back({i, ProblemCode::kMissingValue,
                                say(language, "a value is required here; fill it in", "此处必须填写")});
        }
    }
    put_back_secrets(kind, existing, canonical, language, findings);
    check_pairs(kind, canonical, language, findings);
    auto& record = result.record;
    record = {existing == nullptr ? 0 : existing->id, canonical};

    if (existing != nullptr && !record.code().empty() && record.code() != existing->code()) {
        findings.push_back({0, ProblemCode::kBadCode,
                            say(language, "the code names the record for good; create a new one instead",
                                "编码不可更改，请新建一条记录"),
                            std::string{record.code()}});
    } else if (existing == nullptr && !record.code().empty() &&
               plant.of(kind).find(record.code()) != nullptr) {
        findings.push_back({0, ProblemCode::kDuplicateCode,
                            say(language, "there is a {} with this code already", "已存在编码相同的{1}",
                                schema.noun, schema.noun_zh),
                            std::string{record.code()}});
    }

    RecordChecks checks{plant, rules};
    switch (kind) {
        case Kind::kSite:
            break;
        case Kind::kDeviceType:
            checks.device_type(record, findings);
            break;
        case Kind::kDevice:
            checks.device(record, findings);
            check_device_points(plant, record, checks, rules, findings);
            break;
        case Kind::kPoint: {
            std::optional<ModbusPlace> place;
            checks.point(record, findings, &place);
            if (place) check_overlaps(plant, record, *place, rules, findings);
            break;
        }
        case Kind::kTask:
            checks.task(record, findings);
            break;
        case Kind::kSink:
            checks.sink(record, findings);
            break;
    }
    for (auto& finding : findings) {
        const auto& field = schema.fields[finding.field];
        result.problems.add({.code = finding.code,
                             .sheet = std::string{schema.sheet},
                             .column = std::string{field.name},
                             .message = std::move(finding.message),
                             .value = shortened(masked_cell(field, finding.value), kMaxShownValue)});
    }
    return result;
}

std::vector<Problem> check_removal(Kind kind, std::string_view code, const Plant& plant, Language language) {
    std::vector<Problem> problems;
    for (const auto from : kAllKinds) {
        const auto& schema = schema_of(from);
        for (std::size_t i = 0; i < schema.fields.size(); ++i) {
            const auto& field = schema.fields[i];
            const bool list = field.type == FieldType::kCodeList;
            if ((field.type != FieldType::kReference && !list) || field.refers_to != kind) continue;
            std::vector<std::string> users;
            std::size_t count = 0;
            for (const auto& record : plant.of(from).all()) {
                const auto cell = record.cells[i];
                bool refers = cell == code;
                if (list) {
                    // A glob goes on to mean what else it matches.
                    const auto entries = split_codes(cell);
                    refers = std::find(entries.begin(), entries.end(), code) != entries.end();
                }
                if (!refers) continue;
                constexpr std::size_t kNamed = 5;
                if (++count <= kNamed) users.emplace_back(record.code());
            }
            if (count == 0) continue;
            problems.push_back(
                {.code = ProblemCode::kStillReferenced,
                 .sheet = std::string{schema_of(kind).sheet},
                 .column = std::string{schema_of(kind).fields[0].name},
                 .message = say(language, "{} {} still refer to it: {}; change or remove them first",
                                "仍有 {0} 条{3}引用它：{2}；请先修改或删除", count, schema.sheet,
                                joined(users, language), schema.noun_zh),
                 .value = std::string{code}});
        }
    }
    return problems;
}

}  // namespace fieldwarden::supervisor
