#include "worker/point_write.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace fieldwarden::worker {
namespace {

using testing::HasSubstr;

WriteRule rule(BaseType base, double scale = 1, double offset = 0, std::uint16_t length = 0) {
    PointConfig point;
    point.id = 7;
    point.point_code = "P";
    point.data_type = {base, length};
    point.scale = scale;
    point.offset = offset;
    return WriteRule{point};
}

Value accepted(const WriteRule& r, const Value& value) {
    const auto raw = raw_value(r, value);
    EXPECT_TRUE(raw) << raw.error().message;
    return raw ? *raw : Value{};
}

void expect_refused(const WriteRule& r, const Value& value, const char* why) {
    const auto raw = raw_value(r, value);
    ASSERT_FALSE(raw) << why;
    EXPECT_EQ(raw.error().kind, ErrorKind::kInvalidArgument);
    EXPECT_THAT(raw.error().message, testing::AllOf(HasSubstr("point P"), HasSubstr(why)));
}

struct Limits {
    BaseType base;
    Value least, most, below, above;
};

TEST(RawValue, EveryIntegerTypeTakesItsLimitsAndNothingBeyond) {
    using S = std::int64_t;
    using U = std::uint64_t;
    const std::vector<Limits> all{
        {BaseType::kInt16, S{-32768}, S{32767}, S{-32769}, S{32768}},
        {BaseType::kUint16, U{0}, U{65535}, S{-1}, S{65536}},
        {BaseType::kInt32, S{INT32_MIN}, S{INT32_MAX}, S{INT32_MIN} - 1, S{INT32_MAX} + 1},
        {BaseType::kUint32, U{0}, U{UINT32_MAX}, S{-1}, S{UINT32_MAX} + 1},
        {BaseType::kInt64, S{INT64_MIN}, S{INT64_MAX}, -1e19, U{INT64_MAX} + 1},
        {BaseType::kUint64, U{0}, U{UINT64_MAX}, S{-1}, 18446744073709551616.0},
        {BaseType::kBcd16, U{0}, U{9999}, S{-1}, S{10'000}},
        {BaseType::kBcd32, U{0}, U{99'999'999}, S{-1}, S{100'000'000}},
    };
    for (const auto& each : all) {
        SCOPED_TRACE(to_name(each.base));
        EXPECT_EQ(accepted(rule(each.base), each.least), each.least);
        EXPECT_EQ(accepted(rule(each.base), each.most), each.most);
        expect_refused(rule(each.base), each.below, "does not fit");
        expect_refused(rule(each.base), each.above, "does not fit");
        expect_refused(rule(each.base), 1.5, "whole numbers");
        expect_refused(rule(each.base), std::string{"1"}, "takes a number");
        expect_refused(rule(each.base), std::nan(""), "not finite");
        expect_refused(rule(each.base), std::numeric_limits<double>::infinity(), "not finite");
    }
}

TEST(RawValue, ScaleAndOffsetAreUndone) {
    EXPECT_EQ(accepted(rule(BaseType::kInt16, 0.1), 23.4), Value{std::int64_t{234}});
    EXPECT_EQ(accepted(rule(BaseType::kUint16, 0.1, -40), -40.0), Value{std::uint64_t{0}});
    EXPECT_EQ(accepted(rule(BaseType::kFloat32, 2, 1), std::int64_t{5}), Value{2.0});
    expect_refused(rule(BaseType::kInt16, 0.1), 23.45, "whole numbers");
    expect_refused(rule(BaseType::kInt16, 0.001), std::int64_t{100}, "does not fit");
}

TEST(RawValue, TheRangeIsThatOfTheWorkbook) {
    auto r = rule(BaseType::kFloat64);
    r.least = 10;
    r.most = 20;
    EXPECT_EQ(accepted(r, std::int64_t{10}), Value{10.0});
    EXPECT_EQ(accepted(r, 20.0), Value{20.0});
    expect_refused(r, 9.999, "outside its range, 10 to 20");
    expect_refused(r, 20.001, "outside its range");
    r.least.reset();
    expect_refused(r, 21.0, "… to 20");
}

TEST(RawValue, FloatsBoolsAndTexts) {
    expect_refused(rule(BaseType::kFloat32), 1e39, "does not fit into float32");
    EXPECT_EQ(accepted(rule(BaseType::kFloat64), 1e300), Value{1e300});
    expect_refused(rule(BaseType::kFloat64, 1e-300), 1e300, "does not fit into float64");
    for (const Value& yes : {Value{true}, Value{std::int64_t{1}}, Value{1.0}}) {
        EXPECT_EQ(accepted(rule(BaseType::kBool), yes), Value{true});
    }
    EXPECT_EQ(accepted(rule(BaseType::kBool), std::uint64_t{0}), Value{false});
    expect_refused(rule(BaseType::kBool), std::int64_t{2}, "true or false");
    EXPECT_EQ(accepted(rule(BaseType::kInt16), true), Value{std::int64_t{1}});
    const auto text = rule(BaseType::kString, 1, 0, 4);
    EXPECT_EQ(accepted(text, std::string{"abcd"}), Value{std::string{"abcd"}});
    expect_refused(text, std::string{"abcde"}, "the text has 5 bytes");
    expect_refused(text, std::string("a\0b", 3), "NUL");
    expect_refused(text, std::int64_t{5}, "it is a text");
    expect_refused(rule(BaseType::kInt16), Value{}, "takes a number");
}

TEST(IsSame, ComparesAsTheDeviceHoldsIt) {
    EXPECT_TRUE(is_same(rule(BaseType::kFloat32), 0.1, double{0.1F}));
    EXPECT_FALSE(is_same(rule(BaseType::kFloat64), 0.1, double{0.1F}));
    EXPECT_TRUE(is_same(rule(BaseType::kUint16), std::int64_t{5}, std::uint64_t{5}));
    EXPECT_FALSE(is_same(rule(BaseType::kInt64), std::int64_t{-1}, std::uint64_t{UINT64_MAX}));
    EXPECT_TRUE(is_same(rule(BaseType::kBool), true, true));
    EXPECT_FALSE(is_same(rule(BaseType::kBool), true, Value{}));
    const auto text = rule(BaseType::kString, 1, 0, 8);
    EXPECT_TRUE(is_same(text, std::string{"ab"}, std::string("ab  \0\0", 6)));
    EXPECT_FALSE(is_same(text, std::string{"ab"}, std::string{"abc"}));
    EXPECT_FALSE(is_same(text, std::string{"1"}, std::int64_t{1}));
}

// Takes a value over at the nth read after it was written.
class SlowDevice final : public Driver {
  public:
    Status connect() override { return {}; }
    void disconnect() override {}
    ConnectStep failed_step() const override { return ConnectStep::kConnect; }
    Status read(std::span<const std::uint32_t> due, SampleBatch& out) override {
        EXPECT_EQ(due.size(), 1U);
        if (reads_until_held > 0 && --reads_until_held == 0) held = written;
        auto& sample = out.emplace_back();
        sample.value = held;
        if (lost) return make_error(ErrorKind::kUnavailable, "gone");
        return {};
    }
    Status write(std::uint32_t, const Value& raw) override {
        if (refuses) return make_error(ErrorKind::kInvalidArgument, "no");
        written = raw;
        return {};
    }
    void interrupt() override {}
    std::uint64_t activity() const override { return 0; }
    const DriverStats& stats() const override { return stats_; }

    Value held = std::int64_t{0};
    Value written;
    int reads_until_held = 1;
    bool refuses = false;
    bool lost = false;

  private:
    DriverStats stats_;
};

TEST(WriteAndReadBack, WaitsForADeviceThatTakesItsTime) {
    SlowDevice device;
    device.reads_until_held = 3;
    int waits = 0;
    const auto result = write_and_read_back(device, 0, rule(BaseType::kInt16), std::int64_t{5},
                                            [&](std::chrono::milliseconds) { return ++waits, false; });
    ASSERT_TRUE(result);
    EXPECT_TRUE(result->confirmed);
    EXPECT_EQ(result->sample.value, Value{std::int64_t{5}});
    EXPECT_EQ(waits, 2);
}

TEST(WriteAndReadBack, SaysWhenTheDeviceDoesNotHoldIt) {
    SlowDevice device;
    device.reads_until_held = 1000;
    int waits = 0;
    const auto result = write_and_read_back(device, 0, rule(BaseType::kInt16), std::int64_t{5},
                                            [&](std::chrono::milliseconds) { return ++waits, false; });
    ASSERT_TRUE(result);
    EXPECT_FALSE(result->confirmed);
    EXPECT_EQ(waits, kMostReadBacks - 1);
}

TEST(WriteAndReadBack, ARefusalIsAnErrorAndALostReadIsNot) {
    SlowDevice device;
    const auto no_wait = [](std::chrono::milliseconds) { return true; };
    device.refuses = true;
    EXPECT_FALSE(write_and_read_back(device, 0, rule(BaseType::kInt16), std::int64_t{5}, no_wait));
    device.refuses = false;
    device.lost = true;
    const auto result = write_and_read_back(device, 0, rule(BaseType::kInt16), std::int64_t{5}, no_wait);
    ASSERT_TRUE(result);
    EXPECT_FALSE(result->confirmed) << "it was written; whether it is held is unknown";
}

}  // namespace
}  // namespace fieldwarden::worker
