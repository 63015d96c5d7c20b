#include "supervisor/fleet/fleet_link.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <filesystem>

#include "tests/unit/proto/wire_socket.h"

namespace fieldwarden::supervisor {
namespace {

using testing::HasSubstr;

// The link and its loop on this thread: run(until) turns the loop until something has come true.
class Link : public testing::Test {
  protected:
    void SetUp() override {
        auto pattern = (std::filesystem::temp_directory_path() / "fw_link_XXXXXX").string();
        directory_ = mkdtemp(pattern.data());
        auto opened = FleetLink::open(
            io_, (directory_ / "run" / "control.sock").string(),
            {[this](WorkerId worker, const proto::Hello& hello) -> std::optional<std::string> {
                 hellos_.emplace_back(worker, hello);
                 return verdict_;
             },
             [this](WorkerId worker, proto::Message&& message) {
                 messages_.emplace_back(worker, std::move(message));
             },
             [this](WorkerId worker) { gone_.push_back(worker); }});
        ASSERT_TRUE(opened) << opened.error().message;
        link_ = std::move(*opened);
    }
    void TearDown() override {
        link_.reset();
        std::filesystem::remove_all(directory_);
    }

    proto::WireSocket connect() { return proto::WireSocket::connect(link_->path()); }
    template <class Condition>
    bool run(Condition until) {
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{10};
        while (!until() && std::chrono::steady_clock::now() < deadline) {
            io_.restart();
            io_.run_for(std::chrono::milliseconds{5});
        }
        return until();
    }
    std::optional<proto::Message> receive(proto::WireSocket& socket) {
        std::optional<proto::Message> got;
        run([&] {
            if (!got) got = socket.receive();
            return got.has_value();
        });
        return got;
    }
    static proto::Hello hello(std::string key) {
        proto::Hello h;
        h.launch_key = std::move(key);
        h.pid = 1;
        return h;
    }

