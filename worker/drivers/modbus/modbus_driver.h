// Modbus master: reads points of one device over one link, several unit ids included.
//
// What a failure touches:
//   illegal address (02), illegal value (03)   the point alone: bisected, kept apart, tried again after
//                                              illegal_retry_s (at most kProbesPerRead a read)
//   illegal function (01)                      the points of the request, likewise
//   other exceptions                           the points of the request, this time
//   no answer                                  the points of the unit. When other units share the connection
//                                              they are read all the same, and the silent one is asked again
//                                              with backoff, so that a dead slave does not stall the others
//   an answer that does not come whole, on a   the points of the request; after kSpoiledInARow of them the
//   link that finds its way back (RTU)         unit, as when it does not answer
//   wrong or broken answer, lost connection    the connection: read() returns an error
// V1.1b3 section 7 lists the exceptions.
#pragma once

#include <atomic>
#include <memory>
#include <random>
#include <vector>

#include "common/backoff.h"
#include "worker/drivers/driver.h"
#include "worker/drivers/modbus/link.h"
#include "worker/drivers/read_slots.h"

namespace fieldwarden::worker::modbus {

// Requests spent in one read() on addresses known to be refused, and on finding out which are.
inline constexpr unsigned kProbesPerRead = 4;
inline constexpr unsigned kSearchRequestsPerRead = 256;
inline constexpr unsigned kSpoiledInARow = 2;

// "illegal data address"; V1.1b3 section 7.
std::string_view exception_text(std::uint8_t code);

// "holding", "coils".
std::string_view area_text(ModbusArea area);

// The device at host:port.
Result<std::unique_ptr<Driver>> make_modbus_tcp(const DeviceConfig& config);
// The device on a serial port (an address that begins with '/'), or on the line behind a converter at
// host:port that hands RTU frames through.
Result<std::unique_ptr<Driver>> make_modbus_rtu(const DeviceConfig& config);

class ModbusDriver final : public Driver {
  public:
    // How the registers of a point become a value. Kept small: every scan goes through all of them.
    struct Point {
        PointId id = 0;
        DataType type;
        ByteOrder order = ByteOrder::kAbcd;
        std::optional<std::uint8_t> bit;
    };
    struct Settings {
        ReadLimits limits;
        std::chrono::milliseconds timeout{1000};
        std::chrono::milliseconds inter_request_delay{0};
        std::chrono::seconds illegal_retry{60};
        BackoffPolicy silent_unit;
    };
    // places[i] is where points[i] lies, and has index i.
    ModbusDriver(std::vector<Point> points, const std::vector<ReadPoint>& places, Settings settings,
                 std::unique_ptr<Link> link);

    Status connect() override;
    void disconnect() override;
    [[nodiscard]] ConnectStep failed_step() const override { return failed_step_; }
    Status read(std::span<const std::uint32_t> due, SampleBatch& out) override;
    // One coil: function 5, or 15 where the device has no 5. One register: 6, or 16. More registers: 16. A
    // bit of a register: 22, which the device does in one step; where it has no 22 the register is read and
    // written back, and a change that the device makes to the same register in between is lost.
    Status write(std::uint32_t point, const Value& raw) override;
    void interrupt() override { link_->interrupt(); }
    [[nodiscard]] std::uint64_t activity() const override {
        return activity_.load(std::memory_order_relaxed) + link_->activity();
    }
    [[nodiscard]] const DriverStats& stats() const override { return stats_; }

  private:
    struct Unit {
        std::uint8_t id = 0;
        LearningPlan plan;
        std::size_t next_probe = 0;  // turns over plan.illegal(), so that all get their chance
        unsigned timeouts_in_row = 0;
        MonoTime ask_again_at{};
        std::uint32_t lacks = 0;  // bit n: the device said that it has no function n
    };
    // Where a point lies, for write(): four bytes a point.
    struct Place {
        std::uint8_t unit = 0;
        ModbusArea area = ModbusArea::kHoldingRegister;
        std::uint16_t offset = 0;
    };
    enum class Step : std::uint8_t { kDone, kRefused, kSpoiled, kSilent, kBroken };

    void moved() {  // one writer: no locked add is needed
        activity_.store(activity_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    }
    Reply ask(const Request& request);
    void count_link();
    [[nodiscard]] Error broken(const Reply& reply, const std::string& what) const;
    void read_unit(Unit& unit);
    void put_off(Unit& unit);
    void search(Unit& unit, const ReadRequest& refused);
    void probe_illegal(Unit& unit);
    void postpone(std::span<const ReadPoint> illegal);
    Step run(const ReadRequest& request);
    void decode(const ReadRequest& request, std::span<const std::uint8_t> data);
    void mark_unit(const Unit& unit, QualityCode code);
    [[nodiscard]] std::string describe(const ReadRequest& request) const;

    Status write_coil(Unit& unit, const Place& place, bool on);
    Status write_bit(Unit& unit, const Place& place, unsigned bit, bool on);
    Status write_registers(Unit& unit, const Place& place, std::span<const std::uint16_t> words);
    Status write_one(Unit& unit, const Place& place, Function single, Function several, std::uint16_t value);
    Result<bool> try_write(Unit& unit, const WriteCommand& command, const std::string& what, bool last);
    [[nodiscard]] std::string describe_write(const Place& place, std::size_t count) const;

    std::vector<Point> points_;
    std::vector<Place> places_;  // by point index
    Settings settings_;
    std::unique_ptr<Link> link_;
    std::vector<Unit> units_;
    DriverStats stats_;
    std::uint64_t own_broken_answers_ = 0;  // the link counts the others
    std::atomic<std::uint64_t> activity_ = 0;
    ConnectStep failed_step_ = ConnectStep::kConnect;
    std::minstd_rand random_;
    std::vector<MonoTime> retry_at_;  // by point index: when an illegal point is tried again

    // Of the read() in progress.
    ReadSlots slots_;
    std::vector<std::uint16_t> words_;
    std::optional<Error> broken_;
    std::string silence_;  // what was asked when no answer came
    std::string spoilt_;   // what became of the last answer that did not come whole
    unsigned searches_left_ = 0;
    bool first_request_ = true;
    unsigned answers_ = 0;
    double response_ms_ = 0;
    unsigned responses_ = 0;
    bool illegal_function_ = false;  // of the last refusal
};

}  // namespace fieldwarden::worker::modbus
