#include "common/history/history_collect.h"

#include <algorithm>

namespace fieldwarden {

namespace {

std::optional<double> numeric(const Value& value) {
    switch (value.index()) {
        case 1:
            return std::get<bool>(value) ? 1.0 : 0.0;
        case 2:
            return static_cast<double>(std::get<std::int64_t>(value));
        case 3:
            return static_cast<double>(std::get<std::uint64_t>(value));
        case 4: {
            const double number = std::get<double>(value);
            return number == number ? std::optional{number} : std::nullopt;
        }
        default:
            return std::nullopt;
    }
}

// Start of the interval that holds `time`, also before 1970.
UtcTime interval_start(UtcTime time, std::chrono::milliseconds interval) {
    const auto length = std::chrono::microseconds{interval}.count();
    const auto at = time.time_since_epoch().count();
    const auto into = ((at % length) + length) % length;
    return UtcTime{std::chrono::microseconds{at - into}};
}

}  // namespace

HistoryCollector::HistoryCollector(const HistoryQuery& query,
                                   const std::unordered_map<PointId, std::string>& codes)
    : query_(query), codes_(codes), limit_(std::min(query.limit, kMostHistoryPoints)) {
    // Results of one moment are ordered by code; a code's several ids are one point.
    std::vector<std::pair<std::string_view, PointId>> sorted;
    for (const auto& [id, code] : codes) sorted.emplace_back(code, id);
    std::sort(sorted.begin(), sorted.end());
    std::uint32_t rank = 0;
    for (std::size_t i = 0; i < sorted.size(); ++i) {
        if (i > 0 && sorted[i].first != sorted[i - 1].first) ++rank;
        ranks_.emplace(sorted[i].second, rank);
    }
}

HistoryCollector::Key HistoryCollector::key_of(UtcTime time, PointId point) const {
    const auto at = time.time_since_epoch().count();
    return {query_.descending ? -at : at, ranks_.at(point)};
}

void HistoryCollector::add(Sample&& sample) {
    if (query_.aggregate != HistoryQuery::none) {
        add_to_bucket(std::move(sample));
        return;
    }
    const Key key = key_of(sample.time, sample.point);
    if (last_wanted_ && key > *last_wanted_) return;
    samples_.emplace_back(key, std::move(sample));
    if (samples_.size() >= 2 * limit_ + 1'000) cut_samples();
}

void HistoryCollector::cut_samples() {
    std::stable_sort(samples_.begin(), samples_.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    const auto same = [](const auto& a, const auto& b) { return a.first == b.first; };
    samples_.erase(std::unique(samples_.begin(), samples_.end(), same), samples_.end());
    if (samples_.size() >= limit_) {
        samples_.resize(limit_);
        last_wanted_ = samples_.back().first;
    }
}

void HistoryCollector::add_to_bucket(Sample&& sample) {
    const bool last = query_.aggregate == HistoryQuery::last;
    const auto number = numeric(sample.value);
    if (!last && (!number || sample.quality == Quality::kBad)) return;
    const Key key = key_of(interval_start(sample.time, query_.interval), sample.point);
    if (last_wanted_ && key > *last_wanted_) return;
    auto& bucket = buckets_[key];
    // A device may send the same sample again after a reconnect; it comes beside the first one and counts
    // once.
    if (bucket.count > 0 && (sample.time == bucket.earliest || sample.time == bucket.latest)) return;
    const bool first = bucket.count == 0;
    if (first || sample.time < bucket.earliest) bucket.earliest = sample.time;
    const bool newest = first || sample.time > bucket.latest;
    if (newest) bucket.latest = sample.time;
    if (query_.aggregate == HistoryQuery::avg) {
        add_to_average(bucket, sample.time, *number);
    } else {
        ++bucket.count;
    }
    switch (query_.aggregate) {
        case HistoryQuery::none:
        case HistoryQuery::avg:
            if (first) bucket.extreme = std::move(sample);
            break;
        case HistoryQuery::min:
            if (first || *number < *numeric(bucket.extreme.value)) bucket.extreme = std::move(sample);
            break;
        case HistoryQuery::max:
            if (first || *number > *numeric(bucket.extreme.value)) bucket.extreme = std::move(sample);
            break;
        case HistoryQuery::last:
            if (newest) bucket.extreme = std::move(sample);
            break;
    }
    if (buckets_.size() >= 2 * limit_ + 1'000) cut_buckets();
}

// A sample between the oldest and the newest may have been there already.
void HistoryCollector::add_to_average(Bucket& bucket, UtcTime time, double number) {
    if (bucket.times.empty() || time > bucket.times.back()) {
        bucket.times.push_back(time);
        bucket.sum += number;
        ++bucket.count;
        return;
    }
    constexpr std::size_t kFew = 64;
    bucket.late.emplace_back(time, number);
    if (bucket.late.size() >= std::max(kFew, bucket.times.size() / 2)) take_late(bucket);
}

void HistoryCollector::take_late(Bucket& bucket) {
    if (bucket.late.empty()) return;
    auto& late = bucket.late;
    auto& times = bucket.times;
    std::stable_sort(late.begin(), late.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    const auto known = static_cast<std::ptrdiff_t>(times.size());
    for (std::size_t i = 0; i < late.size(); ++i) {
        if (i > 0 && late[i].first == late[i - 1].first) continue;
        if (std::binary_search(times.begin(), times.begin() + known, late[i].first)) continue;
        times.push_back(late[i].first);
        bucket.sum += late[i].second;
        ++bucket.count;
    }
    std::inplace_merge(times.begin(), times.begin() + known, times.end());
    late.clear();
}

void HistoryCollector::cut_buckets() {
    if (buckets_.size() < limit_) return;
    const auto behind = std::next(buckets_.begin(), static_cast<std::ptrdiff_t>(limit_));
    buckets_.erase(behind, buckets_.end());
    last_wanted_ = std::prev(buckets_.end())->first;
}

bool HistoryCollector::complete_before(std::int64_t time_us) {
    query_.aggregate == HistoryQuery::none ? cut_samples() : cut_buckets();
    if (!last_wanted_) return false;
    const UtcTime time{std::chrono::microseconds{time_us}};
    const auto at = query_.aggregate == HistoryQuery::none ? time : interval_start(time, query_.interval);
    const auto order = query_.descending ? -at.time_since_epoch().count() : at.time_since_epoch().count();
    return order > std::get<0>(*last_wanted_);
}

std::vector<HistoryPoint> HistoryCollector::finish() {
    std::vector<HistoryPoint> results;
    if (query_.aggregate == HistoryQuery::none) {
        cut_samples();
        results.reserve(samples_.size());
        for (auto& [key, sample] : samples_) results.push_back({codes_.at(sample.point), std::move(sample)});
        return results;
    }
    cut_buckets();
    results.reserve(buckets_.size());
    for (auto& [key, bucket] : buckets_) {
        take_late(bucket);
        Sample sample = std::move(bucket.extreme);
        sample.time = interval_start(sample.time, query_.interval);
        if (query_.aggregate == HistoryQuery::avg)
            sample.value = bucket.sum / static_cast<double>(bucket.count);
        results.push_back({codes_.at(sample.point), std::move(sample)});
    }
    return results;
}

}  // namespace fieldwarden
