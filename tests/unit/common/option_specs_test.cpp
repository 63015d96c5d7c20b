#include "common/option_specs.h"

#include <gmock/gmock.h>

#include <array>

#include "common/sink_options.h"

namespace fieldwarden {
namespace {

using ::testing::HasSubstr;

constexpr std::array kSpecs{
    OptionSpec::integer("count", 1, 10, "3", "how many"),
    OptionSpec::choice("colour", "red|green", "red", "which"),
    OptionSpec::boolean("on", "false", "whether"),
    OptionSpec::text("lib.", "anything of the library"),
};

TEST(OptionSpecsTest, AValueOrItsFallback) {
    const Options options{{"count", "7"}, {"lib.depth.max", "x"}};
    ASSERT_TRUE(check_options(kSpecs, "test", options));
    EXPECT_EQ(integer_option(kSpecs, options, "count"), 7);
    EXPECT_EQ(integer_option(kSpecs, {}, "count"), 3);
    EXPECT_EQ(text_option(kSpecs, options, "colour"), "red");
    EXPECT_EQ(text_option(kSpecs, options, "lib.depth.max"), "x");
    EXPECT_FALSE(boolean_option(kSpecs, options, "on"));
    EXPECT_TRUE(boolean_option(kSpecs, {{"on", "true"}}, "on"));
}

TEST(OptionSpecsTest, WhatDoesNotFitIsNamed) {
    const auto refused = [](const Options& options) {
        const auto status = check_options(kSpecs, "test", options);
        return status ? std::string{} : status.error().message;
    };
    EXPECT_THAT(refused({{"count", "11"}}), HasSubstr("count='11'"));
    EXPECT_THAT(refused({{"count", "1x"}}), HasSubstr("1 to 10"));
    EXPECT_THAT(refused({{"colour", "blue"}}), HasSubstr("red|green"));
    EXPECT_THAT(refused({{"on", "yes"}}), HasSubstr("true or false"));
    EXPECT_THAT(refused({{"other", "1"}}), HasSubstr("lib.<name>"));
    EXPECT_THAT(refused({{"lib.", "1"}}), HasSubstr("'lib.' is unknown"));
}

TEST(SinkOptionsTest, EveryTypeTakesItsExample) {
    for (const auto& type : sink_types()) {
        const SinkConfig sink{"S", std::string{type.name}, std::string{type.example}, {}};
        const auto fit = check_sink(sink);
        EXPECT_TRUE(fit) << fit.error().message;
        // The fallbacks of the table are values the table allows.
        for (const auto& spec : type.options) {
            if (spec.fallback.empty()) continue;
            EXPECT_TRUE(check_options(type.options, type.name,
                                      {{std::string{spec.name}, std::string{spec.fallback}}}))
                << type.name << " " << spec.name;
        }
    }
}

TEST(SinkOptionsTest, RefusesWithTheReason) {
    const auto refused = [](const SinkConfig& sink) {
        const auto status = check_sink(sink);
        return status ? std::string{} : status.error().message;
    };
    EXPECT_THAT(refused({"S", "oracle", "", {}}), HasSubstr("known: history, influxdb"));
    EXPECT_THAT(refused({"S", "influxdb", "kafka://a", {}}), HasSubstr("http://host:8086"));
    EXPECT_THAT(refused({"S", "influxdb", "http://", {}}), HasSubstr("is written as"));
    EXPECT_EQ(refused({"S", "history", "anything", {}}), "");
    EXPECT_THAT(refused({"S", "history", "", {{"a", "b"}}}), HasSubstr("'a' is unknown for history"));
    EXPECT_THAT(refused({"S", "mqtt", "mqtt://a", {{"qos", "2"}}}), HasSubstr("qos='2'"));
}

}  // namespace
}  // namespace fieldwarden
