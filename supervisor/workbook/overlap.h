// Points of one device that read the same Modbus registers and do not agree on what stands there.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "supervisor/workbook/record_checks.h"

namespace fieldwarden::supervisor {

struct PlacedPoint {
    std::uint32_t device = 0;  // whatever tells devices apart
    std::uint32_t point = 0;   // the caller's own number for the point
    ModbusPlace place;
};

enum class OverlapKind : std::uint8_t {
    kByteOrder,  // the same registers, another byte order
    kType,       // the same registers, another type
    kPartial,    // some of the same registers
};

// Reports each point at most once, against the nearest earlier one it disagrees with. Bits, single registers
// read twice alike, and the same value under two codes are no overlap. Sorts `points`.
void find_overlaps(
    std::vector<PlacedPoint>& points,
    const std::function<void(OverlapKind, const PlacedPoint& first, const PlacedPoint& second)>& report);

// What is wrong with `ours`, a point that disagrees with the point `other` at `theirs`; `row` is that
// point's, 0 when it stands in no sheet.
Finding overlap_finding(OverlapKind kind, const ModbusPlace& ours, const Record& other,
                        const ModbusPlace& theirs, std::uint32_t row, Language language);

}  // namespace fieldwarden::supervisor
