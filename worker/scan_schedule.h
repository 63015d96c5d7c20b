// When to scan which points: an absolute schedule of period groups. Pure: the caller brings the time.
//
// The n-th scan of a group is due at start + n × period, so a slow scan does not drift the next one. Instants
// that pass while the group's own scan runs are missed: counted, never queued. A group that is merely late
// (another group was being scanned, or the device was being connected) is served at once, and only the
// instants before the one served are missed.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <vector>

#include "common/clock.h"
#include "common/task_config.h"

namespace fieldwarden::worker {

class ScanSchedule {
  public:
    ScanSchedule(std::span<const PointConfig> points, std::chrono::milliseconds task_period, MonoTime start);

    // The first instant any group is due; MonoTime::max() without points.
    [[nodiscard]] MonoTime next_due() const;
    // Takes all groups due at `now`: their points, in index order, replace `due`. Empty when none is due.
    void take_due(MonoTime now, std::vector<std::uint32_t>& due);
    // The scan of the points last taken has ended: instants up to `now` are missed.
    void scan_done(MonoTime now);
    // Makes every group due at `now`; the phase is that of `now` from then on.
    void due_now(MonoTime now);
    // Instants up to `now` pass unserved and uncounted (paused); the phase is kept.
    void skip(MonoTime now);
    // Points without a period of their own. The next scan comes one new period after the last one.
    void set_task_period(std::chrono::milliseconds period, MonoTime now);
    // Every period counts `factor` times from now on; 1 is as configured. The next scan comes one such period
    // after the last one.
    void stretch(std::uint32_t factor, MonoTime now);

    [[nodiscard]] std::uint64_t missed() const { return missed_; }

  private:
    struct Group {
        std::chrono::milliseconds configured{1000};
        std::chrono::milliseconds period{1000};  // configured × factor
        bool of_task = false;                    // follows the task's period
        MonoTime due{};                          // next instant
        bool taken = false;
        std::vector<std::uint32_t> points;
    };
    static std::uint64_t pass(Group& group, MonoTime now);
    void set_period(Group& group, std::chrono::milliseconds configured, MonoTime now) const;

    std::vector<Group> groups_;
    std::uint64_t missed_ = 0;
    std::uint32_t factor_ = 1;
};

}  // namespace fieldwarden::worker
