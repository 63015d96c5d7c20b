#include "worker/device_set.h"

#include <fmt/format.h>

#include <algorithm>

namespace fieldwarden::worker {

using std::chrono::milliseconds;

void DeviceSet::Counters::add(const DeviceSnapshot& snapshot) {
    cycles += snapshot.cycles;
    missed_cycles += snapshot.missed_cycles;
    points_read += snapshot.points_read;
    points_good += snapshot.points_good;
    errors += snapshot.errors;
}

DeviceSet::DeviceSet(Handlers handlers, const Clock& clock, DeviceLoop::DriverFactory make)
    : handlers_(std::move(handlers)), clock_(clock), make_(std::move(make)) {}

DeviceSet::~DeviceSet() {
    stop();
}

Status DeviceSet::apply(const TaskConfig& config, bool paused) {
    std::map<std::string, const DeviceConfig*> wanted;
    for (const auto& device : config.devices) wanted.emplace(device.device_code, &device);
    const auto unchanged = [&](const std::string& code) {
        const auto found = devices_.find(code);
        return found != devices_.end() && found->second.loop->is_made_of(*wanted.at(code));
    };
    // Everything that could be refused is tried before anything is stopped.
    for (const auto& [code, device] : wanted) {
        if (unchanged(code)) continue;
        if (auto driver = make_(*device); !driver) return driver.error();
    }
    for (auto it = devices_.begin(); it != devices_.end();) {
        if (wanted.contains(it->first) && unchanged(it->first)) {
            ++it;
            continue;
        }
        retire(it->second);
        it = devices_.erase(it);
    }
    const bool new_limit = config.run_limit.cycles != cycle_limit_;
    if (new_limit) {
        cycle_limit_ = config.run_limit.cycles;
        // Loops of the old limit keep counting their own tally, which nobody waits for any more.
        running_to_limit_ =
            std::make_shared<std::atomic<std::int64_t>>(static_cast<std::int64_t>(wanted.size()));
    }
    if (config.period != period_) {
        for (auto& [code, device] : devices_) device.loop->set_period(config.period);
        period_ = config.period;
    }
    const auto limit = [this](DeviceLoop& loop) {
        if (!cycle_limit_) return;
        loop.set_cycle_limit(*cycle_limit_, [left = running_to_limit_, done = handlers_.on_limit_reached] {
            if (left->fetch_sub(1) == 1 && done) done();
        });
    };
    if (new_limit) {
        for (auto& [code, device] : devices_) limit(*device.loop);
    }
    for (const auto& [code, device] : wanted) {
        if (devices_.contains(code)) continue;
        Device entry;
        entry.live = std::make_shared<LiveTable>(device->points);
        DeviceEvents events;
        events.on_samples = handlers_.on_samples;
        events.on_live = [live = entry.live](const SampleBatch& samples) { live->update(samples); };
        events.on_log = handlers_.log;
        entry.loop = std::make_shared<DeviceLoop>(*device, config.period, std::move(events), make_, clock_);
        limit(*entry.loop);
        if (auto started = entry.loop->start(paused); !started) return started;
        devices_.emplace(code, std::move(entry));
    }
    return {};
}

void DeviceSet::retire(Device& device) {
    device.loop->stop();
    retired_.add(device.loop->snapshot());
}

void DeviceSet::stop() {
    for (auto& [code, device] : devices_) device.loop->stop();
}

void DeviceSet::pause() {
    for (auto& [code, device] : devices_) device.loop->pause();
}

void DeviceSet::resume() {
    for (auto& [code, device] : devices_) device.loop->resume();
}

void DeviceSet::set_period(milliseconds period) {
    period_ = period;
    for (auto& [code, device] : devices_) device.loop->set_period(period);
}

bool DeviceSet::set_period_factor(const std::string& device_code, std::uint32_t factor) {
    const auto found = devices_.find(device_code);
    if (found == devices_.end()) return false;
    found->second.loop->set_period_factor(factor);
    return true;
}

bool DeviceSet::reset_connection(const std::string& device_code) {
    if (device_code.empty()) {
        for (auto& [code, device] : devices_) device.loop->reset_connection();
        return true;
    }
    const auto found = devices_.find(device_code);
    if (found == devices_.end()) return false;
    found->second.loop->reset_connection();
    return true;
}

std::vector<std::shared_ptr<DeviceLoop>> DeviceSet::loops() const {
    std::vector<std::shared_ptr<DeviceLoop>> loops;
    for (const auto& [code, device] : devices_) loops.push_back(device.loop);
    return loops;
}

std::shared_ptr<DeviceLoop> DeviceSet::loop_of(PointId point) const {
    for (const auto& [code, device] : devices_) {
        if (device.loop->may_write(point)) return device.loop;
    }
    return nullptr;
}

void DeviceSet::report(proto::Heartbeat& beat) {
    Counters total = retired_;
    double responses = 0;
    std::size_t answering = 0;
    bool all_turned = true;
    std::vector<std::uint64_t> ticks;
    for (auto& [code, device] : devices_) {
        auto snapshot = device.loop->snapshot();
        total.add(snapshot);
        all_turned = all_turned && snapshot.loop_ticks != device.seen_ticks;
        ticks.push_back(snapshot.loop_ticks);
        beat.cycle_ms = std::max(beat.cycle_ms, snapshot.cycle_ms);
        if (snapshot.response_ms > 0) {
            responses += snapshot.response_ms;
            ++answering;
        }
        beat.last_read_time = std::max(beat.last_read_time, snapshot.last_read_time);
        beat.last_good_time = std::max(beat.last_good_time, snapshot.last_good_time);
        beat.devices.push_back(std::move(snapshot.progress));
    }
    if (all_turned) {
        ++rounds_;
        auto tick = ticks.begin();
        for (auto& [code, device] : devices_) device.seen_ticks = *tick++;
    }
    beat.loop_ticks = rounds_;
    beat.cycles = total.cycles;
    beat.missed_cycles = total.missed_cycles;
    beat.points_read = total.points_read;
    beat.points_good = total.points_good;
    beat.errors = total.errors;
    beat.response_ms = answering == 0 ? 0 : responses / static_cast<double>(answering);
    beat.period_ms = static_cast<double>(period_.count());
}

std::vector<proto::ConnectionStatus> DeviceSet::connections(bool all) {
    std::vector<proto::ConnectionStatus> changed;
    for (auto& [code, device] : devices_) {
        auto snapshot = device.loop->snapshot();
        if (!all && snapshot.connection_version == device.told_connection) continue;
        device.told_connection = snapshot.connection_version;
        changed.push_back(std::move(snapshot.connection));
    }
    return changed;
}

SampleBatch DeviceSet::live(bool all) {
    SampleBatch samples;
    for (auto& [code, device] : devices_) {
        if (all) device.live->resend();
        device.live->take(samples);
    }
    return samples;
}

}  // namespace fieldwarden::worker
