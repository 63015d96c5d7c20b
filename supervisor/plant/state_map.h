// StateMap: what the values of a device type's status point mean, from the cell `state_map`:
//
//   welding=2,3; standby=1; alarm=10..19; shutdown=0
//
// A state has a name and one or more values, separated by commas: a number, a range of numbers (both ends
// belong to it), true or false (as 1 and 0), or a text. A text that holds one of , ; = or .. or begins with a
// digit or a sign stands in double quotes. Texts are compared as they are, case included. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/sample.h"

namespace fieldwarden::supervisor {

// Names that statistics give themselves (supervisor/statistics): the device can be reached and nothing more
// is known; nothing is known; a value that is in no map.
inline constexpr std::string_view kOnlineState = "online";
inline constexpr std::string_view kUnknownState = "unknown";
inline constexpr std::string_view kOtherState = "other";

inline constexpr std::size_t kLongestStateMap = 1000;  // bytes
inline constexpr std::size_t kLongestStateName = 32;
inline constexpr std::size_t kMostStates = 32;
// Of a number: up to here every whole number is a double of its own.
inline constexpr double kLargestStateValue = 1e15;

// Why a text is no state map; `subject` is the part it is about.
struct StateMapFault {
    enum class Kind : std::uint8_t {
        kTooLong,        // more than kLongestStateMap bytes
        kTooMany,        // more than kMostStates states
        kNoEquals,       // a part without a name and "="
        kBadName,        // not 1 to kLongestStateName letters, digits, '_' or '-'
        kReservedName,   // "online" or "unknown"
        kRepeatedName,   // a state named twice
        kMissingValue,   // nothing before or behind a comma
        kBadValue,       // no number, no range, no text
        kReversedRange,  // from more to less
        kTwoStates,      // a value of two states: `subject` and `other` are their names
    };
    Kind kind = Kind::kNoEquals;
    std::string subject;
    std::string other;

    bool operator==(const StateMapFault&) const = default;
};

class StateMap {
  public:
    // An empty text is the empty map.
    static std::variant<StateMap, StateMapFault> parse(std::string_view text);

    // The name of the state, or nullopt when the map does not hold the value. A text that is in the map
    // nowhere is tried as a number or truth value. The view lives as long as the map.
    [[nodiscard]] std::optional<std::string_view> state_of(const Value& value) const;
    [[nodiscard]] const std::vector<std::string>& states() const { return states_; }
    [[nodiscard]] bool empty() const { return states_.empty(); }
    // Canonical: parses to an equal map, and its text is this one.
    [[nodiscard]] const std::string& text() const { return text_; }

  private:
    friend class StateMapParser;
    struct Range {
        double least = 0;
        double most = 0;
        std::uint32_t state = 0;
    };
    struct Text {
        std::string text;
        std::uint32_t state = 0;
    };
    [[nodiscard]] std::optional<std::string_view> state_of_number(double number) const;

    std::vector<std::string> states_;  // as they stand in the cell
    std::vector<Range> ranges_;        // sorted, disjoint
    std::vector<Text> texts_;          // sorted
    std::string text_;
};

}  // namespace fieldwarden::supervisor
