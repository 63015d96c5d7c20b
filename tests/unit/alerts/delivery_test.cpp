#include "supervisor/alerts/delivery.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <map>
#include <set>

namespace fieldwarden::supervisor {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// What the channels do, decided by the test, and what they were given.
struct World {
    std::mutex mutex;
    std::condition_variable changed;
    std::vector<std::string> sent;         // "channel alert"
    std::map<std::string, int> attempts;   // by channel
    std::map<std::string, Error> failing;  // by channel
    std::set<std::string> blocked;         // these channels wait
    std::vector<std::string> lines;

    void wait(const std::function<bool()>& until) {
        std::unique_lock lock{mutex};
        ASSERT_TRUE(changed.wait_for(lock, std::chrono::seconds{20}, until));
    }
    void change(const std::function<void()>& what) {
        {
            const std::lock_guard lock{mutex};
            what();
        }
        changed.notify_all();
    }
};

class FakeNotifier final : public Notifier {
  public:
    FakeNotifier(World& world, std::string code) : world_(world), code_(std::move(code)) {}
    Result<std::string> send(const proto::Alert& alert, const std::atomic<bool>& stop) override {
        std::unique_lock lock{world_.mutex};
        ++world_.attempts[code_];
        world_.changed.notify_all();
        while (world_.blocked.contains(code_) && !stop) {
            world_.changed.wait_for(lock, std::chrono::milliseconds{20});
        }
        if (stop) return make_error(ErrorKind::kUnavailable, "given up");
        if (const auto wrong = world_.failing.find(code_); wrong != world_.failing.end())
            return wrong->second;
        world_.sent.push_back(code_ + " " + std::to_string(alert.id));
        world_.changed.notify_all();
        return std::string{"taken"};
    }

