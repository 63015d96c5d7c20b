// Flusher: one thread that carries one sink's share from the spool to the sink. It decides when to deliver,
// what to try again and what to give up on; the sink only answers.
//
//   accepted   the cursor moves on (only ever over a gapless run of finished records)
//   rejected   to the dead letters, then as accepted
//   keep       tried again, with backoff and jitter or as long as the sink asked to wait, for ever
//   bisect     the batch is halved until the poison record stands alone and is rejected
//
// Records of one batch are delivered in spool order; what is kept goes before anything newer, so every point
// keeps its order. A crash at any moment leads to a second delivery at most.
//
// Dead letters that the operator wants delivered again go to the sink between two batches of fresh data
// (letter_retry.h); a sink that does not take them does not hold up anything else.
//
// Threads. start, request_stop, join, look_at_letters: the owner's. stats: any.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>

#include "common/backoff.h"
#include "proto/delivery_ages.h"
#include "worker/dead_letters.h"
#include "worker/letter_retry.h"
#include "worker/log_function.h"
#include "worker/sinks/sink.h"
#include "worker/spool.h"

namespace fieldwarden::worker {

struct FlusherOptions {
    std::string sink_code;
    std::string dead_letters_path;
    std::uint64_t dead_letters_bytes = 16U << 20;
    BackoffPolicy backoff;
    LogFunction log;
};

struct FlusherStats {
    std::uint64_t delivered = 0;  // samples accepted since the process started
    std::uint64_t dead = 0;       // samples in dead letters on disk, those that wait for a retry included
    std::string dead_reason;      // why the newest of them was refused
    std::uint64_t pending = 0;    // samples in the spool that this sink has not got yet
    std::uint64_t retrying = 0;   // of these, in a batch that failed and is being tried again
    std::string last_error;       // empty while all is well
    proto::DeliveryAges ages;     // of the samples accepted, but for letters that were delivered again
};

class Flusher {
  public:
    Flusher(FlusherOptions options, std::unique_ptr<Sink> sink, std::unique_ptr<SpoolReader> reader,
            const Clock& clock);
    ~Flusher();  // request_stop(0), join()
    Flusher(const Flusher&) = delete;
    Flusher& operator=(const Flusher&) = delete;

    void start();
    // Delivers what is in the spool for at most `grace`, without retries; what is left stays on disk. Returns
    // at once.
    void request_stop(std::chrono::milliseconds grace);
    // Waits for the thread; interrupts the sink when the grace is over.
    void join();
    [[nodiscard]] FlusherStats stats() const;
    // Notices letters that somebody else has moved or removed since the last call: they are counted again,
    // and those that wait are delivered. Returns at once.
    void look_at_letters();

  private:
    using Work = std::vector<std::size_t>;  // records of the batch still to deliver, in order

    void run();
    bool open_sink();
    bool deliver_batch(const SpoolBatch& batch);
    Work settle(const Work& work, const DeliveryOutcome& outcome, const SpoolBatch& batch);
    bool bury(std::size_t index, const SpoolBatch& batch, const std::string& reason);
    void commit_finished(const SpoolBatch& batch);
    // Notes the trouble and waits before the next attempt. False: told to leave instead.
    bool wait_to_retry(const std::string& reason, std::uint64_t samples,
                       std::optional<std::chrono::milliseconds> retry_after);
    void recovered();
    void take_letter_news();
    void retry_letters();
    void count_letters();
    [[nodiscard]] bool stopping() const;
    [[nodiscard]] bool out_of_time() const;

    FlusherOptions options_;
    std::unique_ptr<Sink> sink_;
    std::unique_ptr<SpoolReader> reader_;
    const Clock& clock_;
    DeadLetters dead_letters_;
    LetterRetry letter_retry_;
    std::optional<MonoTime> letters_due_;  // when those that wait are tried; unset: none wait
    unsigned letter_failures_ = 0;         // in a row
    std::string letters_seen_;             // the owner's: fingerprint of the last look

    // The directory of the batch in hand, decoded when it is first asked for.
    const PointDirectory* directory(const SpoolBatch& batch);

    // The batch in hand: decoded records, and which of them are finished.
    SampleBatch samples_;
    std::vector<DeliveryRecord> records_;
    std::vector<char> finished_;
    std::size_t committed_ = 0;
    std::deque<Work> work_;
    std::optional<PointDirectory> directory_;
    std::uint64_t directory_version_ = 0;
    unsigned failures_ = 0;  // in a row
    std::minstd_rand random_{std::random_device{}()};

    mutable std::mutex mutex_;
    std::condition_variable wake_;
    FlusherStats stats_;
    bool stopping_ = false;
    bool letter_news_ = true;
    bool done_ = true;
    MonoTime deadline_{};
    std::thread thread_;
};

}  // namespace fieldwarden::worker
