#include "worker/flusher.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/sample_block.h"
#include "proto/shapes.h"

namespace fieldwarden::worker {

using proto::LogLevel;
using std::chrono::milliseconds;

namespace {

// How long an idle flusher sleeps at a stretch; every append and every stop wakes it.
constexpr auto kIdle = std::chrono::minutes{1};

// The samples of a scan have one time, or few.
void count_ages(std::span<const Sample> samples, UtcTime now, proto::DeliveryAges& ages) {
    for (std::size_t first = 0; first < samples.size();) {
        std::size_t end = first + 1;
        while (end < samples.size() && samples[end].time == samples[first].time) ++end;
        ages.add(now - samples[first].time, end - first);
        first = end;
    }
}

}  // namespace

Flusher::Flusher(FlusherOptions options, std::unique_ptr<Sink> sink, std::unique_ptr<SpoolReader> reader,
                 const Clock& clock)
    : options_(std::move(options)),
      sink_(std::move(sink)),
      reader_(std::move(reader)),
      clock_(clock),
      dead_letters_(options_.dead_letters_path, options_.dead_letters_bytes),
      letter_retry_(options_.sink_code, dead_letters_, *sink_, clock_, options_.log),
      letters_seen_(dead_letters_.fingerprint()) {}

Flusher::~Flusher() {
    request_stop(milliseconds{0});
    join();
}

void Flusher::start() {
    done_ = false;
    thread_ = std::thread{[this] {
        run();
        const std::lock_guard lock{mutex_};
        done_ = true;
        wake_.notify_all();
    }};
}

void Flusher::request_stop(milliseconds grace) {
    {
        const std::lock_guard lock{mutex_};
        stopping_ = true;
        deadline_ = std::chrono::steady_clock::now() + grace;
    }
    wake_.notify_all();
    reader_->interrupt();
}

void Flusher::join() {
    if (!thread_.joinable()) return;
    {
        std::unique_lock lock{mutex_};
        if (!wake_.wait_until(lock, deadline_, [&] { return done_; })) {
            lock.unlock();
            sink_->interrupt();
        }
    }
    thread_.join();
}

FlusherStats Flusher::stats() const {
    const auto pending = reader_->pending();
    const std::lock_guard lock{mutex_};
    FlusherStats stats = stats_;
    stats.pending = pending;
    return stats;
}

bool Flusher::stopping() const {
    const std::lock_guard lock{mutex_};
    return stopping_;
}

bool Flusher::out_of_time() const {
    const std::lock_guard lock{mutex_};
    return stopping_ && std::chrono::steady_clock::now() >= deadline_;
}

void Flusher::run() {
    // Before the sink is there: what lies on disk is counted also while it is away.
    count_letters();
    if (!open_sink()) return;
    while (!out_of_time()) {
        take_letter_news();
        const auto limits = sink_->limits();
        const auto idle = std::chrono::steady_clock::now() + kIdle;
        const auto until = letters_due_ ? std::min(idle, *letters_due_) : idle;
        const bool any = reader_->wait(limits.samples, stopping() ? milliseconds{0} : limits.linger, until);
        if (!stopping()) retry_letters();
        if (!any) {
            if (stopping()) return;
            continue;
        }
        const auto batch = reader_->read(limits.samples);
        if (!batch) {
            if (!wait_to_retry(batch.error().message, 0, std::nullopt)) return;
            continue;
        }
        if (!batch->records.empty() && !deliver_batch(*batch)) return;
        samples_ = {};  // until the next batch there is nothing to remember
        if (sink_->knows_directory(directory_version_)) directory_.reset();
    }
}

void Flusher::look_at_letters() {
    auto seen = dead_letters_.fingerprint();
    if (seen == letters_seen_) return;
    letters_seen_ = std::move(seen);
    {
        const std::lock_guard lock{mutex_};
        letter_news_ = true;
    }
    reader_->interrupt();
}

void Flusher::take_letter_news() {
    {
        // Under the lock: an interrupt that says to stop comes after it and is not taken back.
        const std::lock_guard lock{mutex_};
        if (!letter_news_ || stopping_) return;
        letter_news_ = false;
        reader_->resume();
    }
    count_letters();
    if (!dead_letters_.waiting().empty()) letters_due_ = std::chrono::steady_clock::now();
}

// One delivery of letters, when they are due.
void Flusher::retry_letters() {
    const auto now = std::chrono::steady_clock::now();
    if (!letters_due_ || now < *letters_due_) return;
    const auto before = letter_retry_.delivered();
    const auto step = letter_retry_.step();
    {
        const std::lock_guard lock{mutex_};
        stats_.delivered += letter_retry_.delivered() - before;
    }
    switch (step) {
        case LetterRetry::Step::kIdle:
            letters_due_.reset();
            letter_failures_ = 0;
            count_letters();
            return;
        case LetterRetry::Step::kWorked:
            letters_due_ = now;
            letter_failures_ = 0;
            return;
        case LetterRetry::Step::kBlocked:
            break;
    }
    ++letter_failures_;
    const double random = std::uniform_real_distribution<double>{0.0, 1.0}(random_);
    const auto delay =
        letter_retry_.retry_after().value_or(backoff_delay(options_.backoff, letter_failures_, random));
    letters_due_ = std::chrono::steady_clock::now() + delay;
    if (letter_failures_ == 1 && options_.log) {
        options_.log(LogLevel::kWarning,
                     fmt::format("sink {}: dead letters are not taken now: {}; they are tried again",
                                 options_.sink_code, letter_retry_.reason()));
    }
}

void Flusher::count_letters() {
    auto census = dead_letters_.count();
    const std::lock_guard lock{mutex_};
    stats_.dead = census.samples;
    stats_.dead_reason = std::move(census.last_reason);
}

bool Flusher::open_sink() {
    for (;;) {
        const auto opened = sink_->open();
        if (opened) {
            recovered();
            return true;
        }
        if (!wait_to_retry(opened.error().message, 0, std::nullopt)) return false;
    }
}

// Delivers until every record of the batch is finished. False: told to leave before.
bool Flusher::deliver_batch(const SpoolBatch& batch) {
    samples_.clear();
    records_.clear();
    finished_.assign(batch.records.size(), 0);
    committed_ = 0;
    work_.clear();

    samples_.reserve(batch.samples);
    std::vector<std::pair<std::size_t, std::size_t>> ranges;
    Work all;
    std::vector<std::string> undecodable(batch.records.size());
    for (std::size_t i = 0; i < batch.records.size(); ++i) {
        const auto first = samples_.size();
        if (auto decoded = decode_sample_block(batch.records[i].block, samples_); !decoded) {
            undecodable[i] = decoded.error().message;
        } else {
            all.push_back(i);
        }
        ranges.emplace_back(first, samples_.size() - first);
    }
    for (std::size_t i = 0; i < batch.records.size(); ++i) {
        const auto& record = batch.records[i];
        records_.push_back(
            {record.seq, record.block, std::span{samples_}.subspan(ranges[i].first, ranges[i].second)});
    }
    for (std::size_t i = 0; i < batch.records.size(); ++i) {
        while (!undecodable[i].empty() && !bury(i, batch, undecodable[i])) {
            if (!wait_to_retry("cannot write dead letters", batch.samples, std::nullopt)) return false;
        }
    }
    commit_finished(batch);

    if (!all.empty()) work_.push_back(std::move(all));
    std::vector<DeliveryRecord> slice;
    while (!work_.empty()) {
        if (out_of_time()) return false;
        const Work work = std::move(work_.front());
        work_.pop_front();
        slice.clear();
        std::uint64_t samples = 0;
        for (const auto index : work) {
            slice.push_back(records_[index]);
            samples += batch.records[index].samples;
        }
        const bool known = sink_->knows_directory(batch.directory_version);
        const auto outcome =
            sink_->deliver({slice, known ? nullptr : directory(batch), batch.directory_version});
        Work left = settle(work, outcome, batch);
        commit_finished(batch);
        if (left.empty()) {
            recovered();
            continue;
        }
        if (left.size() < work.size()) failures_ = 0;
        if (outcome.bisect && left.size() > 1) {
            const auto middle = left.begin() + static_cast<std::ptrdiff_t>(left.size() / 2);
            work_.emplace_front(middle, left.end());
            work_.emplace_front(left.begin(), middle);
            continue;
        }
        work_.push_front(std::move(left));
        if (!wait_to_retry(outcome.reason, samples, outcome.retry_after)) return false;
    }
    return true;
}

const PointDirectory* Flusher::directory(const SpoolBatch& batch) {
    if (!directory_ || directory_version_ != batch.directory_version) {
        auto decoded = decode_directory(*batch.directory);
        // Its checksum was right; if it does not decode nevertheless, the points have no names.
        directory_ = decoded ? std::move(*decoded) : PointDirectory{};
        directory_version_ = batch.directory_version;
    }
    return &*directory_;
}

// Takes the verdicts; returns what is still to deliver.
Flusher::Work Flusher::settle(const Work& work, const DeliveryOutcome& outcome, const SpoolBatch& batch) {
    const bool poison = outcome.bisect && work.size() == 1;
    Work left;
    std::uint64_t accepted = 0;
    proto::DeliveryAges ages;
    const auto now = clock_.utc_now();
    for (std::size_t i = 0; i < work.size(); ++i) {
        Verdict verdict = i < outcome.verdicts.size() ? outcome.verdicts[i] : Verdict::kKeep;
        if (poison && verdict == Verdict::kKeep) verdict = Verdict::kRejected;
        switch (verdict) {
            case Verdict::kAccepted:
                finished_[work[i]] = 1;
                accepted += batch.records[work[i]].samples;
                count_ages(records_[work[i]].samples, now, ages);
                break;
            case Verdict::kRejected:
                if (!bury(work[i], batch, outcome.reason)) left.push_back(work[i]);
                break;
            case Verdict::kKeep:
                left.push_back(work[i]);
                break;
        }
    }
    const std::lock_guard lock{mutex_};
    stats_.delivered += accepted;
    stats_.ages += ages;
    return left;
}

bool Flusher::bury(std::size_t index, const SpoolBatch& batch, const std::string& reason) {
    const auto written =
        dead_letters_.add(options_.sink_code, records_[index], directory(batch), reason, clock_.utc_now());
    if (!written) {
        if (options_.log) options_.log(LogLevel::kError, written.error().message);
        return false;
    }
    finished_[index] = 1;
    if (options_.log) {
        options_.log(LogLevel::kError,
                     fmt::format("sink {}: record {} ({} samples) is refused for good: {}; it is in {}",
                                 options_.sink_code, records_[index].seq, records_[index].samples.size(),
                                 reason, options_.dead_letters_path));
    }
    const std::lock_guard lock{mutex_};
    // As count() does: what cannot be decoded is a letter without samples.
    stats_.dead += records_[index].samples.size();
    stats_.dead_reason = reason;
    return true;
}

void Flusher::commit_finished(const SpoolBatch& batch) {
    const auto before = committed_;
    while (committed_ < finished_.size() && finished_[committed_] != 0) ++committed_;
    if (committed_ == before) return;
    // A cursor that could not be written costs a second delivery after a restart, nothing more.
    if (auto written = reader_->commit(batch.records[committed_ - 1].end); !written && options_.log) {
        options_.log(LogLevel::kWarning, written.error().message);
    }
}

bool Flusher::wait_to_retry(const std::string& reason, std::uint64_t samples,
                            std::optional<milliseconds> retry_after) {
    ++failures_;
    const double random = std::uniform_real_distribution<double>{0.0, 1.0}(random_);
    const auto delay = retry_after.value_or(backoff_delay(options_.backoff, failures_, random));
    bool news = false;
    {
        const std::lock_guard lock{mutex_};
        news = stats_.last_error != reason;
        stats_.last_error = reason;
        stats_.retrying = samples;
    }
    // Said when it begins or changes; the counters show that it lasts.
    if (news && options_.log) {
        options_.log(LogLevel::kWarning,
                     fmt::format("sink {}: {} ({}. attempt); the data stays in the spool, next attempt in {}",
                                 options_.sink_code, reason, failures_, format_duration(delay)));
    }
    std::unique_lock lock{mutex_};
    wake_.wait_for(lock, delay, [&] { return stopping_; });
    return !stopping_;
}

void Flusher::recovered() {
    bool was_failing = false;
    {
        const std::lock_guard lock{mutex_};
        was_failing = !stats_.last_error.empty();
        stats_.last_error.clear();
        stats_.retrying = 0;
    }
    if (was_failing && options_.log) {
        options_.log(LogLevel::kInfo, fmt::format("sink {}: works again after {} failed attempts",
                                                  options_.sink_code, failures_));
    }
    failures_ = 0;
}

}  // namespace fieldwarden::worker
