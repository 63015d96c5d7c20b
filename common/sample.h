// What acquisition produces: one value of one point at one moment, with its quality.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "common/clock.h"
#include "common/enum_table.h"

namespace fieldwarden {

// The store's numeric id of a point: unique over the site's life, never reused.
using PointId = std::uint32_t;

// std::monostate: no value (quality is bad).
using Value = std::variant<std::monostate, bool, std::int64_t, std::uint64_t, double, std::string>;

enum class Quality : std::uint8_t { kGood, kUncertain, kBad };

// Why a sample is not good (CONTRACT 5). kNone with good quality.
enum class QualityCode : std::uint8_t {
    kNone,
    kTimeout,
    kDisconnected,
    kIllegalAddress,
    kDecode,
    kOutOfRange,
    kStale,
};

template <>
struct EnumNames<Quality> {
    static constexpr std::array<EnumName<Quality>, 3> table{{
        {Quality::kGood, "good"},
        {Quality::kUncertain, "uncertain"},
        {Quality::kBad, "bad"},
    }};
};

template <>
struct EnumNames<QualityCode> {
    static constexpr std::array<EnumName<QualityCode>, 7> table{{
        {QualityCode::kNone, ""},
        {QualityCode::kTimeout, "timeout"},
        {QualityCode::kDisconnected, "disconnected"},
        {QualityCode::kIllegalAddress, "illegal_address"},
        {QualityCode::kDecode, "decode"},
        {QualityCode::kOutOfRange, "out_of_range"},
        {QualityCode::kStale, "stale"},
    }};
};

struct Sample {
    PointId point = 0;
    Quality quality = Quality::kGood;
    QualityCode code = QualityCode::kNone;
    UtcTime time{};
    Value value{};

    bool operator==(const Sample&) const = default;
};

using SampleBatch = std::vector<Sample>;

}  // namespace fieldwarden
