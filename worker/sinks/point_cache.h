// PointCache: what a sink works out once for each point of a directory. A scan brings its points in one order
// time after time, so the one behind the last is tried before any search. One thread.
#pragma once

#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "worker/sinks/sink.h"

namespace fieldwarden::worker {

template <class Entry>
class PointCache {
  public:
    // `make(identity)` is asked when a point comes for the first time since the batches have this directory.
    // Null: the directory does not know the point. Valid until the next call.
    template <class Make>
    const Entry* find(const DeliveryBatch& batch, PointId point, const Make& make) {
        if (version_ != batch.directory_version) {
            entries_.clear();
            places_.clear();
            next_ = 0;
            version_ = batch.directory_version;
        }
        if (next_ >= entries_.size() || entries_[next_].first != point) {
            const auto place = places_.find(point);
            if (place != places_.end()) {
                next_ = place->second;
            } else {
                if (batch.directory == nullptr) return nullptr;
                const auto identity = batch.directory->find(point);
                if (identity == batch.directory->end()) return nullptr;
                next_ = entries_.size();
                entries_.emplace_back(point, make(identity->second));
                places_.emplace(point, next_);
            }
        }
        return &entries_[next_++].second;
    }

  private:
    std::vector<std::pair<PointId, Entry>> entries_;  // in the order in which they came first
    std::unordered_map<PointId, std::size_t> places_;
    std::size_t next_ = 0;  // behind the last one found
    std::optional<std::uint64_t> version_;
};

}  // namespace fieldwarden::worker
