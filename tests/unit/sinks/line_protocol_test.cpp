#include "worker/sinks/influxdb/line_protocol.h"

#include <gtest/gtest.h>

#include <limits>
#include <map>
#include <random>

namespace fieldwarden::worker::influxdb {
namespace {

// One line read back by the rules of InfluxDB's own parser: a separator counts unless a backslash stands
// before it; within names "\," "\ " "\=" lose their backslash, in strings "\"" and "\\" do.
struct Line {
    std::string measurement;
    std::map<std::string, std::string> tags;
    std::map<std::string, std::string> fields;  // strings with their quotes
    std::string time;
};

std::string unescaped(std::string_view text, std::string_view special) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool escape =
            text[i] == '\\' && i + 1 < text.size() && special.find(text[i + 1]) != std::string_view::npos;
        if (escape) ++i;
        out += text[i];
    }
    return out;
}

// Up to the next unescaped separator.
std::string_view take(std::string_view& text, std::string_view separators) {
    std::size_t at = 0;
    while (at < text.size() &&
           (separators.find(text[at]) == std::string_view::npos || (at > 0 && text[at - 1] == '\\'))) {
        ++at;
    }
    const auto taken = text.substr(0, at);
    text.remove_prefix(at);
    return taken;
}

Line parse(std::string_view text) {
    Line line;
    line.measurement = unescaped(take(text, ", "), ", ");
    while (text.starts_with(',')) {
        text.remove_prefix(1);
        const auto key = unescaped(take(text, "="), ", =");
        text.remove_prefix(1);
        line.tags[key] = unescaped(take(text, ", "), ", =");
    }
    do {
        text.remove_prefix(1);
        const auto key = std::string{take(text, "=")};
        text.remove_prefix(1);
        std::size_t end = 0;
        if (text.starts_with('"')) {
            for (end = 1; text.at(end) != '"'; ++end) end += text[end] == '\\' ? 1 : 0;
            ++end;
            line.fields[key] = '"' + unescaped(text.substr(1, end - 2), "\"\\") + '"';
        } else {
            end = text.find_first_of(", ");
            line.fields[key] = text.substr(0, end);
        }
        text.remove_prefix(end);
    } while (text.starts_with(','));
    text.remove_prefix(1);
    line.time = text.substr(0, text.find('\n'));
    EXPECT_EQ(text.size(), line.time.size() + 1);
    return line;
}

PointDirectory one_point(std::string site, std::string device, std::string point) {
    return {{1, {std::move(site), std::move(device), "", "", std::move(point), "", {BaseType::kFloat64, 0}}}};
}

std::string line_of(const Value& value, Quality quality = Quality::kGood,
                    const PointDirectory& points = one_point("S", "D", "P"),
                    std::string_view measurement = "points", UtcTime time = UtcTime{}) {
    LineEncoder encoder{measurement};
    std::string out;
    EXPECT_TRUE(encoder.append(out, {{}, &points, 1}, {1, quality, QualityCode::kNone, time, value}));
    return out;
}

TEST(LineProtocol, NumbersAreAlwaysFloats) {
    EXPECT_EQ(line_of(21.5), "points,device=D,point=P,site=S value=21.5,quality=0i 0\n");
    EXPECT_EQ(parse(line_of(true)).fields.at("value"), "1");
    EXPECT_EQ(parse(line_of(false)).fields.at("value"), "0");
    EXPECT_EQ(parse(line_of(std::int64_t{-7})).fields.at("value"), "-7");
    EXPECT_EQ(parse(line_of(std::numeric_limits<std::uint64_t>::max())).fields.at("value"),
              "18446744073709551615");
    EXPECT_EQ(parse(line_of(5.0)).fields.at("value"), "5");
    EXPECT_EQ(parse(line_of(-0.1)).fields.at("value"), "-0.1");
    EXPECT_EQ(parse(line_of(1e300)).fields.at("value"), "1e+300");
}

TEST(LineProtocol, WhatHasNoFormLeavesTheQuality) {
    for (const auto& value : {Value{}, Value{std::nan("")}, Value{HUGE_VAL}, Value{-HUGE_VAL}}) {
        EXPECT_EQ(line_of(value, Quality::kBad), "points,device=D,point=P,site=S quality=2i 0\n");
    }
    EXPECT_EQ(parse(line_of(1.0, Quality::kUncertain)).fields.at("quality"), "1i");
}

