#include "supervisor/fleet/recall.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/sink_options.h"
#include "supervisor/plant/store_question.h"

namespace fieldwarden::supervisor {

void Recall::add(const KeptConfigPtr& config) {
    const bool readable = std::ranges::any_of(config->sinks, [](const SinkConfig& sink) {
        const auto* type = find_sink_type(sink.type);
        return type != nullptr && type->readable;
    });
    if (readable) waiting_.push_back({config, {}, 0});
}

void Recall::forget(std::string_view task_code) {
    std::erase_if(waiting_, [&](const Waiting& each) { return each.config->task_code == task_code; });
    if (asking_ && current_task_ == task_code) {
        ++current_;
        asking_ = false;
    }
}

void Recall::tick(MonoTime now) {
    if (asking_) return;
    const auto due =
        std::ranges::find_if(waiting_, [&](const Waiting& each) { return now >= each.not_before; });
    if (due == waiting_.end()) return;
    auto next = std::move(*due);
    waiting_.erase(due);
    auto config = next.config.kept().full();
    if (!config) return;  // a defect, which starting the task reports
    auto question = store_question(std::move(*config));
    if (!question) return;
    asking_ = true;
    current_task_ = question->task_code;
    const auto number = ++current_;
    auto subject = "sink " + question->sink.sink_code;
    ask_(std::move(*question), subject,
         [this, number, subject, next = std::move(next)](Result<proto::Reply> reply) mutable {
             if (number != current_) return;
             asking_ = false;
             take(std::move(next), subject, std::move(reply));
         });
}

void Recall::take(Waiting&& asked, const std::string& subject, Result<proto::Reply> reply) {
    if (reply && reply->ok) {
        for (auto& sample : reply->samples) {
            if (sample.quality == Quality::kBad) continue;  // it keeps the reason it had
            sample.quality = Quality::kBad;
            sample.code = QualityCode::kStale;
        }
        live_.recall(reply->samples);
        return;
    }
    constexpr std::chrono::seconds kBusyPause{1};
    if (!reply && reply.error().kind == ErrorKind::kBusy) {
        asked.not_before = clock_.mono_now() + kBusyPause;
        waiting_.push_back(std::move(asked));
        return;
    }
    const bool again = ++asked.attempts < kMostAttempts;
    if (asked.attempts == 1 || !again) {
        log_(proto::LogLevel::kWarning,
             fmt::format("{} does not say what it holds of task {}, so its realtime data is empty until the "
                         "task runs: {}{}",
                         subject, asked.config->task_code, reply ? reply->error : reply.error().message,
                         again ? fmt::format(" (asked again every {} s)", kRetryInterval.count()) : ""));
    }
    if (!again) return;
    asked.not_before = clock_.mono_now() + kRetryInterval;
    waiting_.push_back(std::move(asked));
}

}  // namespace fieldwarden::supervisor
