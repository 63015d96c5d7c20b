// Small plants for tests: records by field name.
#pragma once

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <utility>

#include "supervisor/plant/plant.h"

namespace fieldwarden::supervisor {

inline Record make_record(Kind kind,
                          std::initializer_list<std::pair<std::string_view, std::string_view>> cells) {
    const auto& schema = schema_of(kind);
    Record record;
    record.cells.resize(schema.fields.size());
    for (const auto& [name, value] : cells) {
        const auto index = schema.index_of(name);
        EXPECT_NE(index, KindSchema::npos) << name;
        if (index != KindSchema::npos) record.cells.set(index, value);
    }
    return record;
}

inline Record site(std::string_view code) {
    return make_record(Kind::kSite, {{"site_code", code}, {"site_name", "Site"}});
}
inline Record device(std::string_view code, std::string_view options = "") {
    return make_record(Kind::kDevice, {{"device_code", code},
                                       {"device_name", "Device"},
                                       {"site_code", "S1"},
                                       {"protocol", "modbus_tcp"},
                                       {"address", "127.0.0.1:502"},
                                       {"options", options}});
}
inline Record point(std::string_view code, std::string_view device_code, std::string_view address = "hr:0") {
    return make_record(
        Kind::kPoint,
        {{"point_code", code}, {"device_code", device_code}, {"address", address}, {"data_type", "float32"}});
}
inline Record task(std::string_view code, std::string_view devices, std::string_view points = "",
                   std::string_view options = "") {
    return make_record(Kind::kTask, {{"task_code", code},
                                     {"task_name", "Task"},
                                     {"devices", devices},
                                     {"points", points},
                                     {"period_ms", "1000"},
                                     {"options", options}});
}
inline Record sink(std::string_view code, std::string_view type, std::string_view url) {
    return make_record(Kind::kSink, {{"sink_code", code}, {"type", type}, {"url", url}});
}

// The record with one cell changed.
inline Record with(Kind kind, Record record, std::string_view name, std::string_view value) {
    record.cells.set(schema_of(kind).index_of(name), value);
    return record;
}

// Two devices with three points each and one task over both; ids as a store would give them.
inline Plant small_plant() {
    Plant plant;
    plant.revision = 7;
    std::int64_t id = 0;
    const auto add = [&](Kind kind, Record record) {
        record.id = ++id;
        EXPECT_TRUE(plant.of(kind).add(std::move(record)));
    };
    add(Kind::kSite, site("S1"));
    add(Kind::kDevice, device("PUMP_01"));
    add(Kind::kDevice, device("WELD_01", "unit_id=3; max_gap=8"));
    add(Kind::kPoint, point("W1", "WELD_01", "hr:0"));
    add(Kind::kPoint, point("P1", "PUMP_01", "hr:0"));
    add(Kind::kPoint, point("W2", "WELD_01", "hr:2"));
    add(Kind::kPoint, point("P2", "PUMP_01", "hr:2"));
    add(Kind::kPoint, point("P3", "PUMP_01", "hr:4"));
    add(Kind::kPoint, point("W3", "WELD_01", "hr:4"));
    add(Kind::kTask, task("T1", "*"));
    return plant;
}

}  // namespace fieldwarden::supervisor
