// What an MQTT payload holds: bytes from anyone who may publish → values and a time. Pure.
//
//   plain payload ("21.5", "on")     numbers, text; a bool is true, false, on, off, 1 or 0 in any case
//   JSON payload                     the member a pointer names; a number may stand in a string ("21.5")
//
// A value that the data type does not hold (40000 as int16, 1.5 as a whole number, a text longer than
// string(N), an object, null) is a mismatch, never a rounded or cut value. float32 takes every number in its
// range and keeps the digits that were sent.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "common/clock.h"
#include "common/plant_types.h"
#include "common/sample.h"

namespace fieldwarden::worker::mqtt {

// Deeper JSON is refused before it is parsed.
inline constexpr std::size_t kDeepestJson = 64;

enum class Found : std::uint8_t {
    kValue,
    kMissing,   // the JSON holds nothing at the pointer
    kMismatch,  // no JSON, or not of the data type
};

class Payload {
  public:
    // `bytes` outlives this.
    explicit Payload(std::string_view bytes);
    ~Payload();
    Payload(const Payload&) = delete;
    Payload& operator=(const Payload&) = delete;

    // The payload itself is the value.
    [[nodiscard]] Found plain(DataType type, Value& out) const;
    // The value at `pointer` of the JSON document; parsed at the first call.
    [[nodiscard]] Found member(std::span<const std::string> pointer, DataType type, Value& out);
    // RFC 3339 text (without an offset: UTC), or a number since 1970 whose size tells its unit: below 10^11
    // seconds, below 10^14 milliseconds, below 10^17 microseconds, nanoseconds otherwise. nullopt: none of
    // these, or before 1970 or after 9999.
    [[nodiscard]] std::optional<UtcTime> time(std::span<const std::string> pointer);

  private:
    struct Document;
    const Document& document();
    const std::string_view bytes_;
    std::unique_ptr<Document> document_;
};

// The number of an epoch by its size, as above.
std::optional<UtcTime> epoch_time(double number);

}  // namespace fieldwarden::worker::mqtt
