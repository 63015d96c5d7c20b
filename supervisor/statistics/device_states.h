// DeviceStates: what every configured device is doing now, from what its workers say, and how long it has
// been doing that (StateClock).
//
// A device with a status point is in the state that the point's last value stands for: `other` for a value
// that is not in the map, `unknown` while the value is not good. Any other device is `online` while a task
// has a connection to it, otherwise `unknown`. What holds is counted until something else is said, also when
// a value does not change for hours. Threads: the supervisor's loop only; everything here is quick.
#pragma once

#include <chrono>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/sample.h"
#include "supervisor/statistics/state_clock.h"
#include "supervisor/statistics/status_points.h"

namespace fieldwarden::supervisor {

class DeviceStates {
  public:
    // How often take_changes() is called, and the gap from which on nobody watched.
    static constexpr std::chrono::seconds kInterval{10};
    static constexpr std::chrono::seconds kLongestGap{30};

    explicit DeviceStates(DayOf day_of) : clock_(std::move(day_of), kLongestGap) {}

    // What earlier processes have counted for the days still open; before anything else.
    void restore(std::span<const StateTime> rows) { clock_.restore(rows); }
    // The configuration in force. States by status point are unknown until take() gives the values again:
    // point and map may have changed.
    void take_plant(StatusPointsPtr points, UtcTime now);
    void take(std::span<const Sample> samples, UtcTime now);
    // Nobody reads these points any more.
    void lose(std::span<const PointId> points, UtcTime now);
    void set_connected(const std::string& task, const std::string& device, bool connected, UtcTime now);

    [[nodiscard]] const StatusPoints& points() const { return *points_; }
    // Of a configured device; "" of any other.
    [[nodiscard]] std::string_view state_of(const std::string& device) const;
    // Counts up to `now`; the totals that changed since the last call, for Store::put_state_times.
    std::vector<StateTime> take_changes(UtcTime now);
    // What was taken was not written: it is a change again.
    void take_back() { clock_.take_back(); }
    void drop_before(std::chrono::sys_days day) { clock_.drop_before(day); }

  private:
    struct Device {
        bool has_status = false;
        std::string state{kUnknownState};    // by its status point
        std::set<std::string> connected_by;  // tasks
    };
    [[nodiscard]] static std::string_view current(const Device& device);
    void set_state(std::size_t position, std::string_view state, UtcTime now);

    StateClock clock_;
    StatusPointsPtr points_ = std::make_shared<const StatusPoints>();
    std::unordered_map<std::string, Device> devices_;  // by code
};

}  // namespace fieldwarden::supervisor
