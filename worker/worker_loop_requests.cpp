// WorkerLoop: requests that are answered by a Reply. The work runs on a thread of its own (Requests).
#include <fmt/format.h>

#include <future>

#include "worker/point_directory.h"
#include "worker/probe.h"
#include "worker/worker_loop.h"

namespace fieldwarden::worker {

using std::chrono::milliseconds;

namespace {

constexpr milliseconds kAcquireDeadline{10'000};
constexpr milliseconds kDiagnoseDeadline{1'000};

proto::Reply refusal(Error error) {
    proto::Reply reply;
    reply.error_kind = error.kind;
    reply.error = std::move(error.message);
    return reply;
}

double milliseconds_since(MonoTime start) {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

void WorkerLoop::handle(const proto::AcquireOnce& message) {
    const auto loops = line_ ? line_->devices->loops() : std::vector<std::shared_ptr<DeviceLoop>>{};
    post_request(message.request_id, [loops] {
        proto::Reply reply;
        std::vector<std::future<Result<SampleBatch>>> scans;
        for (const auto& loop : loops) {
            scans.push_back(
                std::async(std::launch::async, [loop] { return loop->acquire_once(kAcquireDeadline); }));
        }
        for (auto& scan : scans) {
            auto samples = scan.get();
            if (samples) {
                reply.ok = true;
                std::move(samples->begin(), samples->end(), std::back_inserter(reply.samples));
            } else {
                reply.error += (reply.error.empty() ? "" : "; ") + samples.error().message;
            }
        }
        if (loops.empty()) reply.error = "this worker runs no task";
        return reply;
    });
}

void WorkerLoop::handle(const proto::TestConnection& message) {
    log_.hide(secrets_of(message.device));
    post_request(message.request_id, [this, device = message.device] {
        proto::Reply reply;
        reply.ok = true;
        reply.probe = test_connection(device, clock_);
        return reply;
    });
}

void WorkerLoop::handle(const proto::TestStorage& message) {
    log_.hide(secrets_of(message.sink));
    post_request(message.request_id, [this, config = message.sink] {
        const auto started = std::chrono::steady_clock::now();
        proto::Reply reply;
        reply.ok = true;
        reply.probe.emplace();
        auto sink = make_sink(config, {environment_.data_dir, environment_.task_code, {}, log_.function()});
        if (!sink) {
            reply.probe->detail = sink.error().message;
            reply.probe->error_category = proto::ErrorCategory::kConfigurationError;
            return reply;
        }
        const auto probed = (*sink)->probe();
        reply.probe->ok = probed.has_value();
        reply.probe->detail = probed ? *probed : probed.error().message;
        if (!probed) reply.probe->error_category = proto::ErrorCategory::kConnectionError;
        reply.probe->latency_ms = milliseconds_since(started);
        return reply;
    });
}

void WorkerLoop::handle(const proto::WritePoint& message) {
    if (message.device) log_.hide(secrets_of(*message.device));
    const auto loop = line_ && !message.device ? line_->devices->loop_of(message.point) : nullptr;
    post_request(message.request_id, [loop, message, asked = clock_.mono_now(), this] {
        // Requests are done one after the other. A write that had to wait must not reach the device after the
        // operator was told that it failed.
        if (clock_.mono_now() - asked > kAcquireDeadline) {
            return refusal(
                make_error(ErrorKind::kTimeout,
                           "nothing was written: the worker was busy with other requests for too long"));
        }
        Result<ReadBack> written =
            make_error(ErrorKind::kNotFound, "the task that runs does not hold this point");
        if (message.device) {
            written = write_over_own_connection(*message.device, message.value);
        } else if (loop != nullptr) {
            written = loop->write(message.point, message.value, kAcquireDeadline);
        }
        if (!written) return refusal(written.error());
        proto::Reply reply;
        reply.ok = true;
        reply.confirmed = written->confirmed;
        reply.samples.push_back(std::move(written->sample));
        return reply;
    });
}

void WorkerLoop::handle(const proto::Browse& message) {
    log_.hide(secrets_of(message.device));
    post_request(message.request_id, [message] {
        auto page = browse_device(message.device, message.node);
        if (!page) return refusal(page.error());
        proto::Reply reply;
        reply.ok = true;
        reply.browse = std::move(*page);
        return reply;
    });
}

void WorkerLoop::handle(const proto::Diagnose& message) {
    const auto loops = line_ ? line_->devices->loops() : std::vector<std::shared_ptr<DeviceLoop>>{};
    post_request(message.request_id, [loops] {
        proto::Reply reply;
        reply.ok = true;
        for (const auto& loop : loops) {
            if (auto device = loop->diagnostics(kDiagnoseDeadline)) {
                reply.diagnostics.push_back(std::move(*device));
            }
        }
        return reply;
    });
}

void WorkerLoop::handle(const proto::QueryStore& message) {
    log_.hide(secrets_of(message.sink));
    post_request(message.request_id, [this, message] {
        const SinkContext context{environment_.data_dir, message.task_code, {}, log_.function()};
        auto sink = make_sink(message.sink, context);
        if (!sink) return refusal(sink.error());
        StoredRange range;
        if (message.range) {
            range = {message.range->start, message.range->end, message.range->limit,
                     message.range->descending};
        }
        const auto directory = directory_of(message.devices);
        auto stored = message.range ? (*sink)->stored_range(directory, range) : (*sink)->newest(directory);
        if (!stored) return refusal(stored.error());
        proto::Reply reply;
        reply.ok = true;
        reply.samples = std::move(*stored);
        return reply;
    });
}

void WorkerLoop::post_request(std::uint64_t request_id, std::function<proto::Reply()> work) {
    const bool posted = requests_->post([request_id, work = std::move(work)] {
        const auto started = std::chrono::steady_clock::now();
        auto reply = work();
        reply.request_id = request_id;
        reply.duration_ms = milliseconds_since(started);
        return reply;
    });
    if (posted) return;
    proto::Reply busy;
    busy.request_id = request_id;
    busy.error = fmt::format("{} requests are waiting already; try again later", Requests::kMostWaiting);
    link_->send(busy);
}

}  // namespace fieldwarden::worker
