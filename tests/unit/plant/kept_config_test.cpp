#include "supervisor/plant/kept_config.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/plant/plant_builder.h"

namespace fieldwarden::supervisor {

namespace {

const TaskDefaults kDefaults{{}, {}, std::chrono::milliseconds{4'000}, "warning", {}};

KeptConfigPtr keep(const Plant& plant, std::string_view task) {
    auto kept = keep_config(TaskCompiler{plant, kDefaults}, task);
    EXPECT_TRUE(kept.has_value());
    return kept ? *kept : KeptConfigPtr{};
}

// Whatever lists a task names its points by: what is kept compiles to what the plant compiled to, and does so
// when the plant is gone.
TEST(KeptConfig, CompilesToWhatItWasMadeOf) {
    const std::vector<std::string> device_lists{"*", "PUMP_01", "W*", "PUMP_01, WELD_01", "WELD_*, PUMP_01",
                                                ""};
    const std::vector<std::string> point_lists{"", "P1", "W*", "*", "P2, W1", "W3, P*"};
    int compiled = 0;
    for (const auto& devices : device_lists) {
        for (const auto& points : point_lists) {
            auto plant = std::make_unique<Plant>(small_plant());
            plant->of(Kind::kSink).add(sink("LAKE", "kafka", "kafka://host:9092"));
            plant->of(Kind::kTask)
                .put(with(Kind::kTask, task("T1", devices, points, "history=true; stop_grace=7s"), "sinks",
                          "LAKE"));
            const auto whole = compile_task(*plant, "T1", kDefaults);
            if (!whole) continue;  // the lists select nothing
            ++compiled;
            const auto kept = keep(*plant, "T1");
            plant.reset();
            const auto again = kept.kept().full();
            ASSERT_TRUE(again.has_value()) << devices << " / " << points << ": " << again.error().message;
            EXPECT_EQ(*again, *whole) << devices << " / " << points;
            std::vector<PointId> ids;
            for (const auto& each : whole->devices) {
                for (const auto& one : each.points) ids.push_back(one.id);
            }
            auto kept_ids = kept.kept().point_ids();
            std::sort(ids.begin(), ids.end());
            std::sort(kept_ids.begin(), kept_ids.end());
            EXPECT_EQ(kept_ids, ids);
            EXPECT_EQ(kept->stop_grace, std::chrono::seconds{7});
            EXPECT_EQ(kept->devices.size(), whole->devices.size());
            EXPECT_TRUE(kept->devices.front().points.empty());
            EXPECT_EQ(kept->devices.front().points.capacity(), 0U) << "the memory is what it is about";
        }
    }
    EXPECT_GT(compiled, 20);
}

TEST(KeptConfig, TellsAChangeOfThePeriodFromEveryOther) {
    const auto before = small_plant();
    const auto kept = keep(before, "T1");
    const auto after = [&](Kind kind, std::string_view code, std::string_view field, std::string_view value) {
        Plant plant = before;
        plant.revision = 8;
        plant.of(kind).put(with(kind, *plant.of(kind).find(code), field, value));
        return keep(plant, "T1");
    };
    const auto only_period = [&](const KeptConfigPtr& other) {
        return kept.kept().only_period_differs(other.kept());
    };
    EXPECT_TRUE(only_period(after(Kind::kTask, "T1", "period_ms", "500")));
    EXPECT_FALSE(only_period(after(Kind::kPoint, "P1", "scale", "0.5")));
    EXPECT_FALSE(only_period(after(Kind::kDevice, "PUMP_01", "address", "127.0.0.1:503")));
    EXPECT_FALSE(only_period(after(Kind::kTask, "T1", "options", "stop_grace=9s")));
    EXPECT_FALSE(only_period(after(Kind::kTask, "T1", "devices", "PUMP_01")));
}

}  // namespace

}  // namespace fieldwarden::supervisor
