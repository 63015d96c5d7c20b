#include "supervisor/workbook/overlap.h"

#include <algorithm>
#include <tuple>

#include "supervisor/workbook/language.h"

namespace fieldwarden::supervisor {

namespace {

std::uint32_t end_of(const PlacedPoint& point) {
    return point.place.address.offset + std::uint32_t{words_of(point.place.type)};
}

bool same_registers(const PlacedPoint& a, const PlacedPoint& b) {
    return a.place.address.offset == b.place.address.offset && end_of(a) == end_of(b);
}

}  // namespace

void find_overlaps(std::vector<PlacedPoint>& points,
                   const std::function<void(OverlapKind, const PlacedPoint&, const PlacedPoint&)>& report) {
    std::erase_if(points, [](const PlacedPoint& point) { return point.place.type.base == BaseType::kBool; });
    const auto group = [](const PlacedPoint& point) {
        return std::tuple{point.device, point.place.unit_id, point.place.address.area};
    };
    const auto before_in_device = [&](const PlacedPoint& a, const PlacedPoint& b) {
        return std::tuple{group(a), a.place.address.offset, end_of(a), a.point} <
               std::tuple{group(b), b.place.address.offset, end_of(b), b.point};
    };
    // Most workbooks list the points in the order of their addresses.
    if (!std::is_sorted(points.begin(), points.end(), before_in_device)) {
        std::sort(points.begin(), points.end(), before_in_device);
    }
    // The earlier point that reaches furthest is the one a later point can run into.
    const PlacedPoint* furthest = nullptr;
    for (std::size_t i = 0; i < points.size(); ++i) {
        const auto& point = points[i];
        if (furthest != nullptr && group(*furthest) != group(point)) furthest = nullptr;
        // The same registers first: a different byte order is the worse mistake.
        const PlacedPoint* before = furthest;
        if (i > 0 && group(points[i - 1]) == group(point) && same_registers(points[i - 1], point)) {
            before = &points[i - 1];
        }
        if (before != nullptr && point.place.address.offset < end_of(*before)) {
            if (!same_registers(*before, point)) {
                report(OverlapKind::kPartial, *before, point);
            } else if (before->place.order != point.place.order) {
                report(OverlapKind::kByteOrder, *before, point);
            } else if (before->place.type != point.place.type) {
                report(OverlapKind::kType, *before, point);
            }
        }
        if (furthest == nullptr || end_of(point) > end_of(*furthest)) furthest = &point;
    }
}

Finding overlap_finding(OverlapKind kind, const ModbusPlace& ours, const Record& other,
                        const ModbusPlace& theirs, std::uint32_t row, Language language) {
    const auto where = row == 0 ? std::string{} : say(language, " (row {})", "（第 {} 行）", row);
    const auto range = format_modbus_address(theirs.address);
    switch (kind) {
        case OverlapKind::kByteOrder:
            return {field_at(Kind::kPoint, "byte_order"), ProblemCode::kByteOrderConflict,
                    say(language,
                        "point {}{} reads the same registers {} with byte order {}, this one with {}; one of "
                        "the two reads nonsense",
                        "测点 {0}{1} 以字节序 {3} 读取相同的寄存器 {2}，本行为 {4}；其中之一的值必然错误",
                        other.code(), where, range, to_name(theirs.order), to_name(ours.order))};
        case OverlapKind::kType:
            return {field_at(Kind::kPoint, "data_type"), ProblemCode::kOverlap,
                    say(language, "point {}{} reads the same registers {} as {}, this one as {}",
                        "测点 {0}{1} 以 {3} 读取相同的寄存器 {2}，本行为 {4}", other.code(), where, range,
                        format_data_type(theirs.type), format_data_type(ours.type))};
        case OverlapKind::kPartial:
            return {
                field_at(Kind::kPoint, "address"), ProblemCode::kOverlap,
                say(language, "shares registers with point {}{}: {} at {}, {} words; check both addresses",
                    "与测点 {}{} 的寄存器部分重叠：{} 位于 {}，{} 个字；请检查两个地址", other.code(), where,
                    format_data_type(theirs.type), range, words_of(theirs.type))};
    }
    return {};
}

}  // namespace fieldwarden::supervisor
