#include "supervisor/plant/plant.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>
#include <regex>

#include "tests/unit/plant/plant_builder.h"

namespace fieldwarden::supervisor {

namespace {

std::vector<std::string> codes(const std::vector<const Record*>& records) {
    std::vector<std::string> out;
    for (const auto* record : records) out.emplace_back(record->code());
    return out;
}
std::vector<std::string> codes(const Records& records) {
    std::vector<std::string> out;
    for (const auto& record : records.all()) out.emplace_back(record.code());
    return out;
}
using Codes = std::vector<std::string>;

Records sites(std::initializer_list<std::string_view> names) {
    Records records;
    for (const auto name : names) EXPECT_TRUE(records.add(site(name)));
    return records;
}

TEST(CellOf, AnEmptyCellMeansTheFallback) {
    const auto record = device("D1");
    EXPECT_EQ(cell_of(Kind::kDevice, record, "is_locked"), "false");
    EXPECT_EQ(cell_of(Kind::kDevice, with(Kind::kDevice, record, "is_locked", "true"), "is_locked"), "true");
    EXPECT_EQ(cell_of(Kind::kDevice, record, "team_name"), "");
    EXPECT_EQ(cell_of(Kind::kPoint, Record{1, {"P1"}}, "byte_order"), "ABCD")
        << "a record with cells missing";
}

TEST(RecordsTest, AddRefusesATakenCodeAndPutReplacesInPlace) {
    auto records = sites({"A", "B", "C"});
    EXPECT_FALSE(records.add(with(Kind::kSite, site("B"), "description", "second")));
    EXPECT_EQ(records.find("B")->cells.back(), "");
    records.put(with(Kind::kSite, site("B"), "description", "second"));
    EXPECT_EQ(records.find("B")->cells.back(), "second");
    records.put(site("D"));
    EXPECT_EQ(codes(records), (Codes{"A", "B", "C", "D"}));
}

TEST(RecordsTest, FindsByIdToo) {
    Records records;
    auto record = site("A");
    record.id = 5;
    records.put(record);
    EXPECT_EQ(records.find_id(5)->code(), "A");
    EXPECT_EQ(records.find_id(6), nullptr);
}

// Against a plain list: whatever is added, replaced and removed, order and lookup stay right.
TEST(RecordsTest, AgreesWithASimpleModelOverRandomEdits) {
    std::mt19937 random{7};
    for (int round = 0; round < 50; ++round) {
        Records records;
        Codes model;
        for (int step = 0; step < 200; ++step) {
            const auto code = fmt::format("C{}", random() % 30);
            const auto at = std::find(model.begin(), model.end(), code);
            switch (random() % 4) {
                case 0:
                    EXPECT_EQ(records.add(site(code)), at == model.end());
                    if (at == model.end()) model.push_back(code);
                    break;
                case 1:
                    records.put(site(code));
                    if (at == model.end()) model.push_back(code);
                    break;
                case 2:
                    EXPECT_EQ(records.remove(code), at != model.end());
                    std::erase(model, code);
                    break;
                default: {
                    const Codes gone{code, code, fmt::format("C{}", random() % 30), "none"};
                    const auto before = model.size();
                    std::erase_if(model, [&](const auto& c) {
                        return std::find(gone.begin(), gone.end(), c) != gone.end();
                    });
                    EXPECT_EQ(records.remove_all(gone), before - model.size());
                }
            }
            ASSERT_EQ(codes(records), model);
            for (int i = 0; i < 30; ++i) {
                const auto probe = fmt::format("C{}", i);
                const auto* found = records.find(probe);
                ASSERT_EQ(found != nullptr, std::find(model.begin(), model.end(), probe) != model.end());
                ASSERT_TRUE(found == nullptr || found->code() == probe);
            }
        }
    }
}

TEST(SplitCodes, TakesEveryCommaAndBlankPeopleType) {
    using Views = std::vector<std::string_view>;
    EXPECT_EQ(split_codes(" A , B，C、D\u3000,\n E "), (Views{"A", "B", "C", "D", "E"}));
    EXPECT_EQ(split_codes(",, ，"), Views{});
    EXPECT_EQ(split_codes(""), Views{});
    EXPECT_EQ(split_codes("one"), Views{"one"});
}

TEST(GlobMatch, AgreesWithARegularExpressionOnRandomInput) {
    std::mt19937 random{11};
    const auto draw = [&](std::string_view letters, std::size_t most) {
        std::string text;
        for (std::size_t n = random() % (most + 1); n > 0; --n) text += letters[random() % letters.size()];
        return text;
    };
    for (int i = 0; i < 20'000; ++i) {
        const auto glob = draw("ab*", 6);
        const auto text = draw("ab", 8);
        std::string pattern;
        for (const char c : glob) pattern += c == '*' ? std::string{".*"} : std::string{c};
        ASSERT_EQ(glob_match(glob, text), std::regex_match(text, std::regex{pattern})) << glob << " " << text;
    }
}

TEST(GlobMatch, ManyStarsStayFast) {
    // Backtracking over every star would take longer than anyone waits.
    std::string glob;
    for (int i = 0; i < 30; ++i) glob += "a*";
    EXPECT_FALSE(glob_match(glob + "b", std::string(5000, 'a')));
    EXPECT_TRUE(glob_match(glob, std::string(5000, 'a')));
}

TEST(MatchCodes, GivesPlantOrderAndEachRecordOnce) {
    const auto records = sites({"W2", "P1", "W1", "X"});
    EXPECT_EQ(codes(match_codes(records, "W1, W*，P1, none, W2")), (Codes{"W2", "P1", "W1"}));
    EXPECT_EQ(codes(match_codes(records, "*")), (Codes{"W2", "P1", "W1", "X"}));
    EXPECT_TRUE(match_codes(records, "w*").empty()) << "codes are case sensitive";
    EXPECT_TRUE(match_codes(records, "").empty());
}

TEST(Schema, EveryKindBeginsWithItsCodeAndNamesAreUnique) {
    for (const Kind kind : kAllKinds) {
        const auto& schema = schema_of(kind);
        EXPECT_EQ(schema.kind, kind);
        ASSERT_FALSE(schema.fields.empty());
        EXPECT_EQ(schema.fields.front().type, FieldType::kCode) << schema.sheet;
        for (std::size_t i = 0; i < schema.fields.size(); ++i) {
            const auto& field = schema.fields[i];
            EXPECT_EQ(schema.index_of(field.name), i) << "twice: " << field.name;
            EXPECT_FALSE(field.name_zh.empty()) << field.name;
            EXPECT_EQ(field.type == FieldType::kChoice, !field.choices.empty()) << field.name;
            EXPECT_FALSE(field.required && !field.fallback.empty()) << field.name;
        }
    }
}

TEST(Schema, ProtocolAndByteOrderChoicesAreThoseOfTheVocabulary) {
    const auto choices = [](Kind kind, std::string_view name) {
        const auto& schema = schema_of(kind);
        auto text = std::string{schema.fields[schema.index_of(name)].choices};
        for (std::size_t at = 0; (at = text.find('|', at)) != std::string::npos;) text.replace(at, 1, ", ");
        return text;
    };
    EXPECT_EQ(choices(Kind::kDevice, "protocol"), all_names<Protocol>());
    EXPECT_EQ(choices(Kind::kPoint, "byte_order"), all_names<ByteOrder>());
}

TEST(Secrets, AreKnownByTheEndingOfTheirName) {
    for (const auto* name : {"password", "kafka.sasl.password", "token", "private_key", "client_secret"}) {
        EXPECT_TRUE(is_secret_option(name)) << name;
    }
    for (const auto* name : {"username", "unit_id", "passwordless", ""})
        EXPECT_FALSE(is_secret_option(name)) << name;
}

}  // namespace

}  // namespace fieldwarden::supervisor