    std::filesystem::path directory_;
    boost::asio::io_context io_;
    std::unique_ptr<FleetLink> link_;
    std::optional<std::string> verdict_;
    std::vector<std::pair<WorkerId, proto::Hello>> hellos_;
    std::vector<std::pair<WorkerId, proto::Message>> messages_;
    std::vector<WorkerId> gone_;
};

TEST_F(Link, AWorkerWithItsKeyIsHeardAndAnswered) {
    link_->expect("key-7", 7);
    auto worker = connect();
    worker.send(hello("key-7"));
    ASSERT_TRUE(run([&] { return !hellos_.empty(); }));
    EXPECT_EQ(hellos_.front().first, 7U);
    EXPECT_TRUE(link_->is_connected(7));
    worker.send(proto::Ready{3});
    ASSERT_TRUE(run([&] { return !messages_.empty(); }));
    EXPECT_EQ(std::get<proto::Ready>(messages_.front().second).config_revision, 3U);
    EXPECT_TRUE(link_->send(7, proto::BeatAck{9}));
    const auto got = receive(worker);
    ASSERT_TRUE(got);
    EXPECT_EQ(std::get<proto::BeatAck>(*got).seq, 9U);
}

TEST_F(Link, AnUnknownKeyIsRefused) {
    auto stranger = connect();
    stranger.send(hello("guess"));
    const auto got = receive(stranger);
    ASSERT_TRUE(got);
    EXPECT_THAT(std::get<proto::Refuse>(*got).reason, HasSubstr("unknown"));
    EXPECT_EQ(link_->counters().refused, 1U);
    EXPECT_TRUE(hellos_.empty());
}

TEST_F(Link, NothingButHelloIsTakenFromAStranger) {
    link_->expect("key-7", 7);
    auto stranger = connect();
    stranger.send(proto::Ready{1});
    stranger.send_raw("FW\x01\x01", "not cbor");
    stranger.send(proto::Stop{});
    ASSERT_TRUE(run([&] { return link_->counters().received == 3; }));
    EXPECT_TRUE(hellos_.empty());
    EXPECT_TRUE(messages_.empty());
    EXPECT_EQ(link_->counters().stranger, 1U);
    EXPECT_EQ(link_->counters().malformed, 2U);
    stranger.send(hello("key-7"));
    EXPECT_TRUE(run([&] { return hellos_.size() == 1; })) << "the link goes on";
}

TEST_F(Link, AStrangerWhoAnnouncesMuchOrSpeaksAnotherProtocolIsCutOff) {
    link_->expect("key-7", 7);
    auto big = connect();
    auto large = hello("key-7");
    large.version = std::string(5000, 'x');
    big.send(large);
    auto web = connect();
    web.send_bytes("GET / HTTP/1.1\r\n\r\n");
    EXPECT_TRUE(run([&] { return (void)big.receive(), !big.is_open(); }));
    EXPECT_TRUE(run([&] { return (void)web.receive(), !web.is_open(); }));
    EXPECT_TRUE(hellos_.empty());
    EXPECT_EQ(link_->counters().malformed, 2U);
}

TEST_F(Link, AMessageMayComeInAnyPieces) {
    link_->expect("key-7", 7);
    auto worker = connect();
    Bytes bytes;
    ASSERT_TRUE(proto::append_frame(hello("key-7"), bytes));
    ASSERT_TRUE(proto::append_frame(proto::Ready{3}, bytes));
    for (const auto byte : as_text(bytes)) {
        worker.send_bytes(std::string_view{&byte, 1});
        io_.restart();
        io_.poll();
    }
    EXPECT_TRUE(run([&] { return messages_.size() == 1; }));
    EXPECT_EQ(hellos_.size(), 1U);
}

TEST_F(Link, AWorkerThatLeavesIsHeardToTheEndAndThenGone) {
    link_->expect("key-7", 7);
    auto worker = connect();
    worker.send(hello("key-7"));
    worker.send(proto::Finished{proto::ExitCode::kDone, true, "done"});
    worker.close();
    ASSERT_TRUE(run([&] { return !gone_.empty(); }));
    EXPECT_EQ(gone_, std::vector<WorkerId>{7});
    EXPECT_EQ(messages_.size(), 1U);
    EXPECT_FALSE(link_->is_connected(7));
}

TEST_F(Link, AWorkerThatDoesNotReadIsToldNoMoreThanTheQueueHolds) {
    link_->expect("key-7", 7);
    auto worker = connect();
    worker.send(hello("key-7"));
    ASSERT_TRUE(run([&] { return !hellos_.empty(); }));
    const proto::Refuse large{std::string(100'000, 'x')};
    int told = 0;
    while (told < 1000 && link_->send(7, large)) ++told;
    EXPECT_LT(told, 100);
    EXPECT_GT(link_->counters().send_failed, 0U);
    int heard = 0;
    EXPECT_TRUE(run([&] {
        while (worker.receive()) ++heard;
        return heard == told;
    })) << "what was taken arrives";
    EXPECT_TRUE(link_->send(7, large)) << "and there is room again";
}

TEST_F(Link, MalformedMessagesOfAKnownWorkerAreCountedAndDropped) {
    link_->expect("key-7", 7);
    auto worker = connect();
    worker.send(hello("key-7"));
    worker.send_raw("FW\x01\x03", "\xa0");
    worker.send_raw("FW\x02\x03", "\xa0");
    worker.send(proto::Ready{5});
    ASSERT_TRUE(run([&] { return !messages_.empty(); }));
    EXPECT_EQ(messages_.size(), 1U);
    EXPECT_EQ(link_->counters().malformed, 2U);
}

TEST_F(Link, AReconnectMovesTheWorkerToItsNewConnection) {
    link_->expect("key-7", 7);
    auto before = connect();
    before.send(hello("key-7"));
    ASSERT_TRUE(run([&] { return hellos_.size() == 1; }));
    auto after = connect();
    after.send(hello("key-7"));
    ASSERT_TRUE(run([&] { return hellos_.size() == 2; }));
    before.send(proto::Ready{1});
    ASSERT_TRUE(run([&] { return link_->counters().stranger == 1; })) << "the old connection is nobody now";
    link_->send(7, proto::BeatAck{1});
    EXPECT_TRUE(receive(after));
}

TEST_F(Link, AHelloThatTheSupervisorRefusesDoesNotTakeTheWorkerOver) {
    link_->expect("key-7", 7);
    auto worker = connect();
    worker.send(hello("key-7"));
    ASSERT_TRUE(run([&] { return hellos_.size() == 1; }));
    verdict_ = "the key belongs to another process";
    auto thief = connect();
    thief.send(hello("key-7"));
    const auto got = receive(thief);
    ASSERT_TRUE(got);
    EXPECT_EQ(std::get<proto::Refuse>(*got).reason, *verdict_);
    worker.send(proto::Ready{1});
    EXPECT_TRUE(run([&] { return messages_.size() == 1; }));
}

TEST_F(Link, AForgottenWorkerIsAStranger) {
    link_->expect("key-7", 7);
    auto worker = connect();
    worker.send(hello("key-7"));
    ASSERT_TRUE(run([&] { return hellos_.size() == 1; }));
    link_->forget(7);
    EXPECT_FALSE(link_->send(7, proto::BeatAck{1}));
    worker.send(hello("key-7"));
    const auto got = receive(worker);
    ASSERT_TRUE(got);
    EXPECT_TRUE(std::holds_alternative<proto::Refuse>(*got));
}

TEST_F(Link, SendingToAWorkerThatIsGoneFailsAtOnce) {
    link_->expect("key-7", 7);
    {
        auto worker = connect();
        worker.send(hello("key-7"));
        ASSERT_TRUE(run([&] { return hellos_.size() == 1; }));
    }
    EXPECT_TRUE(run([&] { return !link_->send(7, proto::BeatAck{1}); }));
}

TEST_F(Link, ManyMessagesAtOnceAllArrive) {
    link_->expect("key-7", 7);
    auto worker = connect();
    worker.send(hello("key-7"));
    ASSERT_TRUE(run([&] { return hellos_.size() == 1; }));
    for (std::uint64_t i = 0; i < 900; ++i) {
        worker.send(proto::Ready{i});
        // The kernel holds some 200 small messages for a reader that does not read.
        if (i % 100 != 99) continue;
        io_.restart();
        io_.poll();
    }
    std::size_t answered = 0;
    ASSERT_TRUE(run([&] {
        for (; answered < messages_.size(); ++answered) link_->send(7, proto::BeatAck{answered});
        return messages_.size() == 900;
    }));
    for (std::uint64_t i = 0; i < 900; ++i) {
        ASSERT_EQ(std::get<proto::Ready>(messages_[i].second).config_revision, i);
    }
}

TEST(LaunchKey, KeysAreLongAndDiffer) {
    EXPECT_EQ(make_launch_key().size(), 64U);
    EXPECT_NE(make_launch_key(), make_launch_key());
}

}  // namespace
}  // namespace fieldwarden::supervisor