TEST(LineProtocol, TextsKeepEveryByte) {
    const std::string text = "a \"quoted\" \\ back\\\\slash, = 中文\nnext line\\";
    EXPECT_EQ(parse(line_of(text)).fields.at("text"), '"' + text + '"');
    EXPECT_EQ(parse(line_of(std::string{})).fields.at("text"), "\"\"");
    EXPECT_EQ(parse(line_of(text)).fields.count("value"), 0U);
}

TEST(LineProtocol, NamesAreEscaped) {
    const auto line = parse(line_of(1.0, Quality::kGood, one_point("s, =\\,x", "de vice", "p=1,2"), "m, =e"));
    EXPECT_EQ(line.measurement, "m, =e");
    EXPECT_EQ(line.tags, (std::map<std::string, std::string>{
                             {"site", "s, =\\,x"}, {"device", "de vice"}, {"point", "p=1,2"}}));
}

TEST(LineProtocol, EmptyTagsAreLeftOutAndWhatCannotBeSaidIsReplaced) {
    const auto line = parse(line_of(1.0, Quality::kGood, one_point("", "a\nb", "c\\"), "m\\"));
    EXPECT_EQ(line.measurement, "m/");
    EXPECT_EQ(line.tags, (std::map<std::string, std::string>{{"device", "a b"}, {"point", "c/"}}));
}

TEST(LineProtocol, TimesAreNanosecondsAsFarAsTheyReach) {
    using namespace std::chrono_literals;
    EXPECT_EQ(parse(line_of(1.0, Quality::kGood, one_point("S", "D", "P"), "m", UtcTime{123456us})).time,
              "123456000");
    EXPECT_EQ(parse(line_of(1.0, Quality::kGood, one_point("S", "D", "P"), "m", UtcTime{-1us})).time,
              "-1000");
    LineEncoder encoder{"m"};
    std::string out;
    const auto points = one_point("S", "D", "P");
    for (const auto time : {UtcTime::max(), UtcTime::min()}) {
        EXPECT_FALSE(
            encoder.append(out, {{}, &points, 1}, {1, Quality::kGood, QualityCode::kNone, time, 1.0}));
    }
    EXPECT_TRUE(out.empty());
}

TEST(LineProtocol, KnowsPointsByTheirDirectory) {
    LineEncoder encoder{"m"};
    std::string out;
    const Sample sample{1, Quality::kGood, QualityCode::kNone, UtcTime{}, 1.0};
    const auto before = one_point("S", "D", "P");
    const auto after = one_point("S", "D", "Q");
    EXPECT_TRUE(encoder.append(out, {{}, &before, 1}, sample));
    EXPECT_TRUE(encoder.append(out, {{}, nullptr, 1}, sample)) << "it remembers";
    out.clear();
    EXPECT_TRUE(encoder.append(out, {{}, &after, 2}, sample));
    EXPECT_EQ(parse(out).tags.at("point"), "Q");
    out.clear();
    EXPECT_FALSE(encoder.append(out, {{}, nullptr, 3}, sample));
    EXPECT_FALSE(
        encoder.append(out, {{}, &before, 4}, {2, Quality::kGood, QualityCode::kNone, UtcTime{}, 1.0}));
    EXPECT_TRUE(out.empty());
}

// Any names and texts, made mostly of what is special, come back as they were.
TEST(LineProtocol, WhatIsEscapedReadsBack) {
    std::mt19937 random{7};
    const std::string_view alphabet = "ab,= \\\"#中";
    const auto any = [&](bool name) {
        std::string text;
        for (auto length = random() % 12; text.size() < length;) text += alphabet[random() % alphabet.size()];
        if (name && text.ends_with('\\')) text += 'x';
        return text;
    };
    for (int i = 0; i < 20'000; ++i) {
        const auto measurement = "m" + any(true);
        const auto site = any(true);
        const auto device = any(true);
        const auto text = any(false);
        const auto line =
            parse(line_of(text, Quality::kGood, one_point(site, device, "P"), measurement, UtcTime{}));
        ASSERT_EQ(line.measurement, measurement);
        ASSERT_EQ(line.tags.count("site") != 0 ? line.tags.at("site") : "", site);
        ASSERT_EQ(line.tags.count("device") != 0 ? line.tags.at("device") : "", device);
        ASSERT_EQ(line.fields.at("text"), '"' + text + '"');
        ASSERT_EQ(line.time, "0");
    }
}

}  // namespace
}  // namespace fieldwarden::worker::influxdb
