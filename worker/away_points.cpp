#include "worker/away_points.h"

#include <algorithm>

namespace fieldwarden::worker {

namespace {

bool tells_of_outage(const Sample& sample) {
    return sample.quality == Quality::kBad &&
           (sample.code == QualityCode::kDisconnected || sample.code == QualityCode::kTimeout);
}

}  // namespace

AwayPoints::AwayPoints(std::size_t points, bool sends, UtcTime started)
    : started_(started), heard_(points, false), unheard_(points), said_(sends ? points : 0) {}

std::optional<UtcTime> AwayPoints::since(std::uint32_t index) const {
    if (unheard_ == 0 && away_.empty()) return std::nullopt;
    const auto found = away_.find(index);
    if (heard_[index]) return found == away_.end() ? std::nullopt : std::optional{found->second};
    return found == away_.end() ? started_ : std::max(started_, found->second);
}

void AwayPoints::is_back(std::uint32_t index) {
    away_.erase(index);
    if (heard_[index]) return;
    heard_[index] = true;
    --unheard_;
}

AwayPoints::Samples AwayPoints::look(std::span<const std::uint32_t> which, std::span<Sample> samples,
                                     UtcTime now) {
    for (std::size_t i = 0; i < samples.size(); ++i) {
        const auto& sample = samples[i];
        const auto index = which[i];
        if (tells_of_outage(sample)) {
            auto& from = away_[index];
            from = std::max(from, sample.time);
            returns_.erase(index);
            continue;
        }
        const bool is_kept = index < said_.size();
        if (const auto from = since(index)) {
            if (sample.time > *from) {
                returns_.erase(index);
                is_back(index);
            } else {
                const bool known =
                    !is_kept || (said_[index].time == sample.time && said_[index].value == sample.value);
                returns_[index] = {i, known};
            }
        }
        if (is_kept && sample.quality != Quality::kBad) said_[index] = sample;
    }
    Samples again;
    for (const auto& [index, found] : returns_) {
        is_back(index);
        if (found.known) {
            samples[found.position].time = now;
            continue;
        }
        again.which.push_back(index);
        again.samples.push_back(samples[found.position]);
        again.samples.back().time = now;
    }
    returns_.clear();
    return again;
}

AwayPoints::Samples AwayPoints::bring_back(UtcTime now) {
    Samples back;
    std::erase_if(away_, [&](const auto& entry) {
        const auto index = entry.first;
        if (index >= said_.size() || said_[index].time == UtcTime{}) return false;
        back.which.push_back(index);
        back.samples.push_back(said_[index]);
        back.samples.back().time = now;
        return true;
    });
    return back;
}

}  // namespace fieldwarden::worker
