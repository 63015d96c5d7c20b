// HistoryCollector: the first `limit` results of a history query out of samples that come in any order, in
// memory bounded by the limit. Pure: no database inside.
#pragma once

#include <map>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/history/history_reader.h"

namespace fieldwarden {

class HistoryCollector {
  public:
    // Both outlive the collector. `codes` holds every point that samples will be added of.
    HistoryCollector(const HistoryQuery& query, const std::unordered_map<PointId, std::string>& codes);

    // `sample` lies in the range asked for. Of several samples of one point at one time one is kept.
    void add(Sample&& sample);
    // Whether samples at `time` and beyond it, in the order asked for, can change nothing any more.
    [[nodiscard]] bool complete_before(std::int64_t time_us);
    // The results in order.
    std::vector<HistoryPoint> finish();

  private:
    struct Bucket {
        double sum = 0;
        std::uint64_t count = 0;
        Sample extreme;  // min, max or last
        UtcTime earliest{};
        UtcTime latest{};
        // For an average, which must know every sample: the times of those in `sum`, rising, and what came
        // out of order since.
        std::vector<UtcTime> times;
        std::vector<std::pair<UtcTime, double>> late;
    };
    static void add_to_average(Bucket& bucket, UtcTime time, double number);
    static void take_late(Bucket& bucket);
    // (time, rank of the code): the order of results. Times are negated when descending.
    using Key = std::pair<std::int64_t, std::uint32_t>;

    [[nodiscard]] Key key_of(UtcTime time, PointId point) const;
    void add_to_bucket(Sample&& sample);
    void cut_samples();
    void cut_buckets();

    const HistoryQuery& query_;
    const std::unordered_map<PointId, std::string>& codes_;
    std::unordered_map<PointId, std::uint32_t> ranks_;
    std::size_t limit_;
    // Beyond this key nothing is wanted: that many results before it exist already.
    std::optional<Key> last_wanted_;
    std::vector<std::pair<Key, Sample>> samples_;
    std::map<Key, Bucket> buckets_;
};

}  // namespace fieldwarden
