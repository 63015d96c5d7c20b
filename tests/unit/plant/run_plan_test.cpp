#include "supervisor/plant/run_plan.h"

#include <gtest/gtest.h>

#include "supervisor/plant/task_options.h"

namespace fieldwarden::supervisor {

namespace {

template <class Set>
std::vector<unsigned> members(Set bits) {
    std::vector<unsigned> out;
    for (unsigned i = 0; i < sizeof(Set) * 8; ++i) {
        if ((bits >> i & 1) != 0) out.push_back(i);
    }
    return out;
}
using Members = std::vector<unsigned>;

TEST(Cron, ReadsTheFiveFields) {
    const auto cron = parse_cron("*/20 8-10,13 1,15 jan-MAR 1-5");
    ASSERT_TRUE(cron) << cron.error().message;
    EXPECT_EQ(members(cron->minutes), (Members{0, 20, 40}));
    EXPECT_EQ(members(cron->hours), (Members{8, 9, 10, 13}));
    EXPECT_EQ(members(cron->days), (Members{1, 15}));
    EXPECT_EQ(members(cron->months), (Members{1, 2, 3}));
    EXPECT_EQ(members(cron->weekdays), (Members{1, 2, 3, 4, 5}));
    EXPECT_FALSE(cron->any_day);
    EXPECT_FALSE(cron->any_weekday);
}

TEST(Cron, StarsAreAllAndSundayHasTwoNumbers) {
    const auto all = parse_cron("  *\t* * * *  ");
    ASSERT_TRUE(all);
    EXPECT_EQ(members(all->minutes).size(), 60U);
    EXPECT_EQ(members(all->hours).size(), 24U);
    EXPECT_EQ(members(all->days).size(), 31U);
    EXPECT_EQ(members(all->months).size(), 12U);
    EXPECT_EQ(members(all->weekdays).size(), 7U);
    EXPECT_TRUE(all->any_day && all->any_weekday);
    EXPECT_EQ(parse_cron("0 0 * * 7")->weekdays, parse_cron("0 0 * * sun")->weekdays);
    EXPECT_EQ(members(parse_cron("0 0 * * 5-7")->weekdays), (Members{0, 5, 6}));
    EXPECT_EQ(members(parse_cron("5/25 0 * * *")->minutes), (Members{5, 30, 55})) << "n/step runs to the end";
}

TEST(Cron, RefusesEverythingElse) {
    for (const auto* text : {"",
                             "*",
                             "* * * *",
                             "* * * * * *",
                             "60 * * * *",
                             "* 24 * * *",
                             "* * 0 * *",
                             "* * 32 * *",
                             "* * * 0 *",
                             "* * * 13 *",
                             "* * * * 8",
                             "-1 * * * *",
                             "5-1 * * * *",
                             "*/0 * * * *",
                             "*/ * * * *",
                             "/5 * * * *",
                             "1, * * * *",
                             ",1 * * * *",
                             "a * * * *",
                             "1- * * * *",
                             "1-2-3 * * * *",
                             "* * * janu *",
                             "1.5 * * * *",
                             "+1 * * * *",
                             "99999999999 * * * *",
                             "*/99 * * * *",
                             "@daily"}) {
        EXPECT_FALSE(parse_cron(text)) << text;
    }
}

TEST(Cron, RefusesWhatNeverComes) {
    for (const auto* text : {"0 0 30 2 *", "0 0 31 4,6,9,11 *", "0 0 31 2,4 *"})
        EXPECT_FALSE(parse_cron(text)) << text;
    for (const auto* text : {"0 0 29 2 *", "0 0 31 2,3 *", "0 0 30 4 *", "0 0 31 2 1", "0 0 1,31 2 *"}) {
        EXPECT_TRUE(parse_cron(text)) << text;
    }
}

TEST(ScheduleCell, NeedsAStartAndTakesAStop) {
    const auto both = parse_schedule("start=0 8 * * 1-5; stop=0 18 * * 1-5");
    ASSERT_TRUE(both) << both.error().message;
    ASSERT_TRUE(both->has_value());
    EXPECT_EQ((*both)->start, *parse_cron("0 8 * * 1-5"));
    EXPECT_EQ((*both)->stop, *parse_cron("0 18 * * 1-5"));
    const auto start = parse_schedule("start=0 8 * * *");
    ASSERT_TRUE(start);
    EXPECT_FALSE((*start)->stop);
    for (const auto* empty : {"", "  ", ";"}) EXPECT_FALSE(parse_schedule(empty)->has_value()) << empty;
}

TEST(ScheduleCell, RefusesEverythingElse) {
    for (const auto* text : {"0 8 * * *", "stop=0 18 * * *", "start=0 8 * *",
                             "start=0 8 * * *; end=0 18 * * *", "start=0 8 * * *; start=0 9 * * *",
                             "start=0 8 * * *; stop=0 8 * * *", "start=", "start=0 8 * * *; stop="}) {
        EXPECT_FALSE(parse_schedule(text)) << text;
    }
}

TEST(RunLimitCell, IsNothingOrOneBound) {
    EXPECT_EQ(*parse_run_limit(""), RunLimit{});
    EXPECT_EQ(parse_run_limit("cycles=18446744073709551615")->cycles, UINT64_MAX);
    EXPECT_EQ(parse_run_limit(" Duration = 90s ")->duration, std::chrono::seconds{90});
    for (const auto* text :
         {"cycles=0", "cycles=-1", "cycles=1.5", "cycles=18446744073709551616", "cycles=", "duration=0",
          "duration=-5s", "duration=long", "cycles=1; duration=1h", "forever", "5", "loops=4"}) {
        EXPECT_FALSE(parse_run_limit(text)) << text;
    }
}

TEST(TaskOptions, EveryOptionTakesBothItsEnds) {
    for (const auto& spec : task_options()) {
        const auto check = [&](const std::string& value) {
            return check_task_options({{std::string{spec.name}, value}}).has_value();
        };
        switch (spec.type) {
            case OptionSpec::Type::kInteger:
                EXPECT_TRUE(check(std::to_string(spec.least)) && check(std::to_string(spec.most)))
                    << spec.name;
                EXPECT_FALSE(check(std::to_string(spec.least - 1)) || check(std::to_string(spec.most + 1)))
                    << spec.name;
                break;
            case OptionSpec::Type::kDuration:
                EXPECT_TRUE(check(std::to_string(spec.least) + "ms") &&
                            check(std::to_string(spec.most) + "ms"))
                    << spec.name;
                EXPECT_FALSE(check(std::to_string(spec.most + 1) + "ms")) << spec.name;
                EXPECT_FALSE(check("soon") || check("")) << spec.name;
                break;
            case OptionSpec::Type::kChoice:
                EXPECT_TRUE(check(std::string{spec.choices.substr(0, spec.choices.find('|'))})) << spec.name;
                EXPECT_FALSE(check(std::string{spec.choices}) || check("")) << spec.name;
                break;
            case OptionSpec::Type::kBoolean:
                EXPECT_TRUE(check("true") && check("false")) << spec.name;
                EXPECT_FALSE(check("yes")) << spec.name;
                break;
            case OptionSpec::Type::kText:
                ADD_FAILURE() << spec.name << ": a task option without a check";
                break;
        }
        EXPECT_FALSE(spec.help.empty()) << spec.name;
    }
}

}  // namespace

}  // namespace fieldwarden::supervisor
