#include "worker/sink_set.h"

#include <algorithm>

#include "common/data_paths.h"

namespace fieldwarden::worker {

using std::chrono::milliseconds;

std::vector<SinkConfig> sinks_of(const TaskConfig& config) {
    if (!config.sinks.empty()) return config.sinks;
    return {SinkConfig{"history", "history", "", {}}};
}

SinkSet::SinkSet(Spool& spool, std::string data_dir, std::string task_code, LogFunction log,
                 const Clock& clock)
    : spool_(spool),
      data_dir_(std::move(data_dir)),
      task_code_(std::move(task_code)),
      log_(std::move(log)),
      clock_(clock) {}

SinkSet::~SinkSet() {
    stop(milliseconds{0});
}

Status SinkSet::apply(const TaskConfig& config) {
    const auto wanted = sinks_of(config);
    const SinkContext context{data_dir_, task_code_, config.history, log_};
    const auto unchanged = [&](const SinkConfig& sink) {
        const auto found = sinks_.find(sink.sink_code);
        if (found == sinks_.end() || found->second.config != sink) return false;
        return sink.type != "history" || found->second.history == config.history;
    };
    std::map<std::string, std::unique_ptr<Sink>> made;
    std::vector<std::string> codes;
    for (const auto& sink : wanted) {
        codes.push_back(sink.sink_code);
        if (unchanged(sink)) continue;
        auto instance = make_sink(sink, context);
        if (!instance) return instance.error();
        made.emplace(sink.sink_code, std::move(*instance));
    }

    // A changed sink's flusher ends where it stands; its successor goes on from the same cursor.
    std::map<std::string, std::pair<std::uint64_t, proto::DeliveryAges>> before;
    for (auto it = sinks_.begin(); it != sinks_.end();) {
        const bool listed = std::find(codes.begin(), codes.end(), it->first) != codes.end();
        if (listed && !made.contains(it->first)) {
            ++it;
            continue;
        }
        it->second.flusher->request_stop(milliseconds{0});
        it->second.flusher->join();
        const auto stats = it->second.flusher->stats();
        auto& [delivered, ages] = before[it->first];
        delivered = it->second.delivered_before + stats.delivered;
        ages = it->second.ages_before;
        ages += stats.ages;
        it = sinks_.erase(it);
    }
    if (auto set = spool_.set_sinks(codes); !set) return set;
    for (const auto& sink : wanted) {
        const auto instance = made.find(sink.sink_code);
        if (instance == made.end() || instance->second == nullptr) continue;
        FlusherOptions options;
        options.sink_code = sink.sink_code;
        options.dead_letters_path = dead_letters_file(data_dir_, task_code_, sink.sink_code);
        options.log = log_;
        const auto& [delivered, ages] = before[sink.sink_code];
        Entry entry{sink, config.history, nullptr, delivered, ages};
        entry.flusher = std::make_unique<Flusher>(std::move(options), std::move(instance->second),
                                                  spool_.reader(sink.sink_code), clock_);
        entry.flusher->start();
        sinks_.emplace(sink.sink_code, std::move(entry));
    }
    return {};
}

void SinkSet::stop(milliseconds grace) {
    for (auto& [code, sink] : sinks_) sink.flusher->request_stop(grace);
    for (auto& [code, sink] : sinks_) sink.flusher->join();
}

void SinkSet::look_at_letters() {
    for (auto& [code, sink] : sinks_) sink.flusher->look_at_letters();
}

SinkSet::Stats SinkSet::stats() const {
    Stats total;
    bool first = true;
    for (const auto& [code, sink] : sinks_) {
        const auto stats = sink.flusher->stats();
        const auto delivered = sink.delivered_before + stats.delivered;
        total.delivered = first ? delivered : std::min(total.delivered, delivered);
        total.dead += stats.dead;
        total.retrying = std::max(total.retrying, stats.retrying);
        first = false;
        auto& shown = total.sinks.emplace_back();
        shown = {code,
                 stats.pending,
                 stats.retrying,
                 stats.dead,
                 stats.last_error,
                 stats.dead_reason,
                 sink.ages_before};
        shown.ages += stats.ages;
    }
    return total;
}

}  // namespace fieldwarden::worker
