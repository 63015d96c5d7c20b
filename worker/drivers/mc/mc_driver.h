// Mitsubishi MC protocol (SLMP) client over TCP: 3E, 4E and 1E frames, binary and ASCII.
//
// What a failure touches:
//   an address out of range    the point alone: searched for, kept apart, tried again after illegal_retry_s
//   (at
//                              most kProbesPerRead a read)
//   a device or command the PLC does not take    the points of the request, likewise without a search
//   busy, CPU not reachable, wrong settings      the points of the request, this time
//   no answer                  the connection: read() returns an error. With 4E frames, whose answers can be
//   told
//                              apart, only when the device answered nothing else in this read
//   wrong or broken answer, lost connection      the connection
// end_codes.h says which end code is which.
//
// Writing. A value goes in one request (1401, in bits for bit devices), so that the PLC's program never sees
// half of it. Random writes (1402) have no use here, for each write is one contiguous value. Inputs (X, DX)
// are refused: the PLC overwrites them at its next refresh. A single bit of a word is refused too: the
// protocol has no such command, and read-modify-write would undo what the program does to the other bits in
// between.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <vector>

#include "worker/drivers/driver.h"
#include "worker/drivers/mc/end_codes.h"
#include "worker/drivers/mc/mc_link.h"
#include "worker/drivers/mc/mc_plan.h"
#include "worker/drivers/read_slots.h"

namespace fieldwarden::worker::mc {

// Requests spent in one read() on addresses known to be refused, and on finding out which are.
inline constexpr unsigned kProbesPerRead = 4;
inline constexpr unsigned kSearchRequestsPerRead = 256;

Result<std::unique_ptr<Driver>> make_mc(const DeviceConfig& config);

class McDriver final : public Driver {
  public:
    // How the words of a point become a value. Kept small: every scan goes through all of them.
    struct Point {
        PointId id = 0;
        DataType type;
        ByteOrder order = ByteOrder::kAbcd;  // relative to the PLC's own, as configured
        McAddress address;
    };
    struct Settings {
        FrameLimits limits;
        std::uint32_t max_words = 960;
        std::uint32_t max_gap = 32;
        std::chrono::milliseconds timeout{1000};
        std::chrono::milliseconds inter_request_delay{0};
        std::chrono::seconds illegal_retry{60};
    };
    // places[i] is where points[i] lies, and has index i.
    McDriver(std::vector<Point> points, const std::vector<ReadPoint>& places, Settings settings,
             std::unique_ptr<McLink> link);

    Status connect() override;
    void disconnect() override { link_->disconnect(); }
    [[nodiscard]] ConnectStep failed_step() const override { return failed_step_; }
    Status read(std::span<const std::uint32_t> due, SampleBatch& out) override;
    Status write(std::uint32_t point, const Value& raw) override;
    void interrupt() override { link_->interrupt(); }
    [[nodiscard]] std::uint64_t activity() const override {
        return activity_.load(std::memory_order_relaxed);
    }
    [[nodiscard]] const DriverStats& stats() const override { return stats_; }

  private:
    // The points of one device (D, M, …), and what has been learnt about them.
    struct Lane {
        bool is_bit = false;
        bool exact = false;  // bits are read in bit units
        LearningPlan plan;
        std::size_t next_probe = 0;  // turns over plan.illegal(), so that all get their chance
    };
    // One batch read of a lane, in the plan or on its own.
    struct Task {
        std::size_t lane = 0;
        const ReadRequest* read = nullptr;
    };
    struct Refused {
        std::size_t lane = 0;
        ReadRequest read;
        bool whole = false;     // all of its points are to blame: no search
        bool in_words = false;  // a bit lane was read in words
    };
    enum class Told : std::uint8_t { kDone, kRefused, kOver };

    void moved() {  // one writer: no locked add is needed
        activity_.store(activity_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    }
    void read_all();
    void run_together(std::span<const Task> tasks, std::vector<Refused>& refused);
    bool run_apart(std::span<const Task> tasks, std::vector<Refused>& refused);
    void learn(Refused refused);
    void read_exactly(std::size_t lane, const ReadRequest& refused);
    void search(std::size_t lane, const ReadRequest& refused);
    void probe_illegal(std::size_t lane);
    void postpone(std::span<const ReadPoint> illegal);

    Told run_batch(const Task& task);
    Told settle(const Reply& reply, std::span<const Task> tasks, const Wire& wire);
    Reply ask(const Request& request);
    void count_reply(const Reply& reply);
    std::optional<Error> broken_by(const Reply& reply, const std::string& what) const;
    void decode(const Task& task, const Wire::Part& part, std::span<const std::uint16_t> answer);
    void mark_unread(QualityCode code, std::span<const std::uint32_t> due);
    [[nodiscard]] std::string describe(const Request& request) const;
    [[nodiscard]] std::string where(const DeviceRef& place) const;

    std::vector<Point> points_;
    Settings settings_;
    std::unique_ptr<McLink> link_;
    std::vector<Lane> lanes_;
    DriverStats stats_;
    std::atomic<std::uint64_t> activity_ = 0;
    ConnectStep failed_step_ = ConnectStep::kConnect;
    std::vector<MonoTime> retry_at_;  // by point index: when an illegal point is tried again
    bool random_works_ = true;        // on this connection

    // Of the read() in progress.
    ReadSlots slots_;
    std::vector<std::uint16_t> words_;
    std::optional<Error> over_;            // why nothing more is asked in this read
    bool lost_ = false;                    // over_ means the connection
    Refusal refusal_ = Refusal::kAddress;  // of the last refusal
    unsigned searches_left_ = 0;
    bool first_request_ = true;
    unsigned answers_ = 0;
    double response_ms_ = 0;
    unsigned responses_ = 0;
};

}  // namespace fieldwarden::worker::mc
