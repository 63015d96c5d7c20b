// The kinds of configuration and their fields (CONTRACT 2): one table from which the workbook reader, the
// template, the export, the diff, the JSON API and the SQLite store are derived. A field is declared here
// once and nowhere else.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "common/enum_table.h"

namespace fieldwarden::supervisor {

enum class Kind : std::uint8_t { kSite, kDeviceType, kDevice, kPoint, kTask, kSink };
inline constexpr std::size_t kKindCount = 6;
// In the order of references: nothing refers to a later kind, except tasks to sinks.
inline constexpr std::array<Kind, kKindCount> kAllKinds{Kind::kSite,  Kind::kDeviceType, Kind::kDevice,
                                                        Kind::kPoint, Kind::kSink,       Kind::kTask};

enum class FieldType : std::uint8_t {
    kCode,        // identifies the record: [A-Za-z0-9_.-]{1,64}
    kText,        // up to 1,000 characters of UTF-8
    kInteger,     // canonical text: decimal without sign, point or leading zeros ("-" allowed)
    kNumber,      // canonical text: shortest form that reads back the same double
    kBoolean,     // canonical text: "true" or "false"
    kDate,        // canonical text: YYYY-MM-DD
    kChoice,      // one of `choices`
    kDataType,    // canonical text of common/plant_types.h
    kAddress,     // of a device or a point: checked against the protocol
    kReference,   // code of a record of `refers_to`
    kCodeList,    // canonical text: codes or globs joined by ","
    kOptions,     // canonical text of common/options.h; values of secret options are write-only
    kUrl,         // of a sink; may hold a password, which is write-only
    kSchedule,    // "start=<cron>; stop=<cron>"
    kRunLimit,    // "", "cycles=N", "duration=1h"
    kPointField,  // a point of each device of the type (plant/point_field.h); as kCode
    kStateMap,    // canonical text of plant/state_map.h
};

struct Field {
    std::string_view name;  // workbook column, JSON member and SQL column
    std::string_view name_zh;
    FieldType type = FieldType::kText;
    bool required = false;
    Kind refers_to = Kind::kSite;  // kReference and kCodeList only
    std::string_view goes_with =
        {};                          // a field that is filled in when this one is, and empty when it is empty
    std::string_view choices = {};   // kChoice only: names separated by '|'
    std::string_view fallback = {};  // canonical text that an empty cell means
    std::string_view help = {};      // one line for the template and openapi
    std::string_view help_zh = {};
};

struct KindSchema {
    Kind kind;
    std::string_view sheet;     // "devices"
    std::string_view sheet_zh;  // "设备"
    std::string_view path;      // "device-types", as in /api/v1/device-types
    std::string_view noun;      // "device type", for messages
    std::string_view noun_zh;
    std::span<const Field> fields;  // the first is the code

    // Position of a field by its English name; npos when there is none.
    [[nodiscard]] std::size_t index_of(std::string_view name) const;
    static constexpr std::size_t npos = static_cast<std::size_t>(-1);
};

const KindSchema& schema_of(Kind kind);

// Limits that validation enforces and the template states.
inline constexpr std::int64_t kShortestPeriodMs = 10;
inline constexpr std::int64_t kLongestPeriodMs = 24LL * 3600 * 1000;
inline constexpr std::size_t kLongestCode = 64;
inline constexpr std::size_t kLongestText = 1000;

// Whether the value of this option is a secret (password, token, private key): never shown by any surface.
bool is_secret_option(std::string_view name);
inline constexpr std::string_view kSecretMask = "********";

}  // namespace fieldwarden::supervisor