  private:
    World& world_;
    const std::string code_;
};

AlertChannel channel(const std::string& code, bool enabled = true) {
    AlertChannel out;
    out.code = code;
    out.enabled = enabled;
    return out;
}

Notification about(std::int64_t id, std::vector<std::string> channels = {"*"}) {
    Notification out;
    out.alert.id = id;
    out.channels = std::move(channels);
    return out;
}

class DeliveryTest : public testing::Test {
  protected:
    void start(std::vector<AlertChannel> channels) {
        delivery_ = std::make_unique<Delivery>(
            [this](const AlertChannel& each) { return std::make_unique<FakeNotifier>(world_, each.code); },
            [this](proto::LogLevel, const std::string& line) {
                world_.change([&] { world_.lines.push_back(line); });
            },
            settings_);
        delivery_->set_channels(channels);
    }
    ChannelVitals vitals(const std::string& code) {
        for (auto& each : delivery_->vitals()) {
            if (each.code == code) return each;
        }
        return {};
    }
    // vitals() is behind the delivery's own lock: asked until it says so.
    void wait_vitals(const std::function<bool()>& until) {
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{20};
        while (!until()) {
            ASSERT_LT(std::chrono::steady_clock::now(), deadline);
            std::this_thread::yield();
        }
    }
    World world_;
    DeliverySettings settings_{{milliseconds{1}, milliseconds{5}, 0}, 4, 10, milliseconds{5'000}};
    std::unique_ptr<Delivery> delivery_;
};

TEST_F(DeliveryTest, GoesToTheChannelsThatAreNamedAndEnabled) {
    start({channel("a"), channel("b"), channel("off", false)});
    delivery_->submit({about(1), about(2, {"b"}), about(3, {"off", "none"}), about(4, {})});
    delivery_.reset();
    EXPECT_THAT(world_.sent, testing::UnorderedElementsAre("a 1", "b 1", "b 2"));
}

TEST_F(DeliveryTest, InOrder) {
    start({channel("a")});
    for (int id = 1; id <= 8; ++id) delivery_->submit({about(id)});
    delivery_.reset();
    EXPECT_THAT(world_.sent, ElementsAre("a 1", "a 2", "a 3", "a 4", "a 5", "a 6", "a 7", "a 8"));
}

TEST_F(DeliveryTest, WhatMayPassIsTriedAgainAndSaidOnce) {
    world_.failing["a"] = make_error(ErrorKind::kUnavailable, "refused");
    settings_.most_attempts = 100'000;
    start({channel("a")});
    delivery_->submit({about(1)});
    world_.wait([&] { return world_.attempts["a"] >= 2; });
    world_.change([&] { world_.failing.clear(); });
    world_.wait([&] { return world_.sent.size() == 1; });
    wait_vitals([&] { return vitals("a").sent == 1; });
    EXPECT_EQ(vitals("a").failed, 0U);
    EXPECT_EQ(vitals("a").last_error, "");
    delivery_.reset();
    ASSERT_EQ(world_.lines.size(), 2U);
    EXPECT_THAT(world_.lines[0], HasSubstr("refused; trying again in"));
    EXPECT_THAT(world_.lines[1], HasSubstr("works again"));
}

TEST_F(DeliveryTest, GivenUpAfterTheLastAttempt) {
    world_.failing["a"] = make_error(ErrorKind::kTimeout, "no answer");
    start({channel("a")});
    delivery_->submit({about(1)});
    wait_vitals([&] { return vitals("a").failed == 1; });
    EXPECT_EQ(world_.attempts["a"], 4);
    EXPECT_EQ(vitals("a").last_error, "no answer");
    EXPECT_EQ(vitals("a").waiting, 0U);
}

TEST_F(DeliveryTest, ARefusalForGoodIsNotTriedAgain) {
    world_.failing["a"] = make_error(ErrorKind::kInvalidArgument, "HTTP 404");
    start({channel("a")});
    delivery_->submit({about(1), about(2)});
    wait_vitals([&] { return vitals("a").failed == 2; });
    EXPECT_EQ(world_.attempts["a"], 2);
}

TEST_F(DeliveryTest, OneThatFailsDoesNotHoldUpTheOthers) {
    world_.failing["a"] = make_error(ErrorKind::kUnavailable, "down");
    settings_.backoff = {milliseconds{60'000}, milliseconds{60'000}, 0};
    settings_.last_chance = milliseconds{0};
    start({channel("a"), channel("b")});
    for (int id = 1; id <= 5; ++id) delivery_->submit({about(id)});
    world_.wait([&] { return world_.sent.size() == 5; });
    EXPECT_EQ(vitals("a").waiting, 5U);
}

TEST_F(DeliveryTest, AFullQueueDropsItsOldestAndSaysSo) {
    world_.blocked = {"a"};
    start({channel("a")});
    delivery_->submit({about(1)});
    world_.wait([&] { return world_.attempts["a"] == 1; });
    for (int id = 2; id <= 25; ++id) delivery_->submit({about(id)});
    EXPECT_EQ(vitals("a").waiting, 10U);
    EXPECT_EQ(vitals("a").dropped, 15U);
    world_.change([&] { world_.blocked.clear(); });
    delivery_.reset();
    EXPECT_EQ(world_.sent.back(), "a 25");
    EXPECT_EQ(std::ranges::count_if(world_.lines,
                                    [](const auto& line) { return line.find("dropped") != line.npos; }),
              2);
}

TEST_F(DeliveryTest, AChannelThatIsRemovedOrDisabledGetsNothingMore) {
    world_.blocked = {"a", "b"};
    start({channel("a"), channel("b")});
    delivery_->submit({about(1), about(2)});
    world_.wait([&] { return world_.attempts["a"] == 1; });
    delivery_->set_channels({channel("a", false)});
    world_.change([&] { world_.blocked.clear(); });
    delivery_->submit({about(3)});
    EXPECT_EQ(vitals("a").dropped, 2U);
    world_.wait([&] { return !world_.sent.empty(); });
    delivery_.reset();
    EXPECT_THAT(world_.sent, ElementsAre("a 1")) << "what was under way arrived";
}

TEST_F(DeliveryTest, TheEndGivesWhatWaitsOneMoreChanceAndDoesNotHang) {
    world_.failing["a"] = make_error(ErrorKind::kUnavailable, "down");
    world_.blocked = {"b"};
    settings_.backoff = {milliseconds{60'000}, milliseconds{60'000}, 0};
    settings_.last_chance = milliseconds{300};
    start({channel("a"), channel("b")});
    delivery_->submit({about(1)});
    world_.wait([&] { return world_.attempts["a"] + world_.attempts["b"] >= 1; });
    delivery_.reset();
    EXPECT_THAT(world_.sent, IsEmpty());
    EXPECT_THAT(world_.lines.back(), HasSubstr("not sent before the end"));
}

}  // namespace
}  // namespace fieldwarden::supervisor
