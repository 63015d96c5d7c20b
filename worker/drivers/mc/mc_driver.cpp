#include "worker/drivers/mc/mc_driver.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "worker/decode.h"
#include "worker/drivers/mc/mc_values.h"

namespace fieldwarden::worker::mc {

namespace {

constexpr std::uint32_t kBitsOfWord = 16;

MonoTime mono_now() {
    return system_clock().mono_now();
}

QualityCode quality_of(Refusal refusal) {
    switch (refusal) {
        case Refusal::kAddress:
        case Refusal::kDevice:
        case Refusal::kCommand:
            return QualityCode::kIllegalAddress;
        case Refusal::kBusy:
            return QualityCode::kTimeout;
        case Refusal::kRoute:
        case Refusal::kSettings:
        case Refusal::kDenied:
            return QualityCode::kDisconnected;
    }
    return QualityCode::kIllegalAddress;
}

// Whether the points, and not the moment, are to blame.
bool blames_points(Refusal refusal) {
    return quality_of(refusal) == QualityCode::kIllegalAddress;
}

// A gap is given in words; bits of a lane are counted one by one.
ReadLimits limits_of(const McDriver::Settings& settings, bool is_bit, bool exact) {
    return lane_limits(settings.limits, settings.max_words,
                       is_bit ? settings.max_gap * kBitsOfWord : settings.max_gap, exact);
}

}  // namespace

McDriver::McDriver(std::vector<Point> points, const std::vector<ReadPoint>& places, Settings settings,
                   std::unique_ptr<McLink> link)
    : points_(std::move(points)),
      settings_(settings),
      link_(std::move(link)),
      retry_at_(points_.size()),
      slots_(points_.size()) {
    std::map<std::uint8_t, std::vector<ReadPoint>> by_area;
    for (const auto& place : places) by_area[place.area].push_back(place);
    for (auto& [area, of_area] : by_area) {
        const bool is_bit = of_area.front().is_bit;
        const bool exact = is_bit && always_exact(area);
        const auto limits = limits_of(settings_, is_bit, exact);
        lanes_.push_back({.is_bit = is_bit, .exact = exact, .plan = {std::move(of_area), limits}});
    }
}

Status McDriver::connect() {
    moved();
    auto status = link_->connect();
    if (!status) failed_step_ = link_->stream().failed_step();
    random_works_ = true;  // another device may answer now
    first_request_ = true;
    moved();
    return status;
}

Status McDriver::read(std::span<const std::uint32_t> due, SampleBatch& out) {
    slots_.begin(due, points_, out);
    over_.reset();
    lost_ = false;
    searches_left_ = kSearchRequestsPerRead;
    answers_ = 0;
    response_ms_ = 0;
    responses_ = 0;
    stats_.last_refusal.clear();

    read_all();
    if (over_ && over_->kind == ErrorKind::kTimeout) mark_unread(QualityCode::kTimeout, due);
    slots_.end(due);
    stats_.bytes_sent = link_->stream().bytes_sent();
    stats_.bytes_received = link_->stream().bytes_received();
    if (responses_ != 0) stats_.last_response_ms = response_ms_ / responses_;

    if (!over_) return {};
    // A device that answered before and recognises late answers is slow, not gone.
    if (!lost_ && answers_ > 0) {
        stats_.last_refusal = over_->message;
        return {};
    }
    failed_step_ = ConnectStep::kRead;
    return *over_;
}

void McDriver::read_all() {
    std::vector<Task> tasks;
    std::vector<Load> loads;
    for (std::size_t lane = 0; lane < lanes_.size(); ++lane) {
        for (const auto& read : lanes_[lane].plan.requests()) {
            if (!slots_.any_due(read)) continue;
            tasks.push_back({lane, &read});
            loads.push_back(load_of(read, lanes_[lane].exact));
        }
    }
    std::vector<Refused> refused;
    for (const auto& step : combine(loads, random_works_ ? settings_.limits.random : 0)) {
        std::vector<Task> together;
        for (const auto at : step.reads) together.push_back(tasks[at]);
        if (step.random && random_works_) {
            run_together(together, refused);
        } else {
            run_apart(together, refused);
        }
        if (over_) return;
    }
    // Only now: learning makes new plans, and the tasks above point into the old ones.
    for (auto& each : refused) {
        if (over_) return;
        learn(std::move(each));
    }
    for (std::size_t lane = 0; lane < lanes_.size() && !over_; ++lane) probe_illegal(lane);
}

// One random read. When it is refused its parts are read one by one, which tells which of them is to blame;
// when none of them is, the device does not take random reads.
void McDriver::run_together(std::span<const Task> tasks, std::vector<Refused>& refused) {
    std::vector<const ReadRequest*> reads;
    for (const auto& task : tasks) reads.push_back(task.read);
    const auto wire = random_wire(reads);
    if (settle(ask(wire.request), tasks, wire) != Told::kRefused) return;
    const bool unknown_command = refusal_ == Refusal::kCommand;
    if (!blames_points(refusal_)) return;
    const bool all_fine = run_apart(tasks, refused);
    if (unknown_command || (all_fine && !over_)) random_works_ = false;
}

// Batch reads, one by one; true when none was refused.
bool McDriver::run_apart(std::span<const Task> tasks, std::vector<Refused>& refused) {
    bool fine = true;
    for (const auto& task : tasks) {
        const auto told = run_batch(task);
        if (told == Told::kOver) return fine;
        if (told == Told::kDone) continue;
        fine = false;
        if (!blames_points(refusal_)) continue;
        // What the device does not know at all needs no search.
        refused.push_back({task.lane, *task.read, refusal_ != Refusal::kAddress, !lanes_[task.lane].exact});
    }
    return fine;
}

void McDriver::learn(Refused refused) {
    auto& lane = lanes_[refused.lane];
    if (refused.whole) {
        postpone(refused.read.points);
        lane.plan.refuse(std::move(refused.read.points));
    } else if (lane.is_bit && refused.in_words) {
        read_exactly(refused.lane, refused.read);
    } else {
        search(refused.lane, refused.read);
    }
}

// The lane is read in bit units from now on: the refusal may have been about bits nobody asked for.
void McDriver::read_exactly(std::size_t at, const ReadRequest& refused) {
    auto& lane = lanes_[at];
    if (!lane.exact) {
        std::vector<ReadPoint> points;
        for (const auto* requests : {&lane.plan.requests(), &lane.plan.illegal()}) {
            for (const auto& request : *requests)
                points.insert(points.end(), request.points.begin(), request.points.end());
        }
        lane.exact = true;
        lane.plan = LearningPlan{std::move(points), limits_of(settings_, true, true)};
    }
    std::vector<ReadRequest> again;
    for (const auto& request : lane.plan.requests()) {
        if (request.span.begin < refused.span.end && request.span.end > refused.span.begin &&
            slots_.any_due(request))
            again.push_back(request);
    }
    for (const auto& request : again) {
        const auto told = run_batch({at, &request});
        if (told == Told::kOver) return;
        if (told == Told::kRefused && blames_points(refusal_)) search(at, request);
        if (over_) return;
    }
}

// Bisects a refused request. Points it did not get to keep bad/illegal_address; the next read goes on where
// this one's learning ends.
void McDriver::search(std::size_t at, const ReadRequest& refused) {
    RefusalSearch search{refused};
    while (!over_ && search.next() && searches_left_ > 0) {
        --searches_left_;
        const auto told = run_batch({at, &*search.next()});
        if (told == Told::kOver) break;
        if (told == Told::kRefused && !blames_points(refusal_)) break;
        if (told == Told::kDone) {
            search.answered();
        } else {
            search.refused();
        }
    }
    postpone(search.illegal());
    lanes_[at].plan.learn(search);
}

void McDriver::postpone(std::span<const ReadPoint> illegal) {
    for (const auto& place : illegal) retry_at_[place.index] = mono_now() + settings_.illegal_retry;
}

void McDriver::probe_illegal(std::size_t at) {
    auto& lane = lanes_[at];
    const auto& illegal = lane.plan.illegal();
    std::vector<ReadPoint> restored;
    unsigned probes_left = kProbesPerRead;
    const auto first = lane.next_probe;
    for (std::size_t i = 0; i < illegal.size(); ++i) {
        const auto turn = (first + i) % illegal.size();
        const auto& request = illegal[turn];
        if (!slots_.any_due(request)) continue;
        slots_.mark(request.points, QualityCode::kIllegalAddress);
        if (over_ || probes_left == 0 || mono_now() < retry_at_[request.points.front().index]) continue;
        --probes_left;
        lane.next_probe = turn + 1;
        if (run_batch({at, &request}) == Told::kDone) {
            restored.push_back(request.points.front());
        } else {
            postpone(request.points);
        }
    }
    if (!restored.empty()) lane.plan.restore(std::move(restored));
}

McDriver::Told McDriver::run_batch(const Task& task) {
    const auto wire = batch_wire(*task.read, lanes_[task.lane].exact);
    return settle(ask(wire.request), {&task, 1}, wire);
}

Reply McDriver::ask(const Request& request) {
    if (!first_request_ && settings_.inter_request_delay.count() > 0 &&
        link_->stream().pause(settings_.inter_request_delay)) {
        Reply reply;
        reply.outcome = Outcome::kInterrupted;
        return reply;
    }
    first_request_ = false;
    ++stats_.requests;
    moved();
    const auto sent_at = mono_now();
    auto reply = link_->exchange(request);
    moved();
    if (reply.outcome == Outcome::kAnswer || reply.outcome == Outcome::kRefused) {
        ++responses_;
        ++answers_;
        const auto time = mono_now() - sent_at;
        stats_.response_times.add(time);
        response_ms_ += std::chrono::duration<double, std::milli>(time).count();
    }
    count_reply(reply);
    return reply;
}

void McDriver::count_reply(const Reply& reply) {
    switch (reply.outcome) {
        case Outcome::kRefused:
            ++stats_.exceptions;
            return;
        case Outcome::kTimeout:
        case Outcome::kTornTimeout:
            ++stats_.timeouts;
            return;
        case Outcome::kGarbled:
            ++stats_.broken_answers;
            return;
        case Outcome::kLost:
            ++stats_.lost_connections;
            return;
        case Outcome::kAnswer:
        case Outcome::kInterrupted:
            return;
    }
}

// The error of a reply that is neither an answer nor a refusal.
std::optional<Error> McDriver::broken_by(const Reply& reply, const std::string& what) const {
    const auto error = [&](ErrorKind kind, std::string_view why) {
        return make_error(kind, fmt::format("{}{}", what, why));
    };
    const auto timeout = settings_.timeout.count();
    switch (reply.outcome) {
        case Outcome::kAnswer:
        case Outcome::kRefused:
            return std::nullopt;
        case Outcome::kTimeout:
            return error(ErrorKind::kTimeout, fmt::format(" timed out after {} ms", timeout));
        case Outcome::kTornTimeout:
            return error(ErrorKind::kTimeout,
                         fmt::format(": the answer broke off and did not end within {} ms", timeout));
        case Outcome::kGarbled:
            return error(ErrorKind::kCorrupt, ": " + reply.why);
        case Outcome::kLost:
            return error(ErrorKind::kUnavailable, ": " + reply.why);
        case Outcome::kInterrupted:
            return error(ErrorKind::kUnavailable, " was interrupted");
    }
    return std::nullopt;
}

// Takes over what became of a request that asked for `tasks`.
McDriver::Told McDriver::settle(const Reply& reply, std::span<const Task> tasks, const Wire& wire) {
    if (reply.outcome == Outcome::kAnswer) {
        for (std::size_t i = 0; i < tasks.size(); ++i) decode(tasks[i], wire.parts[i], reply.words);
        return Told::kDone;
    }
    const bool is_1e = link_->format().is_1e();
    if (reply.outcome == Outcome::kRefused) {
        refusal_ = end_code(is_1e, reply.end_code, reply.abnormal).kind;
        stats_.last_refusal = fmt::format("{}: the device answers {}", describe(wire.request),
                                          end_code_text(is_1e, reply.end_code, reply.abnormal));
        for (const auto& task : tasks) slots_.mark(task.read->points, quality_of(refusal_));
        return Told::kRefused;
    }
    if (reply.outcome == Outcome::kGarbled) {
        for (const auto& task : tasks) slots_.mark(task.read->points, QualityCode::kDecode);
    }
    over_ = broken_by(reply, describe(wire.request));
    lost_ = reply.outcome != Outcome::kTimeout || !link_->survives_timeout();
    return Told::kOver;
}

void McDriver::decode(const Task& task, const Wire::Part& part, std::span<const std::uint16_t> answer) {
    const auto now = system_clock().utc_now();
    gather(part, answer, words_);
    const bool bits = lanes_[task.lane].is_bit;
    for (const auto& place : task.read->points) {
        auto* const sample = slots_.find(place.index);
        if (sample == nullptr) continue;
        const auto& point = points_[place.index];
        const std::size_t at = place.offset - part.first;
        const auto order = word_order(point.type, point.order);
        bool valid = true;
        if (!bits) {
            valid = decode_words(std::span{words_}.subspan(at, place.count), point.type, order,
                                 point.address.bit, sample->value);
        } else if (point.type.base == BaseType::kBool) {
            sample->value = (words_[at / kBitsOfWord] >> (at % kBitsOfWord) & 1) != 0;
        } else {
            valid = decode_words(words_from_bit(words_, at, place.count / kBitsOfWord), point.type, order, {},
                                 sample->value);
        }
        ReadSlots::settle(*sample, valid, now);
    }
}

// All due points of which nothing has been heard in this read.
void McDriver::mark_unread(QualityCode code, std::span<const std::uint32_t> due) {
    const auto now = system_clock().utc_now();
    for (const auto index : due) {
        auto& sample = *slots_.find(index);
        if (sample.quality != Quality::kBad || sample.code != QualityCode::kDisconnected) continue;
        sample.code = code;
        sample.time = now;
    }
}

}  // namespace fieldwarden::worker::mc
