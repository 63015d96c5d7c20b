#include "proto/frame_stream.h"

#include <gtest/gtest.h>

#include <random>

namespace fieldwarden::proto {
namespace {

Bytes three_frames() {
    Bytes bytes;
    EXPECT_TRUE(append_frame(Ready{1}, bytes));
    EXPECT_TRUE(append_frame(Pause{}, bytes));
    EXPECT_TRUE(append_frame(Refuse{std::string(3000, 'x')}, bytes));
    return bytes;
}

// The names of the messages in `pieces`, given to one reader after the other.
std::vector<std::string> names_in(const std::vector<ByteSpan>& pieces) {
    FrameReader reader{kMaxPayload};
    std::vector<std::string> names;
    for (auto piece : pieces) {
        for (;;) {
            const auto frame = reader.next(piece);
            EXPECT_TRUE(frame) << frame.error().message;
            if (!frame || !frame->whole) break;
            const auto message = decode(frame->header, frame->payload);
            EXPECT_TRUE(message) << message.error().message;
            if (message) names.emplace_back(message_name(*message));
        }
        EXPECT_TRUE(piece.empty()) << "everything is taken";
    }
    return names;
}

TEST(FrameReader, GivesTheSameFramesHoweverTheStreamIsCut) {
    const auto bytes = three_frames();
    const std::vector<std::string> wanted{"ready", "pause", "refuse"};
    for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
        const ByteSpan all{bytes};
        ASSERT_EQ(names_in({all.first(cut), all.subspan(cut)}), wanted) << cut;
    }
    std::minstd_rand random{7};
    for (int round = 0; round < 200; ++round) {
        std::vector<ByteSpan> pieces;
        for (ByteSpan rest{bytes}; !rest.empty();) {
            const auto size = std::min<std::size_t>(rest.size(), 1 + random() % 40);
            pieces.push_back(rest.first(size));
            rest = rest.subspan(size);
        }
        ASSERT_EQ(names_in(pieces), wanted);
    }
}

TEST(FrameReader, RefusesWhatIsNoFrame) {
    FrameReader reader{kMaxPayload};
    auto bytes = as_bytes("GET / HTTP/1.1");
    const auto frame = reader.next(bytes);
    ASSERT_FALSE(frame);
    EXPECT_EQ(frame.error().kind, ErrorKind::kCorrupt);
}

TEST(FrameReader, RefusesALengthBeforeItTakesMemory) {
    FrameReader reader{100};
    auto bytes = as_bytes(std::string_view{"FW\x01\x02\x65\x00\x00\x00", 8});
    const auto frame = reader.next(bytes);
    ASSERT_FALSE(frame);
    EXPECT_EQ(frame.error().kind, ErrorKind::kTooLarge);
    FrameReader byte_by_byte{100};
    bool refused = false;
    for (const char byte : std::string_view{"FW\x01\x02\xff\xff\xff\xff", 8}) {
        auto one = as_bytes(std::string_view{&byte, 1});
        refused = !byte_by_byte.next(one);
    }
    EXPECT_TRUE(refused);
}

TEST(AppendFrame, RefusesMoreThanThePeerTakes) {
    Bytes bytes;
    EXPECT_FALSE(append_frame(Refuse{std::string(kMaxPayload + 1, 'x')}, bytes));
    EXPECT_TRUE(bytes.empty());
}

TEST(UnixAddress, SaysWhenAPathIsTooLong) {
    EXPECT_TRUE(unix_address("/run/control.sock"));
    const auto refused = unix_address("/" + std::string(120, 'd') + "/run/control.sock");
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message.find("choose a shorter data directory"), std::string::npos);
}

}  // namespace
}  // namespace fieldwarden::proto
