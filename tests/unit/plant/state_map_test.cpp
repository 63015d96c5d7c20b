#include "supervisor/plant/state_map.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace fieldwarden::supervisor {
namespace {

using Kind = StateMapFault::Kind;
using testing::ElementsAre;

StateMap map_of(std::string_view text) {
    auto parsed = StateMap::parse(text);
    const auto* fault = std::get_if<StateMapFault>(&parsed);
    EXPECT_EQ(fault, nullptr) << text << ": fault " << static_cast<int>(fault->kind) << " at "
                              << fault->subject;
    return fault != nullptr ? StateMap{} : std::get<StateMap>(parsed);
}

StateMapFault fault_of(std::string_view text) {
    auto parsed = StateMap::parse(text);
    const auto* fault = std::get_if<StateMapFault>(&parsed);
    EXPECT_NE(fault, nullptr) << text;
    return fault != nullptr ? *fault : StateMapFault{};
}

std::string state_in(const StateMap& map, const Value& value) {
    return std::string{map.state_of(value).value_or("-")};
}

TEST(StateMap, NamesTheStateOfANumber) {
    const auto map = map_of("welding=2,3; standby=1; alarm=10..19; shutdown=0; cold=-5.5..-1");
    EXPECT_THAT(map.states(), ElementsAre("welding", "standby", "alarm", "shutdown", "cold"));
    for (const auto& [value, state] : std::vector<std::pair<double, std::string>>{{2, "welding"},
                                                                                  {3, "welding"},
                                                                                  {1, "standby"},
                                                                                  {0, "shutdown"},
                                                                                  {-0.0, "shutdown"},
                                                                                  {10, "alarm"},
                                                                                  {14.5, "alarm"},
                                                                                  {19, "alarm"},
                                                                                  {19.001, "-"},
                                                                                  {9.999, "-"},
                                                                                  {2.5, "-"},
                                                                                  {-5.5, "cold"},
                                                                                  {-1, "cold"},
                                                                                  {-0.5, "-"},
                                                                                  {-6, "-"},
                                                                                  {1e300, "-"}}) {
        EXPECT_EQ(state_in(map, value), state) << value;
        if (std::trunc(value) != value || std::abs(value) > 100) continue;
        EXPECT_EQ(state_in(map, static_cast<std::int64_t>(value)), state) << value;
        if (value < 0) continue;
        EXPECT_EQ(state_in(map, static_cast<std::uint64_t>(value)), state) << value;
    }
    EXPECT_EQ(state_in(map, std::numeric_limits<double>::quiet_NaN()), "-");
    EXPECT_EQ(state_in(map, std::numeric_limits<double>::infinity()), "-");
    EXPECT_EQ(state_in(map, std::numeric_limits<std::uint64_t>::max()), "-");
    EXPECT_EQ(state_in(map, std::numeric_limits<std::int64_t>::min()), "-");
    EXPECT_EQ(state_in(map, std::monostate{}), "-");
}

TEST(StateMap, TruthValuesAreOneAndZero) {
    for (const auto* text : {"run=true; stop=false", "run=1; stop=0", "run=TRUE;stop=False"}) {
        const auto map = map_of(text);
        EXPECT_EQ(state_in(map, true), "run") << text;
        EXPECT_EQ(state_in(map, false), "stop") << text;
        EXPECT_EQ(state_in(map, std::int64_t{1}), "run") << text;
        EXPECT_EQ(state_in(map, 0.0), "stop") << text;
    }
}

TEST(StateMap, TextsAreComparedAsTheyAre) {
    const auto map = map_of("welding=ARC ON,焊接; standby=\"a,b;c=d..e\"; alarm=\"2\"; off=3, \"\"");
    EXPECT_EQ(state_in(map, std::string{"ARC ON"}), "welding");
    EXPECT_EQ(state_in(map, std::string{"arc on"}), "-");
    EXPECT_EQ(state_in(map, std::string{"焊接"}), "welding");
    EXPECT_EQ(state_in(map, std::string{"a,b;c=d..e"}), "standby");
    EXPECT_EQ(state_in(map, std::string{"2"}), "alarm");
    EXPECT_EQ(state_in(map, std::int64_t{2}), "-") << "the quotes say that it is a text";
    EXPECT_EQ(state_in(map, std::string{""}), "off");
    EXPECT_EQ(state_in(map, std::string(100'000, '9')), "-");
}

TEST(StateMap, ATextThatIsANumberCountsAsOne) {
    const auto map = map_of("run=2; idle=true; warm=3.5..4");
    EXPECT_EQ(state_in(map, std::string{"2"}), "run");
    EXPECT_EQ(state_in(map, std::string{" 2.0 "}), "run");
    EXPECT_EQ(state_in(map, std::string{"+2"}), "run");
    EXPECT_EQ(state_in(map, std::string{"TRUE"}), "idle");
    EXPECT_EQ(state_in(map, std::string{"3.75"}), "warm");
    EXPECT_EQ(state_in(map, std::string{"2 A"}), "-");
}

TEST(StateMap, HasOneWayToBeWritten) {
    for (const auto& [typed, text] : std::vector<std::pair<std::string, std::string>>{
             {"", ""},
             {" ; ;\n", ""},
             {"a=1", "a=1"},
             {"  a = 1 , 2 ;; b=3 ;", "a=1,2; b=3"},
             {"a=1\nb=2\r\nc=3", "a=1; b=2; c=3"},
             {"a=1.0,+2,-0,1e3", "a=1,2,0,1000"},
             {"a=1 .. 5", "a=1..5"},
             {"a=True", "a=true"},
             {"a=\"plain\",\"x y\",\" z\",\"1\",\"true\",\"a=b\"",
              "a=plain,x y,\" z\",\"1\",\"true\",\"a=b\""},
         }) {
        EXPECT_EQ(map_of(typed).text(), text) << typed;
        EXPECT_EQ(map_of(text).text(), text);
    }
    EXPECT_TRUE(map_of("").empty());
    EXPECT_EQ(map_of("").state_of(Value{1.0}), std::nullopt);
}

TEST(StateMap, OneStateMayHaveAValueTwice) {
    const auto map = map_of("a=1..5,3,4..8,x,x; b=9");
    EXPECT_EQ(state_in(map, 6.5), "a");
    EXPECT_EQ(state_in(map, 8.5), "-");
    EXPECT_EQ(state_in(map, 9.0), "b");
    EXPECT_EQ(state_in(map, std::string{"x"}), "a");
}

TEST(StateMap, SaysWhatIsWrong) {
    const std::vector<std::pair<std::string, StateMapFault>> cases{
        {"welding", {Kind::kNoEquals, "welding", ""}},
        {"a=1; 2,3", {Kind::kNoEquals, "2,3", ""}},
        {"=1", {Kind::kBadName, "", ""}},
        {"arc on=1", {Kind::kBadName, "arc on", ""}},
        {"焊接=1", {Kind::kBadName, "焊接", ""}},
        {"a.b=1", {Kind::kBadName, "a.b", ""}},
        {std::string(33, 'x') + "=1", {Kind::kBadName, std::string(33, 'x'), ""}},
        {"online=1", {Kind::kReservedName, "online", ""}},
        {"a=1; Unknown=2", {Kind::kReservedName, "Unknown", ""}},
        {"a=1; b=2; a=3", {Kind::kRepeatedName, "a", ""}},
        {"a=", {Kind::kMissingValue, "a", ""}},
        {"a=1,,2", {Kind::kMissingValue, "a", ""}},
        {"a=1,", {Kind::kMissingValue, "a", ""}},
        {"a=1=2", {Kind::kBadValue, "1=2", ""}},
        {"a=0x10", {Kind::kBadValue, "0x10", ""}},
        {"a=3rd", {Kind::kBadValue, "3rd", ""}},
        {"a=-", {Kind::kBadValue, "-", ""}},
        {"a=.", {Kind::kBadValue, ".", ""}},
        {"a=1e16", {Kind::kBadValue, "1e16", ""}},
        {"a=-1e999", {Kind::kBadValue, "-1e999", ""}},
        {"a=1..", {Kind::kBadValue, "1..", ""}},
        {"a=..2", {Kind::kBadValue, "..2", ""}},
        {"a=1..2..3", {Kind::kBadValue, "1..2..3", ""}},
        {"a=x..y", {Kind::kBadValue, "x..y", ""}},
        {"a=\"open", {Kind::kBadValue, "\"open", ""}},
        {"a=\"", {Kind::kBadValue, "\"", ""}},
        {"a=\"b\"c", {Kind::kBadValue, "\"b\"c", ""}},
        {"a=b\"c\"", {Kind::kBadValue, "b\"c\"", ""}},
        {"a=x\ty", {Kind::kBadValue, "x\ty", ""}},
        {"a=5..2", {Kind::kReversedRange, "5..2", ""}},
        {"a=1; b=1", {Kind::kTwoStates, "a", "b"}},
        {"a=1; b=true", {Kind::kTwoStates, "a", "b"}},
        {"a=1..5; c=9; b=5..8", {Kind::kTwoStates, "a", "b"}},
        {"b=5; a=1..9", {Kind::kTwoStates, "b", "a"}},
        {"a=1..9; b=2; c=10", {Kind::kTwoStates, "a", "b"}},
        {"a=1..9,2; b=8", {Kind::kTwoStates, "a", "b"}},
        {"a=x; b=y,x", {Kind::kTwoStates, "a", "b"}},
        {"a=x; b=\"x\"", {Kind::kTwoStates, "a", "b"}},
    };
    for (const auto& [text, fault] : cases) {
        const auto found = fault_of(text);
        EXPECT_EQ(found.kind, fault.kind) << text;
        EXPECT_EQ(found.subject, fault.subject) << text;
        EXPECT_EQ(found.other, fault.other) << text;
    }
}

TEST(StateMap, HasLimits) {
    std::string most;
    for (std::size_t i = 0; i < kMostStates; ++i)
        most += "s" + std::to_string(i) + "=" + std::to_string(i) + ";";
    EXPECT_EQ(map_of(most).states().size(), kMostStates);
    EXPECT_EQ(fault_of(most + "more=x").kind, Kind::kTooMany);
    const auto longest = "a=" + std::string(kLongestStateMap - 2, 'x');
    EXPECT_EQ(state_in(map_of(longest), longest.substr(2)), "a");
    EXPECT_EQ(fault_of(longest + "x").kind, Kind::kTooLong);
    EXPECT_EQ(state_in(map_of(std::string(32, 'n') + "=1e15"), 1e15), std::string(32, 'n'));
}

}  // namespace
}  // namespace fieldwarden::supervisor
