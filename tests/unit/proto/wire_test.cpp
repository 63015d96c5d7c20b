#include "proto/wire.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>
#include <set>

#include "tests/unit/common/random_samples.h"
#include "tests/unit/proto/messages.h"

namespace fieldwarden::proto {

namespace {

Json payload_json(const Frames& frames) {
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(frames.payload.data());
    return Json::from_cbor(bytes, bytes + frames.payload.size());
}
Bytes cbor(const Json& json) {
    const auto bytes = Json::to_cbor(json);
    const auto span = std::as_bytes(std::span{bytes});
    return {span.begin(), span.end()};
}
// Two messages are equal when they are written the same.
void expect_same(const Message& a, const Message& b) {
    const auto x = encode(a);
    const auto y = encode(b);
    EXPECT_EQ(x.header, y.header) << message_name(a);
    EXPECT_EQ(x.payload, y.payload) << message_name(a);
}

TEST(Wire, TheTestKnowsEveryMessage) {
    const auto all = every_message();
    ASSERT_EQ(all.size(), std::variant_size_v<Message>);
    for (std::size_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i].index(), i) << message_name(all[i]);
}

TEST(Wire, NumbersAndNamesAreFixed) {
    // A worker of another version reads these numbers: they may be added to, never changed.
    const std::vector<std::pair<std::string_view, unsigned>> wanted{
        {"hello", 1},         {"ready", 2},
        {"heartbeat", 3},     {"connection", 4},
        {"live", 5},          {"log", 6},
        {"reply", 7},         {"finished", 8},
        {"welcome", 9},       {"refuse", 10},
        {"configure", 11},    {"set_period", 12},
        {"pause", 13},        {"resume", 14},
        {"stop", 15},         {"reset_connection", 16},
        {"acquire_once", 17}, {"test_connection", 18},
        {"test_storage", 19}, {"beat_ack", 20},
        {"slow_down", 21},    {"write_point", 22},
        {"browse", 23},       {"diagnose", 24},
        {"query_store", 25}};
    const auto all = every_message();
    ASSERT_EQ(all.size(), wanted.size());
    for (std::size_t i = 0; i < all.size(); ++i) {
        EXPECT_EQ(message_name(all[i]), wanted[i].first);
        const auto header = encode(all[i]).header;
        ASSERT_EQ(header.size(), 4U);
        EXPECT_EQ(as_text(header).substr(0, 2), "FW");
        EXPECT_EQ(header[2], std::byte{kWireVersion});
        EXPECT_EQ(header[3], static_cast<std::byte>(wanted[i].second));
    }
}

TEST(Wire, EveryMessageComesBackWithEveryMember) {
    for (const auto& message : every_message()) {
        const auto frames = encode(message);
        const auto back = decode(frames.header, frames.payload);
        ASSERT_TRUE(back) << message_name(message) << ": " << back.error().message;
        EXPECT_EQ(back->index(), message.index());
        expect_same(*back, message);
    }
}

// Written-the-same proves nothing when a writer forgets a member; so a few are compared member by member.
TEST(Wire, MembersThatMatterMostAreComparedOneByOne) {
    const auto round = [](const Message& message) {
        const auto frames = encode(message);
        return *decode(frames.header, frames.payload);
    };
    const auto all = every_message();
    const auto hello = std::get<Hello>(round(all[0]));
    EXPECT_EQ(hello.launch_key, "key");
    EXPECT_EQ(hello.task_code, "T1");
    EXPECT_EQ(hello.session_id, 12);
    EXPECT_EQ(hello.pid, 4242);
    EXPECT_EQ(hello.start_ticks, UINT64_MAX);
    EXPECT_EQ(hello.version, "0.1.0");
    EXPECT_EQ(hello.config_revision, 7U);

    const auto beat = std::get<Heartbeat>(round(all[2]));
    EXPECT_EQ(beat.last_good_time, kNoon);
    EXPECT_EQ(beat.last_read_time, kNoon + std::chrono::microseconds{1}) << "microseconds survive";
    EXPECT_EQ(beat.devices.at(0).cycles, UINT64_MAX);
    EXPECT_EQ(beat.devices.at(0).points_total, 18U);
    EXPECT_EQ(beat.retrying, 15U);
    ASSERT_EQ(beat.sinks.size(), 2U);
    EXPECT_EQ(beat.sinks[0].dead_reason, "no such column");
    EXPECT_EQ(beat.sinks[0].ages, std::get<Heartbeat>(all[2]).sinks[0].ages);
    EXPECT_EQ(beat.sinks[1].ages, DeliveryAges{});
    EXPECT_TRUE(beat.paused);
    EXPECT_FALSE(std::get<Heartbeat>(round(Heartbeat{})).last_good_time) << "unset stays unset";

    EXPECT_EQ(std::get<Connection>(round(all[3])).status, full_connection());
    EXPECT_EQ(std::get<Live>(round(all[4])).samples, full_samples());
    const auto reply = std::get<Reply>(round(all[6]));
    EXPECT_EQ(reply.samples, full_samples());
    EXPECT_EQ(reply.probe->error_category, ErrorCategory::kStartupFailure);
    EXPECT_FALSE(std::get<Reply>(round(Reply{})).probe);
    EXPECT_EQ(std::get<Finished>(round(all[7])).code, ExitCode::kOrphaned);
    const auto welcome = std::get<Welcome>(round(all[8]));
    EXPECT_EQ(welcome.config, full_task());
    EXPECT_EQ(welcome.heartbeat_interval, std::chrono::milliseconds{500});
    EXPECT_EQ(welcome.orphan_grace, std::chrono::minutes{1});
    EXPECT_FALSE(std::get<Welcome>(round(Welcome{})).config);
    EXPECT_EQ(std::get<TestConnection>(round(all[17])).device, full_task().devices[0]);
    EXPECT_EQ(std::get<TestStorage>(round(all[18])).sink, full_task().sinks[1]);
}

TEST(Wire, EveryTruncationIsRefused) {
    for (const auto& message : every_message()) {
        const auto frames = encode(message);
        for (std::size_t keep = 0; keep < frames.payload.size(); ++keep) {
            ASSERT_FALSE(decode(frames.header, ByteSpan{frames.payload}.first(keep)))
                << message_name(message) << " cut to " << keep;
        }
        for (std::size_t keep = 0; keep < frames.header.size(); ++keep) {
            ASSERT_FALSE(decode(ByteSpan{frames.header}.first(keep), frames.payload));
        }
        auto longer = frames;
        longer.payload.push_back(std::byte{0});
        EXPECT_FALSE(decode(longer.header, longer.payload))
            << message_name(message) << ": bytes after the end";
        longer.header.push_back(std::byte{0});
        EXPECT_FALSE(decode(longer.header, frames.payload));
    }
}

TEST(Wire, EveryMemberIsNeededAndUnknownOnesAreIgnored) {
    for (const auto& message : every_message()) {
        if (std::holds_alternative<Live>(message)) continue;
        const auto frames = encode(message);
        const auto whole = payload_json(frames);
        for (const auto& [name, value] : whole.items()) {
            auto without = whole;
            without.erase(name);
            // What was added later may be missing: workers outlive an upgrade of their supervisor.
            static const std::set<std::string> kAddedLater{"log.lost",         "heartbeat.sinks",
                                                           "reply.browse",     "reply.confirmed",
                                                           "reply.error_kind", "reply.diagnostics"};
            const bool added_later = kAddedLater.contains(fmt::format("{}.{}", message_name(message), name));
            EXPECT_EQ(decode(frames.header, cbor(without)).has_value(), added_later)
                << message_name(message) << " without " << name;
            auto wrong = whole;
            wrong[name] = value.is_object() ? Json("text") : Json{{"an", "object"}};
            EXPECT_FALSE(decode(frames.header, cbor(wrong)))
                << message_name(message) << " with another " << name;
        }
        auto more = whole;
        more["of a newer version"] = {1, 2, 3};
        const auto decoded = decode(frames.header, cbor(more));
        ASSERT_TRUE(decoded) << message_name(message) << ": " << decoded.error().message;
        expect_same(*decoded, message);
    }
}

TEST(Wire, OtherHeadersAreRefused) {
    const auto frames = encode(Ready{7});
    const auto refused = [&](std::size_t at, int value) {
        auto header = frames.header;
        header[at] = static_cast<std::byte>(value);
        return !decode(header, frames.payload).has_value();
    };
    EXPECT_TRUE(refused(0, 'f'));
    EXPECT_TRUE(refused(1, 'X'));
    EXPECT_TRUE(refused(2, kWireVersion + 1)) << "another version";
    EXPECT_TRUE(refused(3, 0));
    EXPECT_TRUE(refused(3, static_cast<int>(std::variant_size_v<Message>) + 1));
    EXPECT_TRUE(refused(3, 255));
}

TEST(Wire, NestingAndNumberOfValuesAreBounded) {
    const auto header = encode(Ready{7}).header;
    const auto inside = [&](std::size_t depth) {  // {"config_revision": 7, "x": [[[…]]]}
        Bytes payload = cbor(Json{{"config_revision", 7}, {"x", nullptr}});
        payload.pop_back();
        payload.insert(payload.end(), depth, std::byte{0x81});
        payload.push_back(std::byte{0xF6});
        return decode(header, payload).has_value();
    };
    EXPECT_TRUE(inside(10));
    EXPECT_FALSE(inside(100));
    EXPECT_FALSE(inside(10'000'000)) << "and no stack is used up";

    Bytes wide = cbor(Json{{"config_revision", 7}, {"x", nullptr}});
    wide.pop_back();
    wide.push_back(std::byte{0x9F});  // an array of ten million nulls
    wide.insert(wide.end(), 10'000'000, std::byte{0xF6});
    wide.push_back(std::byte{0xFF});
    EXPECT_FALSE(decode(header, wide));
    EXPECT_FALSE(decode(header, Bytes(kMaxPayload + 1)));
}

TEST(Wire, LengthsThatLieAreRefused) {
    const auto header = encode(Refuse{"x"}).header;
    for (const std::string_view head :
         {"\x5B", "\x7B", "\x9B", "\xBB"}) {  // bytes, text, array, map of 2^64-1
        Bytes payload{std::byte{0xA1}, std::byte{0x66}};
        for (const char c : std::string_view{"reason"}) payload.push_back(static_cast<std::byte>(c));
        payload.push_back(static_cast<std::byte>(head[0]));
        payload.insert(payload.end(), 8, std::byte{0xFF});
        EXPECT_FALSE(decode(header, payload));
    }
}

TEST(Wire, MutatedMessagesAreRefusedOrCanBeWrittenAgain) {
    std::mt19937_64 random{31};
    const auto all = every_message();
    int accepted = 0;
    for (int i = 0; i < 20'000; ++i) {
        auto frames = encode(all[random() % all.size()]);
        auto& bytes = frames.payload;
        for (auto edits = 1 + random() % 4; edits > 0; --edits) {
            const auto at = static_cast<std::ptrdiff_t>(random() % bytes.size());
            switch (random() % 3) {
                case 0:
                    bytes[static_cast<std::size_t>(at)] = static_cast<std::byte>(random());
                    break;
                case 1:
                    bytes.insert(bytes.begin() + at, static_cast<std::byte>(random()));
                    break;
                default:
                    if (bytes.size() > 1) bytes.erase(bytes.begin() + at);
            }
        }
        if (random() % 8 == 0) frames.header[3] = static_cast<std::byte>(random() % 24);
        const auto decoded = decode(frames.header, frames.payload);
        if (!decoded) {
            ASSERT_EQ(decoded.error().kind, ErrorKind::kCorrupt);
            continue;
        }
        ++accepted;
        const auto again = encode(*decoded);
        ASSERT_TRUE(decode(again.header, again.payload)) << message_name(*decoded);
    }
    EXPECT_GT(accepted, 500);
}

TEST(Wire, LiveSamplesOfAnyKindSurvive) {
    std::mt19937_64 random{32};
    for (int i = 0; i < 300; ++i) {
        const auto samples = random_samples(random, 50);
        const auto frames = encode(Live{samples});
        const auto back = decode(frames.header, frames.payload);
        ASSERT_TRUE(back) << back.error().message;
        ASSERT_TRUE(same_bits(std::get<Live>(*back).samples, samples));
    }
}

}  // namespace

}  // namespace fieldwarden::proto
