// What one record must be for the rest of the plant: references, addresses for the protocol, options, ranges.
// Used row by row for a workbook and once for a record changed by hand.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/device_options.h"
#include "common/mc_address.h"
#include "common/modbus_address.h"
#include "common/options.h"
#include "supervisor/plant/plant.h"
#include "supervisor/workbook/cell_values.h"
#include "supervisor/workbook/workbook.h"

namespace fieldwarden::supervisor {

// Position of a field that the schema has.
std::size_t field_at(Kind kind, std::string_view name);

// What a point needs to know about its device.
struct DeviceFacts {
    std::uint32_t position = 0;  // in the plant's records
    std::optional<Protocol> protocol;
    std::uint8_t unit_id = 1;
    McDialect mc;
};

// A Modbus point as the overlap check sees it.
struct ModbusPlace {
    ModbusAddress address;
    std::uint8_t unit_id = 1;
    DataType type;
    ByteOrder order = ByteOrder::kAbcd;
};

// Adds a finding for every field of a record that stands empty although the one it goes with is filled in;
// those that already have a finding are passed over.
void check_pairs(Kind kind, std::span<const std::string> cells, Language language, Findings& findings);

// Bound to one plant, against which references are looked up; not thread safe (it remembers what it looked
// up). Cells that are empty because they could not be understood have been reported already and are passed
// over.
class RecordChecks {
  public:
    RecordChecks(const Plant& plant, const ValidationRules& rules);

    void device_type(const Record& record, Findings& findings);
    void device(const Record& record, Findings& findings);
    // `place` is set when the point lies in registers of a Modbus device.
    void point(const Record& record, Findings& findings, std::optional<ModbusPlace>* place = nullptr);
    // The same with the device given, for points of a device that is being changed.
    void point_on(const Record& record, const DeviceFacts& device, Findings& findings,
                  std::optional<ModbusPlace>* place);
    void task(const Record& record, Findings& findings);
    void sink(const Record& record, Findings& findings);

    static DeviceFacts facts_of(const Record& device);

    // Records of `kind` that match an entry of a code list, as positions; remembered per entry.
    const std::vector<std::uint32_t>& matches(Kind kind, std::string_view entry);
    // Per point of the plant the position of its device; kNoDevice when it has none.
    const std::vector<std::uint32_t>& device_of_points();
    static constexpr std::uint32_t kNoDevice = 0xFFFFFFFF;

  private:
    bool selects_points(const Record& task);
    void reference(Kind kind, const Record& record, std::string_view field, Findings& findings);
    void dangling(Kind kind, std::size_t field, std::string_view code, Findings& findings);
    void code_list(const Record& record, std::string_view field, Findings& findings);
    void period(Kind kind, const Record& record, Findings& findings);
    void options(Kind kind, std::string_view text, std::span<const OptionSpec> specs, std::string_view owner,
                 Findings& findings) const;
    std::string nearest(Kind kind, std::string_view code);
    // The fields (plant/point_field.h) of the points of all devices of the type.
    const std::set<std::string, std::less<>>& fields_of_type(std::string_view type_code);

    const Plant& plant_;
    const ValidationRules& rules_;
    Language language_;
    std::string last_device_code_;
    std::optional<DeviceFacts> last_device_;
    bool points_indexed_ = false;
    std::vector<std::uint32_t> device_of_points_;
    std::vector<bool> device_has_points_;
    bool fields_indexed_ = false;
    std::map<std::string, std::set<std::string, std::less<>>, std::less<>> fields_of_types_;
    std::size_t suggestions_left_ = kMaxSuggestions;
    std::size_t glob_tests_left_ = kMaxGlobTests;
    std::array<std::unordered_map<std::string, std::vector<std::uint32_t>>, kKindCount> matches_;
};

}  // namespace fieldwarden::supervisor
