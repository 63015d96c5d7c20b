// The diff, the export, the template, and one record by hand.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "supervisor/workbook/secrets.h"
#include "supervisor/workbook/text.h"
#include "workbook_testing.h"

namespace fieldwarden::supervisor {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

// A plant with every awkward cell an export has to carry.
Plant awkward_plant() {
    auto workbook = table({
        {"sites",
         {{"site_code", "site_name", "description"},
          {"007", "=1+1", " "},
          {"1e5", "_x0041_ <&> \"quoted\" 'x'", "two\nlines\ttab"},
          {"S-3", "泵站（一）", "@SUM(1)"}}},
        {"device_types",
         {{"type_code", "type_name", "status_point", "state_map"},
          {"T", "类型", "STATE", "run=2,3; off=\"0\",停机; warm=-1.5..1"}}},
        {"devices",
         {{"device_code", "device_name", "site_code", "protocol", "address", "production_date",
           "install_date", "is_locked", "options"},
          {"D1", "d", "007", "modbus_tcp", "10.0.0.1:502", "1900-01-01", "2024-02-29", "true", "unit_id=3"},
          {"D2", "d", "1e5", "opcua", "opc.tcp://h/x", "", "", "false",
           "username=u; password=\"p; \\\"w\""}}},
        {"points",
         {{"point_code", "device_code", "address", "data_type", "scale", "offset", "min_value", "period_ms"},
          {"P1", "D1", "00001", "bool", "", "", "", "86400000"},
          {"P2", "D1", "40011.10", "bool", "", "", "", ""},
          {"P3", "D1", "hr:20", "float32", "0.30000000000000004", "1e-300", "-12345678901234567890", "10"},
          {"P4", "D1", "hr:22", "string(16)", "0.1", "-0.5", "1e20", ""}}},
        {"sinks",
         {{"sink_code", "type", "url", "options"},
          {"K", "influxdb", "http://u:pw@h:8086/?token=abc", "token=t0p; org=o"}}},
        {"tasks",
         {{"task_code", "task_name", "devices", "points", "period_ms", "sinks", "schedule", "run_limit"},
          {"T1", "t", "D*", "", "1000", "K", "start=0 8 * * 1-5; stop=0 18 * * 1-5", "cycles=3"}}},
    });
    auto validation = validate(workbook, {}, every_rule());
    for (const auto& problem : validation.problems.errors())
        ADD_FAILURE() << problem.cell << " " << problem.message;
    std::int64_t id = 0;
    Plant plant;
    plant.revision = 41;
    for (const auto kind : kAllKinds) {
        for (auto record : validation.proposed.of(kind).all()) {
            record.id = ++id;
            plant.of(kind).add(std::move(record));
        }
    }
    return plant;
}

TEST(Export, ImportedAgainIsAnEmptyDiff) {
    const auto plant = awkward_plant();
    const TempFolder folder;
    for (const auto language : {Language::kEnglish, Language::kChinese}) {
        for (const auto mode : {ImportMode::kMerge, ImportMode::kReplace}) {
            ASSERT_TRUE(write_export(plant, folder / "export.xlsx", language));
            const auto workbook = read_workbook(folder / "export.xlsx", "export.xlsx", language);
            ASSERT_TRUE(workbook) << workbook.error().message;
            const auto validation = validate(*workbook, plant, every_rule(mode));
            EXPECT_THAT(problem_list(validation.problems.errors()), IsEmpty());
            const auto changes = diff(plant, validation.proposed);
            EXPECT_TRUE(changes.empty()) << to_json(changes).dump(1);
            EXPECT_EQ(plant_text(validation.proposed), plant_text(plant));
            EXPECT_EQ(changes.base_revision, 41U);
        }
    }
}

TEST(Export, HoldsNoSecrets) {
    const TempFolder folder;
    ASSERT_TRUE(write_export(awkward_plant(), folder / "export.xlsx", Language::kEnglish));
    const auto workbook = read_workbook(folder / "export.xlsx", "export.xlsx", Language::kEnglish);
    ASSERT_TRUE(workbook);
    std::string all;
    for (const auto& sheet : workbook->sheets) all += cells_text(sheet);
    for (const auto* const secret : {"pw@", "abc", "t0p", "p; "}) EXPECT_THAT(all, Not(HasSubstr(secret)));
    EXPECT_THAT(all, HasSubstr("http://u:********@h:8086/?token=********"));
}

TEST(Export, IntoAnEmptyPlantAsksForTheSecrets) {
    const TempFolder folder;
    ASSERT_TRUE(write_export(awkward_plant(), folder / "export.xlsx", Language::kEnglish));
    const auto workbook = read_workbook(folder / "export.xlsx", "export.xlsx", Language::kEnglish);
    const auto validation = validate(*workbook, {}, every_rule());
    EXPECT_THAT(problem_list(validation.problems.errors()),
                ElementsAre("masked_secret devices N3", "masked_secret sinks C2", "masked_secret sinks D2"));
}

TEST(Export, WithItsSecretsItFillsAnEmptyPlant) {
    const auto plant = awkward_plant();
    const TempFolder folder;
    ASSERT_TRUE(write_export(plant, folder / "export.xlsx", Language::kEnglish, ExportSecrets::kClear));
    const auto workbook = read_workbook(folder / "export.xlsx", "export.xlsx", Language::kEnglish);
    ASSERT_TRUE(workbook);
    const auto validation = validate(*workbook, {}, every_rule());
    EXPECT_THAT(problem_list(validation.problems.errors()), IsEmpty());
    for (const auto kind : kAllKinds) {
        for (const auto& record : plant.of(kind).all()) {
            const auto* back = validation.proposed.of(kind).find(record.code());
            ASSERT_NE(back, nullptr) << record.code();
            EXPECT_EQ(back->cells, record.cells);
        }
    }
}

TEST(Export, SaysWhyItCannotWrite) {
    const auto written = write_export({}, "/nowhere/export.xlsx", Language::kEnglish);
    ASSERT_FALSE(written);
    EXPECT_THAT(written.error().message, HasSubstr("cannot write /nowhere/export.xlsx"));
}

TEST(Template, ReadsAsNothingAndHasEverySheet) {
    const TempFolder folder;
    for (const auto language : {Language::kEnglish, Language::kChinese}) {
        ASSERT_TRUE(write_template(folder / "template.xlsx", language));
        const auto workbook = read_workbook(folder / "template.xlsx", "template.xlsx", language);
        ASSERT_TRUE(workbook) << workbook.error().message;
        EXPECT_EQ(workbook->sheets.size(), kKindCount);
        const auto validation = validate(*workbook, {}, every_rule());
        EXPECT_THAT(problem_list(validation.problems.errors()), IsEmpty());
        EXPECT_THAT(problem_list(validation.problems.warnings()), IsEmpty());
        EXPECT_TRUE(diff({}, validation.proposed).empty());
    }
}

Plant changed(const Plant& plant, Kind kind, std::string_view code, std::string_view field,
              std::string value) {
    Plant copy = plant;
    auto record = *copy.of(kind).find(code);
    record.cells.set(schema_of(kind).index_of(field), value);
    copy.of(kind).put(std::move(record));
    return copy;
}

TEST(Diff, SaysWhatChangesFieldByField) {
    const auto before = awkward_plant();
    auto after = changed(before, Kind::kPoint, "P4", "scale", "0.2");
    after.of(Kind::kPoint).remove("P1");
    Record added{0, before.of(Kind::kPoint).find("P3")->cells};
    added.cells.set(0, "P9");
    after.of(Kind::kPoint).add(added);
    const auto changes = diff(before, after);
    const auto json = to_json(changes);
    const auto& points = json["points"];
    EXPECT_EQ(points["counts"],
              (proto::Json{{"added", 1}, {"changed", 1}, {"removed", 1}, {"unchanged", 2}}));
    EXPECT_EQ(points["changed"],
              proto::Json::parse(R"([{"code": "P4", "fields": {"scale": {"from": "0.1", "to": "0.2"}}}])"));
    EXPECT_EQ(points["removed"], proto::Json::parse(R"([{"code": "P1"}])"));
    EXPECT_EQ(points["added"][0]["code"], "P9");
    EXPECT_EQ(points["added"][0]["fields"]["address"]["to"], "hr:20");
    EXPECT_EQ(points["truncated"], false);
    EXPECT_EQ(json["sites"]["unchanged"], 3);
    EXPECT_EQ(summary_json(changes)["points"], points["counts"]);
    ASSERT_EQ(changes.changes.of(Kind::kPoint).put.size(), 2U);
    EXPECT_EQ(changes.changes.of(Kind::kPoint).put[0].id, before.of(Kind::kPoint).find("P4")->id);
    EXPECT_EQ(changes.changes.of(Kind::kPoint).put[1].id, 0);
    EXPECT_THAT(changes.changes.of(Kind::kPoint).removed, ElementsAre("P1"));
    EXPECT_EQ(to_json(changes, 0)["points"]["truncated"], true);
}

TEST(Diff, MasksSecretsAndStoresThem) {
    const auto before = awkward_plant();
    const auto after = changed(before, Kind::kSink, "K", "options", "org=o; token=new");
    const auto changes = diff(before, after);
    const auto text = to_json(changes).dump();
    EXPECT_THAT(text, Not(HasSubstr("new")));
    EXPECT_THAT(text, Not(HasSubstr("t0p")));
    EXPECT_EQ(to_json(changes)["sinks"]["counts"]["changed"], 1);
    EXPECT_THAT(changes.changes.of(Kind::kSink).put[0].cells, testing::Contains("org=o; token=new"));
}

TEST(Secrets, TheMaskStandsForTheStoredOne) {
    EXPECT_EQ(masked_options("a=1; password=x"), "a=1; password=********");
    EXPECT_EQ(masked_options("kafka.sasl.password=x"), "kafka.sasl.password=********");
    EXPECT_EQ(masked_options("password: x"), kSecretMask);  // does not parse; who knows
    EXPECT_EQ(masked_url("postgresql://u:p%40:/@h/db"), "postgresql://u:********@h/db");
    EXPECT_EQ(masked_url("http://h:8086/x"), "http://h:8086/x");
    EXPECT_EQ(unmasked_options("a=2; password=********", "password=x"), "a=2; password=x");
    EXPECT_EQ(unmasked_options("password=********", "a=1"), std::nullopt);
    EXPECT_EQ(unmasked_options("password=new", "password=x"), "password=new");
    EXPECT_EQ(unmasked_url("http://v:********@h", "http://u:p@g"), "http://v:p@h");
    EXPECT_EQ(unmasked_url("http://v:********@h", "http://g"), std::nullopt);
}

std::vector<std::string> cells(Kind kind, const std::vector<std::pair<std::string, std::string>>& fields) {
    std::vector<std::string> all(schema_of(kind).fields.size());
    for (const auto& [name, value] : fields) all[schema_of(kind).index_of(name)] = value;
    return all;
}

TEST(CheckRecord, GivesTheCanonicalRecord) {
    const auto plant = awkward_plant();
    const auto check = check_record(Kind::kPoint,
                                    cells(Kind::kPoint, {{"point_code", "P5"},
                                                         {"device_code", "D1"},
                                                         {"address", " hr:40 "},
                                                         {"data_type", "FLOAT32"},
                                                         {"scale", "0.10"}}),
                                    nullptr, plant, every_rule());
    EXPECT_THAT(problem_list(check.problems.errors()), IsEmpty());
    EXPECT_EQ(check.record.id, 0);
    EXPECT_EQ(cell_of(Kind::kPoint, check.record, "address"), "hr:40");
    EXPECT_EQ(cell_of(Kind::kPoint, check.record, "data_type"), "float32");
    EXPECT_EQ(cell_of(Kind::kPoint, check.record, "scale"), "0.1");
}

TEST(CheckRecord, NamesTheFieldOfEveryProblem) {
    const auto plant = awkward_plant();
    const auto check = check_record(
        Kind::kPoint,
        cells(Kind::kPoint,
              {{"point_code", "P1"}, {"device_code", "D9"}, {"period_ms", "1"}, {"data_type", "x"}}),
        nullptr, plant, every_rule());
    std::vector<std::string> columns;
    for (const auto& problem : check.problems.errors())
        columns.push_back(std::string{to_name(problem.code)} + " " + problem.column);
    EXPECT_THAT(columns,
                ElementsAre("missing_value address", "bad_value data_type", "duplicate_code point_code",
                            "dangling_reference device_code", "period_out_of_range period_ms"));
}

TEST(CheckRecord, LooksAtTheNeighboursOfAPoint) {
    const auto plant = awkward_plant();
    const auto clash = check_record(Kind::kPoint,
                                    cells(Kind::kPoint, {{"point_code", "P5"},
                                                         {"device_code", "D1"},
                                                         {"address", "hr:20"},
                                                         {"data_type", "float32"},
                                                         {"byte_order", "CDAB"}}),
                                    nullptr, plant, every_rule());
    EXPECT_THAT(problem_list(clash.problems.errors()), ElementsAre("byte_order_conflict points"));
    // A point does not clash with what it was before.
    const auto* stored = plant.of(Kind::kPoint).find("P3");
    auto again = stored->cells.strings();
    again[schema_of(Kind::kPoint).index_of("byte_order")] = "CDAB";
    const auto change = check_record(Kind::kPoint, again, stored, plant, every_rule());
    EXPECT_THAT(problem_list(change.problems.errors()), IsEmpty());
    EXPECT_EQ(change.record.id, stored->id);
}

TEST(CheckRecord, ADeviceMustStillFitItsPoints) {
    const auto plant = awkward_plant();
    const auto* stored = plant.of(Kind::kDevice).find("D1");
    auto changed_cells = stored->cells.strings();
    changed_cells[schema_of(Kind::kDevice).index_of("protocol")] = "mitsubishi_mc";
    changed_cells[schema_of(Kind::kDevice).index_of("options")] = "";
    const auto check = check_record(Kind::kDevice, changed_cells, stored, plant, every_rule());
    EXPECT_EQ(check.problems.error_count(), 4U);
    EXPECT_THAT(check.problems.errors()[0].message, HasSubstr("point P1 no longer fits"));
}

TEST(CheckRecord, AStatusPointAndItsMapGoTogether) {
    const auto plant = awkward_plant();
    const auto* stored = plant.of(Kind::kDeviceType).find("T");
    ASSERT_NE(stored, nullptr);
    const auto& schema = schema_of(Kind::kDeviceType);
    const auto problems_with = [&](std::string_view field, std::string_view value) {
        auto cells = stored->cells.strings();
        cells[schema.index_of(field)] = value;
        std::vector<std::string> list;
        const auto checked = check_record(Kind::kDeviceType, cells, stored, plant, every_rule());
        for (const auto& problem : checked.problems.errors())
            list.push_back(std::string{to_name(problem.code)} + " " + problem.column);
        return list;
    };
    EXPECT_THAT(problems_with("description", "changed"), IsEmpty());
    EXPECT_THAT(problems_with("state_map", ""), ElementsAre("missing_value state_map"));
    EXPECT_THAT(problems_with("status_point", ""), ElementsAre("missing_value status_point"));
    EXPECT_THAT(problems_with("state_map", "unknown=1"), ElementsAre("bad_state_map state_map"));
}

TEST(CheckRecord, KeepsMaskedSecretsAndTheCode) {
    const auto plant = awkward_plant();
    const auto* stored = plant.of(Kind::kSink).find("K");
    auto patch = stored->cells.strings();
    patch[schema_of(Kind::kSink).index_of("options")] = "token=********; org=other";
    const auto check = check_record(Kind::kSink, patch, stored, plant, every_rule());
    EXPECT_TRUE(check.ok());
    EXPECT_EQ(cell_of(Kind::kSink, check.record, "options"), "org=other; token=t0p");
    patch[0] = "L";
    EXPECT_THAT(problem_list(check_record(Kind::kSink, patch, stored, plant, every_rule()).problems.errors()),
                ElementsAre("bad_code sinks"));
}

TEST(CheckRemoval, SaysWhoStillRefers) {
    const auto plant = awkward_plant();
    const auto problems = check_removal(Kind::kDevice, "D1", plant, Language::kEnglish);
    ASSERT_EQ(problems.size(), 1U);
    EXPECT_THAT(problems[0].message, HasSubstr("4 points still refer to it: P1, P2, P3, P4"));
    EXPECT_EQ(check_removal(Kind::kSink, "K", plant, Language::kEnglish).size(), 1U);
    EXPECT_THAT(check_removal(Kind::kPoint, "P1", plant, Language::kEnglish), IsEmpty());
    EXPECT_THAT(check_removal(Kind::kTask, "T1", plant, Language::kEnglish), IsEmpty());
}

TEST(Workbook, ManyThreadsAtOnce) {
    const TempFolder folder;
    const auto plant = awkward_plant();
    ASSERT_TRUE(write_export(plant, folder / "export.xlsx", Language::kEnglish));
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] {
            for (int k = 0; k < 5; ++k) {
                const auto workbook =
                    read_workbook(folder / "export.xlsx", "export.xlsx", Language::kEnglish);
                ASSERT_TRUE(workbook);
                EXPECT_TRUE(diff(plant, validate(*workbook, plant, every_rule()).proposed).empty());
            }
        });
    }
}

