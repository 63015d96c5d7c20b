// Random batches that reach every branch of the sample codec: extreme numbers, NaN, -0, long texts, points
// and times that jump both ways.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <random>

#include "common/sample.h"

namespace fieldwarden {

inline Value random_value(std::mt19937_64& random) {
    constexpr std::array<double, 10> kOdd{0.0,
                                          -0.0,
                                          std::numeric_limits<double>::quiet_NaN(),
                                          std::numeric_limits<double>::infinity(),
                                          -std::numeric_limits<double>::infinity(),
                                          std::numeric_limits<double>::denorm_min(),
                                          std::numeric_limits<double>::max(),
                                          0.1,
                                          static_cast<double>(0.1F),
                                          16'777'217.0};
    switch (random() % 8) {
        case 0:
            return {};
        case 1:
            return random() % 2 == 0;
        case 2:
            return static_cast<std::int64_t>(random() >> (random() % 64)) * (random() % 2 == 0 ? 1 : -1);
        case 3:
            return random() % 2 == 0 ? INT64_MIN : INT64_MAX;
        case 4:
            return random() % 9 == 0 ? UINT64_MAX : random() >> (random() % 64);
        case 5:
            return kOdd[random() % kOdd.size()];
        case 6:
            return std::bit_cast<double>(random());  // any pattern, signalling NaNs too
        default: {
            std::string text(random() % (random() % 20 == 0 ? 1000 : 20), '\0');
            for (auto& c : text) c = static_cast<char>(random());
            return text;
        }
    }
}

inline SampleBatch random_samples(std::mt19937_64& random, std::size_t most) {
    SampleBatch samples(random() % (most + 1));
    const bool one_time = random() % 2 == 0;
    const auto any_time = [&] {
        const auto micros = static_cast<std::int64_t>(random() >> (random() % 64));
        return UtcTime{std::chrono::microseconds{random() % 20 == 0 ? INT64_MIN : micros}};
    };
    const auto base = any_time();
    for (auto& sample : samples) {
        sample.point = static_cast<PointId>(random() >> (random() % 64));
        sample.quality = EnumNames<Quality>::table[random() % 3].value;
        sample.code = EnumNames<QualityCode>::table[random() % 7].value;
        sample.time = one_time ? base : any_time();
        sample.value = random_value(random);
    }
    return samples;
}

// Equal down to the bits of every double, so that NaN equals itself and -0 does not equal 0.
inline bool same_bits(const Sample& a, const Sample& b) {
    if (a.point != b.point || a.quality != b.quality || a.code != b.code || a.time != b.time) return false;
    if (a.value.index() != b.value.index()) return false;
    if (const auto* number = std::get_if<double>(&a.value)) {
        return std::bit_cast<std::uint64_t>(*number) ==
               std::bit_cast<std::uint64_t>(std::get<double>(b.value));
    }
    return a.value == b.value;
}
inline bool same_bits(const SampleBatch& a, const SampleBatch& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](const Sample& x, const Sample& y) { return same_bits(x, y); });
}

}  // namespace fieldwarden
