#include "worker/pipeline.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace fieldwarden::worker {

namespace {

// The number a sample holds; bool and text hold none.
std::optional<double> number_of(const Value& value) {
    if (const auto* real = std::get_if<double>(&value)) return *real;
    if (const auto* whole = std::get_if<std::int64_t>(&value)) return static_cast<double>(*whole);
    if (const auto* natural = std::get_if<std::uint64_t>(&value)) return static_cast<double>(*natural);
    return std::nullopt;
}

void mark_bad(Sample& sample, QualityCode code) {
    sample.quality = Quality::kBad;
    sample.code = code;
}

}  // namespace

Pipeline::Pipeline(std::span<const PointConfig> points) : last_(points.size()) {
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < points.size(); ++i) {
        const auto& point = points[i];
        last_[i].plain = !point.deadband;
        last_[i].stage = place({.linear = point.scale != 1.0 || point.offset != 0.0,
                                .ranged = point.min_value || point.max_value,
                                .scale = point.scale,
                                .offset = point.offset,
                                .least = point.min_value.value_or(-kInfinity),
                                .most = point.max_value.value_or(kInfinity),
                                .deadband = point.deadband});
    }
}

// Looks only at the newest few, so that a device whose points all differ is no slower to set up.
std::uint32_t Pipeline::place(const Stage& stage) {
    constexpr std::size_t kLookedAt = 16;
    const auto newest = stages_.end() - static_cast<std::ptrdiff_t>(std::min(stages_.size(), kLookedAt));
    const auto known = std::find(newest, stages_.end(), stage);
    if (known != stages_.end()) return static_cast<std::uint32_t>(known - stages_.begin());
    stages_.push_back(stage);
    return static_cast<std::uint32_t>(stages_.size() - 1);
}

void Pipeline::convert(std::span<const std::uint32_t> due, std::span<Sample> samples) const {
    for (std::size_t i = 0; i < due.size(); ++i) {
        auto& sample = samples[i];
        if (sample.quality == Quality::kBad) continue;
        const auto& stage = stages_[last_[due[i]].stage];
        const auto raw = number_of(sample.value);
        if (!raw) continue;
        double value = *raw;
        if (stage.linear) {
            value = value * stage.scale + stage.offset;
            sample.value = value;
        }
        if (!std::isfinite(value)) {
            mark_bad(sample, QualityCode::kDecode);
            sample.value = std::monostate{};
        } else if (stage.ranged && (value < stage.least || value > stage.most)) {
            mark_bad(sample, QualityCode::kOutOfRange);
        }
    }
}

bool Pipeline::wanted(const Stage& stage, Last& last, const Sample& sample) const {
    const bool changed = !last.seen || last.quality != sample.quality || last.code != sample.code;
    if (sample.quality == Quality::kBad) {
        return changed || !std::holds_alternative<std::monostate>(sample.value);
    }
    std::optional<double> number;
    if (stage.deadband) {
        number = number_of(sample.value);
        if (const auto* flag = std::get_if<bool>(&sample.value)) number = *flag ? 1.0 : 0.0;
    }
    if (!number) return true;
    if (!changed && std::abs(*number - last.value) < *stage.deadband) return false;
    last.value = *number;
    return true;
}

void Pipeline::filter(std::span<const std::uint32_t> due, SampleBatch& samples,
                      std::vector<Change>& changes) {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < due.size(); ++i) {
        auto& sample = samples[i];
        auto& last = last_[due[i]];
        if (last.plain && last.seen && last.quality == Quality::kGood && sample.quality == Quality::kGood) {
            if (kept != i) samples[kept] = std::move(sample);
            ++kept;
            continue;
        }
        const bool keep = wanted(stages_[last.stage], last, sample);
        if (last.code != sample.code) changes.push_back({due[i], last.code, sample.code});
        const bool was_good = last.seen && last.quality == Quality::kGood;
        const bool is_good = sample.quality == Quality::kGood;
        if (is_good && !was_good) ++points_good_;
        if (was_good && !is_good) --points_good_;
        last.seen = true;
        last.quality = sample.quality;
        last.code = sample.code;
        if (!keep) continue;
        if (kept != i) samples[kept] = std::move(sample);
        ++kept;
    }
    samples.resize(kept);
}

}  // namespace fieldwarden::worker