TEST(Text, NearestMatchIsTheOneMeant) {
    const auto nearest = [](std::string_view text, std::initializer_list<std::string_view> known) {
        NearestMatch match{text};
        for (const auto each : known) match.offer(each);
        return match.best();
    };
    EXPECT_EQ(nearest("scael", {"scale", "offset"}), "scale");
    EXPECT_EQ(nearest("PUMP_1", {"PUMP_10", "PUMP_2", "pump_1"}), "pump_1");
    EXPECT_EQ(nearest("x", {"abcdef"}), "");
    EXPECT_EQ(nearest("", {"a"}), "");
    EXPECT_EQ(nearest(std::string(500, 'a'), {std::string_view{"b"}}), "");
}

TEST(Text, HalfWidthForms) {
    EXPECT_EQ(half_width("ＡＢｃ１２．：；＝（）"), "ABc12.:;=()");
    EXPECT_EQ(half_width("a　b"), "a b");
    EXPECT_EQ(half_width("温度"), "温度");
    EXPECT_EQ(half_width("ａ=\"ｂ\"", true), "a=\"ｂ\"");
    EXPECT_EQ(trimmed("\u3000\u00a0 x y \ufeff"), "x y");
    EXPECT_EQ(shortened("温度温度", 7), "温度…");
    EXPECT_FALSE(valid_utf8("\xC0\x80"));
    EXPECT_FALSE(valid_utf8("\xF4\x90\x80\x80"));
}

}  // namespace
}  // namespace fieldwarden::supervisor
