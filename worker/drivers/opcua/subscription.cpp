#include "worker/drivers/opcua/subscription.h"

#include "worker/drivers/opcua/status_codes.h"
#include "worker/drivers/opcua/values.h"

namespace fieldwarden::worker::opcua {

using std::chrono::milliseconds;

namespace {

constexpr milliseconds kShortestInterval{50};
constexpr milliseconds kLongestInterval{1'000};
// How often a server with nothing to tell says so.
constexpr milliseconds kKeepAlive{5'000};
constexpr milliseconds kRecreatePause{1'000};
constexpr std::size_t kMostHeld = 64;
constexpr std::uint32_t kMostRepublished = 1'000;
constexpr unsigned kMostRefusals = 10;
// Taken at once when more is there; the caller gets a look in between.
constexpr unsigned kMostPumped = 100;
constexpr std::size_t kMostAcknowledged = 1'000;

MonoTime now() {
    return system_clock().mono_now();
}

// Sequence numbers begin at 1 and skip 0 when they wrap (Part 4, 5.13.1.1).
std::uint32_t after(std::uint32_t sequence) {
    return sequence == UINT32_MAX ? 1 : sequence + 1;
}
// Whether `a` comes before `b`, across the wrap.
bool before(std::uint32_t a, std::uint32_t b) {
    return static_cast<std::int32_t>(a - b) < 0;
}

bool unknown_node(StatusCode code) {
    return bare(code) == status::kBadNodeIdUnknown || bare(code) == status::kBadNodeIdInvalid;
}

bool filter_refused(StatusCode code) {
    switch (bare(code)) {
        case status::kBadMonitoredItemFilterInvalid:
        case status::kBadMonitoredItemFilterUnsupported:
        case status::kBadFilterNotAllowed:
        case status::kBadDeadbandFilterInvalid:
            return true;
        default:
            return false;
    }
}

}  // namespace

Subscription::Subscription(Session& session, Line& line, PointTable& points, const ServerLimits& limits,
                           DriverStats& stats, SubscriptionSettings settings)
    : session_(session), line_(line), points_(points), limits_(limits), stats_(stats), settings_(settings) {}

void Subscription::wake() {
    woken_ = true;
    line_.wake();
}

milliseconds Subscription::silence_allowed() const {
    return interval_ * (keep_alive_count_ + 1) + session_.settings().timeout;
}

// --- making it -------------------------------------------------------------------------------------------

Status Subscription::subscribe(std::span<const milliseconds> periods) {
    session_.listen([this](const Session::Answer& answer) { return take_answer(answer); });
    const bool same = std::equal(periods.begin(), periods.end(), periods_.begin(), periods_.end());
    if (id_ != 0 && same && !ended_) {
        const auto resumed = resume();
        if (!resumed) return resumed.error();
        continues_ = *resumed;
        if (*resumed) return keep_publishing();
    }
    periods_.assign(periods.begin(), periods.end());
    if (id_ != 0 && generation_ == session_.generation()) {
        // What it still holds comes again as the first values of the new one.
        (void)session_.call<DeleteSubscriptionsResponse>(DeleteSubscriptionsRequest{id_}).has_value();
        if (!session_.usable())
            return line_.error(ErrorKind::kUnavailable, "the connection broke while subscribing");
    }
    return create();
}

Status Subscription::create() {
    id_ = 0;
    continues_ = false;
    items_.assign(points_.size(), {});
    missing_.clear();
    held_.clear();
    gap_before_.reset();
    acknowledgements_.clear();
    last_sequence_ = 0;
    refusals_ = 0;
    ended_ = false;
    created_at_ = heard_at_ = now();

    auto wanted = settings_.publishing_interval;
    if (wanted.count() == 0) {
        const auto shortest = std::min_element(periods_.begin(), periods_.end());
        wanted = shortest == periods_.end() ? kLongestInterval
                                            : std::clamp(*shortest, kShortestInterval, kLongestInterval);
    }
    CreateSubscriptionRequest request;
    request.interval_ms = static_cast<double>(wanted.count());
    request.keep_alive_count = static_cast<std::uint32_t>(std::max<std::int64_t>(kKeepAlive / wanted, 1));
    // As long as the session: both are kept for the client that comes back.
    request.lifetime_count =
        std::max(3 * request.keep_alive_count,
                 static_cast<std::uint32_t>(session_.settings().session_timeout / wanted + 1));
    const auto answer = session_.call<CreateSubscriptionResponse>(request);
    if (!answer) {
        if (!session_.usable()) return answer.error();
        return line_.error(
            ErrorKind::kUnavailable,
            fmt::format("the server refuses a subscription with {}; set option mode=poll when it has "
                        "none to give",
                        status_name(session_.fault())));
    }
    id_ = answer->id;
    generation_ = session_.generation();
    interval_ = milliseconds{static_cast<std::int64_t>(std::clamp(answer->interval_ms, 1.0, 3'600'000.0))};
    keep_alive_count_ = std::clamp<std::uint32_t>(answer->keep_alive_count, 1, 100'000);
    publish_target_ = 3;
    // The server may report before all items are made: it needs requests to report with.
    if (auto published = keep_publishing(); !published) return published;
    std::vector<std::uint32_t> all(points_.size());
    for (std::uint32_t i = 0; i < all.size(); ++i) all[i] = i;
    retry_at_ = now() + settings_.illegal_retry;
    return create_items(std::move(all));
}

Status Subscription::create_items(std::vector<std::uint32_t> indices) {
    std::vector<std::uint32_t> known;
    for (const auto index : indices) {
        if (points_[index].missing == 0) {
            known.push_back(index);
            continue;
        }
        push_bad(index, points_[index].missing);
        miss(index);
    }
    // At most twice: those whose deadband was refused have none the second time.
    for (int turn = 0; turn < 2 && !known.empty(); ++turn) {
        std::vector<std::uint32_t> again;
        auto batch = limits_.monitored;
        auto done = in_batches(session_, known.size(), batch, [&](std::size_t from, std::size_t count) {
            return monitor(std::span{known}.subspan(from, count), again);
        });
        if (!done) return done;
        known = std::move(again);
    }
    return {};
}

Status Subscription::monitor(std::span<const std::uint32_t> indices, std::vector<std::uint32_t>& again) {
    std::vector<MonitoredItem> items;
    items.reserve(indices.size());
    for (const auto index : indices) {
        MonitoredItem item;
        item.item = points_.read_item(index);
        item.handle = index;
        item.sampling_ms = index < periods_.size() ? static_cast<double>(periods_[index].count()) : 1'000.0;
        item.queue_size = settings_.queue_size;
        if (settings_.server_deadband && !items_[index].no_filter) item.deadband = points_[index].deadband;
        items.push_back(std::move(item));
    }
    const auto answer = session_.call<CreateMonitoredItemsResponse>(CreateMonitoredItemsRequest{id_, items});
    if (!answer) {
        if (!session_.usable() || (too_large(session_.fault()) && indices.size() > 1)) return answer.error();
        for (const auto index : indices) {
            push_bad(index, session_.fault());
            miss(index);
        }
        return {};
    }
    if (answer->results.size() != indices.size())
        return session_.broken(ErrorKind::kCorrupt,
                               "the server makes another number of monitored items than asked");
    for (std::size_t i = 0; i < indices.size(); ++i) {
        const auto index = indices[i];
        const auto& result = answer->results[i];
        if (!is_bad(result.status)) {
            items_[index].id = result.id;
        } else if (filter_refused(result.status) && !items_[index].no_filter) {
            items_[index].no_filter = true;
            again.push_back(index);
        } else {
            push_bad(index, result.status);
            miss(index);
        }
    }
    return {};
}

Result<bool> Subscription::resume() {
    if (generation_ != session_.generation()) {
        const auto answer =
            session_.call<TransferSubscriptionsResponse>(TransferSubscriptionsRequest{id_, true});
        if (!answer && !session_.usable()) return answer.error();
        if (!answer || answer->results.size() != 1 || is_bad(answer->results.front())) return false;
        generation_ = session_.generation();
    }
    heard_at_ = now();
    acknowledgements_.clear();
    refusals_ = 0;
    // What was sent into the broken connection; the answer also tells whether the subscription is there.
    for (std::uint32_t i = 0; i < kMostRepublished; ++i) {
        const auto next = after(last_sequence_);
        auto again = session_.call<RepublishResponse>(RepublishRequest{id_, next});
        if (!again) {
            if (!session_.usable()) return again.error();
            return bare(session_.fault()) == status::kBadMessageNotAvailable;
        }
        take_notification(std::move(again->notification));
        if (last_sequence_ != next) return false;
    }
    return false;
}

// --- keeping it ------------------------------------------------------------------------------------------

Status Subscription::wait(milliseconds wait) {
    const auto deadline = now() + wait;
    for (;;) {
        if (auto tended = tend(); !tended) return tended;
        if (!queue_.empty()) {
            // More of what is there already.
            for (unsigned i = 0; i < kMostPumped && queue_.size() < kMostQueued / 2; ++i) {
                const auto more = session_.pump(now());
                if (!more) return more.error();
                if (!*more) break;
            }
            return tend();
        }
        auto until = std::min({deadline, session_.maintain_at(), heard_at_ + silence_allowed()});
        if (!missing_.empty()) until = std::min(until, retry_at_);
        const auto got = session_.pump(until);
        if (!got) return got.error();
        if (queue_.empty() && (woken_.exchange(false) || now() >= deadline)) return {};
    }
}

// Everything that is due.
Status Subscription::tend() {
    if (!session_.usable() || id_ == 0) return line_.error(ErrorKind::kUnavailable, "not subscribed");
    if (auto maintained = session_.maintain(); !maintained) return maintained;
    if (gap_before_)
        if (auto filled = fill_gap(); !filled) return filled;
    if (ended_)
        if (auto made = recreate(); !made) return made;
    if (!missing_.empty() && now() >= retry_at_)
        if (auto tried = retry_missing(); !tried) return tried;
    if (now() > heard_at_ + silence_allowed()) {
        ++stats_.timeouts;
        return session_.broken(ErrorKind::kTimeout,
                               fmt::format("the subscription is silent for {} ms: not even a "
                                           "keep-alive came",
                                           silence_allowed().count()));
    }
    return keep_publishing();
}

Status Subscription::recreate() {
    // A server that ends every subscription at once is not asked without a pause.
    if (now() < created_at_ + kRecreatePause) {
        return session_.broken(ErrorKind::kUnavailable,
                               "the server ends the subscription as soon as it is made");
    }
    stats_.last_refusal =
        line_.error(ErrorKind::kUnavailable, "the subscription ended and is made anew").message;
    return create();
}

Status Subscription::fill_gap() {
    for (std::uint32_t i = 0; i < kMostRepublished; ++i) {
        const auto next = after(last_sequence_);
        if (const auto held = held_.find(next); held != held_.end()) {
            auto notification = std::move(held->second);
            held_.erase(held);
            take_notification(std::move(notification));
            continue;
        }
        if (!gap_before_ || !before(next, *gap_before_)) {
            gap_before_.reset();
            held_.clear();
            return {};
        }
        auto again = session_.call<RepublishResponse>(RepublishRequest{id_, next});
        if (again && again->notification.sequence == next) {
            take_notification(std::move(again->notification));
            continue;
        }
        if (!again && !session_.usable()) return again.error();
        break;
    }
    // The values between are lost; the newest ones come with a new subscription.
    gap_before_.reset();
    for (auto& [sequence, notification] : held_) apply(notification);
    held_.clear();
    ++stats_.overflowed;
    (void)session_.call<DeleteSubscriptionsResponse>(DeleteSubscriptionsRequest{id_}).has_value();
    if (!session_.usable())
        return line_.error(ErrorKind::kUnavailable, "the connection broke while subscribing anew");
    stats_.last_refusal =
        line_.error(ErrorKind::kUnavailable, "messages of the subscription are lost; it is made anew")
            .message;
    return create();
}

void Subscription::miss(std::uint32_t index) {
    if (std::exchange(items_[index].missing, true)) return;
    missing_.push_back(index);
}

Status Subscription::drop_items(const std::vector<std::uint32_t>& indices) {
    DeleteMonitoredItemsRequest request;
    request.subscription = id_;
    for (const auto index : indices)
        if (const auto id = std::exchange(items_[index].id, 0); id != 0) request.items.push_back(id);
    auto batch = limits_.monitored;
    const auto all = std::move(request.items);
    return in_batches(session_, all.size(), batch, [&](std::size_t from, std::size_t count) -> Status {
        request.items.assign(all.begin() + static_cast<std::ptrdiff_t>(from),
                             all.begin() + static_cast<std::ptrdiff_t>(from + count));
        const auto answer = session_.call<DeleteMonitoredItemsResponse>(request);
        if (!answer && (!session_.usable() || too_large(session_.fault()))) return answer.error();
        return {};
    });
}

Status Subscription::retry_missing() {
    retry_at_ = now() + settings_.illegal_retry;
    auto again = std::exchange(missing_, {});
    for (const auto index : again) items_[index].missing = false;
    if (auto dropped = drop_items(again); !dropped) return dropped;
    return create_items(std::move(again));
}

Status Subscription::keep_publishing() {
    while (session_.posted() < publish_target_) {
        PublishRequest request;
        request.acknowledgements = std::exchange(acknowledgements_, {});
        if (auto posted = session_.post(request); !posted) return posted;
    }
    return {};
}

// --- what comes ------------------------------------------------------------------------------------------

Status Subscription::take_answer(const Session::Answer& answer) {
    if (answer.type == kServiceFault || is_bad(answer.result)) return refused_publish(answer.result);
    PublishResponse response;
    Decoder in{answer.payload};
    response.decode(in);
    if (answer.type != PublishResponse::kType || in.failed()) {
        ++stats_.broken_answers;
        return session_.broken(ErrorKind::kCorrupt, "a Publish answer does not decode");
    }
    refusals_ = 0;
    // Of a subscription that was given up meanwhile.
    if (response.subscription != id_ || id_ == 0) return {};
    heard_at_ = now();
    take_notification(std::move(response.notification));
    return {};
}

Status Subscription::refused_publish(StatusCode code) {
    ++stats_.exceptions;
    if (bare(code) == status::kBadNoSubscription || bare(code) == status::kBadSubscriptionIdInvalid) {
        // While it is being made there is none yet, and requests of the last one are refused.
        if (id_ != 0 && generation_ == session_.generation() && now() >= created_at_ + kRecreatePause)
            ended_ = true;
    } else if (bare(code) == status::kBadTooManyPublishRequests) {
        publish_target_ = std::max<std::size_t>(session_.posted(), 1);
    }
    if (++refusals_ < kMostRefusals) return {};
    return session_.broken(ErrorKind::kUnavailable,
                           fmt::format("the server refuses to publish: {}", status_name(code)));
}

void Subscription::take_notification(Notification notification) {
    const auto next = after(last_sequence_);
    const auto sequence = notification.sequence;
    if (notification.keep_alive()) {
        // It carries the number of the message to come.
        if (sequence != next && before(next, sequence)) gap_before_ = sequence;
        confirmed_at_ = system_clock().utc_now();
        return;
    }
    if (acknowledgements_.size() < kMostAcknowledged) acknowledgements_.push_back({id_, sequence});
    if (sequence == next) {
        apply(notification);
        last_sequence_ = sequence;
    } else if (before(next, sequence)) {
        if (!gap_before_ || before(*gap_before_, sequence)) gap_before_ = sequence;
        if (held_.size() < kMostHeld) held_.emplace(sequence, std::move(notification));
    }  // else it was here before
}

void Subscription::apply(Notification& notification) {
    const auto utc = system_clock().utc_now();
    confirmed_at_ = utc;
    // One that has left its session is not at its end: a session that the server is about to close is told
    // so, and the next one takes the subscription over. Where the session stays, Publish is refused from now
    // on.
    if (notification.status_change &&
        bare(*notification.status_change) != status::kGoodSubscriptionTransferred)
        ended_ = true;
    for (auto& change : notification.changes) {
        const auto index = change.handle;
        if (index >= points_.size()) continue;  // a handle we never gave
        if (has_overflow(change.value.status)) ++stats_.overflowed;
        const auto& point = points_[index];
        auto taken = take_value(change.value, point.type, !point.index_range.empty(), utc);
        if (!taken.why.empty() && stats_.last_refusal.empty()) {
            stats_.last_refusal =
                line_.error(ErrorKind::kInternal, fmt::format("{}: {}", points_.name(index), taken.why))
                    .message;
        }
        // The node went away: its item never says that it is back.
        if (unknown_node(change.value.status)) miss(index);
        ++stats_.updates;
        push(index, std::move(taken.sample));
    }
}

void Subscription::push(std::uint32_t index, Sample sample) {
    sample.point = points_[index].id;
    if (queue_.size() >= kMostQueued) {
        queue_.pop_front();
        ++stats_.overflowed;
    }
    queue_.emplace_back(index, std::move(sample));
}

void Subscription::push_bad(std::uint32_t index, StatusCode status) {
    Sample sample;
    sample.quality = Quality::kBad;
    sample.code = quality_code(status);
    sample.time = system_clock().utc_now();
    if (stats_.last_refusal.empty()) {
        stats_.last_refusal =
            line_.error(ErrorKind::kInternal, fmt::format("{}: {}", points_.name(index), status_name(status)))
                .message;
    }
    push(index, std::move(sample));
}

void Subscription::drain(std::vector<std::uint32_t>& which, SampleBatch& out) {
    which.reserve(which.size() + queue_.size());
    out.reserve(out.size() + queue_.size());
    for (auto& [index, sample] : queue_) {
        which.push_back(index);
        out.push_back(std::move(sample));
    }
    queue_.clear();
}

}  // namespace fieldwarden::worker::opcua
