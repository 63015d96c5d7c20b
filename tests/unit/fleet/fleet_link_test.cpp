#include "supervisor/fleet/fleet_link.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <zmq.hpp>

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
            io_, context_, (directory_ / "run" / "control.sock").string(),
            {[this](WorkerId worker, const proto::Hello& hello) -> std::optional<std::string> {
                 hellos_.emplace_back(worker, hello);
                 return verdict_;
             },
             [this](WorkerId worker, proto::Message&& message) {
                 messages_.emplace_back(worker, std::move(message));
             }});
        ASSERT_TRUE(opened) << opened.error().message;
        link_ = std::move(*opened);
    }
    void TearDown() override {
        link_.reset();
        std::filesystem::remove_all(directory_);
    }

    zmq::socket_t dealer() {
        zmq::socket_t socket{context_, zmq::socket_type::dealer};
        socket.set(zmq::sockopt::linger, 0);
        socket.connect(link_->endpoint());
        return socket;
    }
    static void send(zmq::socket_t& socket, const proto::Message& message) {
        const auto frames = proto::encode(message);
        send_raw(socket, as_text(frames.header), as_text(frames.payload));
    }
    static void send_raw(zmq::socket_t& socket, std::string_view header, std::string_view payload) {
        socket.send(zmq::buffer(header), zmq::send_flags::sndmore);
        socket.send(zmq::buffer(payload), zmq::send_flags::none);
    }
    template <class Condition>
    bool run(Condition until) {
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{10};
        while (!until() && std::chrono::steady_clock::now() < deadline) {
            io_.restart();
            io_.run_for(std::chrono::milliseconds{5});
        }
        return until();
    }
    std::optional<proto::Message> receive(zmq::socket_t& socket) {
        std::optional<proto::Message> got;
        run([&] {
            zmq::message_t header;
            zmq::message_t payload;
            if (!socket.recv(header, zmq::recv_flags::dontwait)) return false;
            if (!socket.recv(payload)) return false;
            auto message =
                proto::decode(as_bytes(header.to_string_view()), as_bytes(payload.to_string_view()));
            if (message) got = std::move(*message);
            return true;
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
    zmq::context_t context_;
    boost::asio::io_context io_;
    std::unique_ptr<FleetLink> link_;
    std::optional<std::string> verdict_;
    std::vector<std::pair<WorkerId, proto::Hello>> hellos_;
    std::vector<std::pair<WorkerId, proto::Message>> messages_;
};

TEST_F(Link, AWorkerWithItsKeyIsHeardAndAnswered) {
    link_->expect("key-7", 7);
    auto worker = dealer();
    send(worker, hello("key-7"));
    ASSERT_TRUE(run([&] { return !hellos_.empty(); }));
    EXPECT_EQ(hellos_.front().first, 7U);
    EXPECT_TRUE(link_->is_connected(7));
    send(worker, proto::Ready{3});
    ASSERT_TRUE(run([&] { return !messages_.empty(); }));
    EXPECT_EQ(std::get<proto::Ready>(messages_.front().second).config_revision, 3U);
    EXPECT_TRUE(link_->send(7, proto::BeatAck{9}));
    const auto got = receive(worker);
    ASSERT_TRUE(got);
    EXPECT_EQ(std::get<proto::BeatAck>(*got).seq, 9U);
}

TEST_F(Link, AnUnknownKeyIsRefused) {
    auto stranger = dealer();
    send(stranger, hello("guess"));
    const auto got = receive(stranger);
    ASSERT_TRUE(got);
    EXPECT_THAT(std::get<proto::Refuse>(*got).reason, HasSubstr("unknown"));
    EXPECT_EQ(link_->counters().refused, 1U);
    EXPECT_TRUE(hellos_.empty());
}

TEST_F(Link, NothingButHelloIsTakenFromAStranger) {
    link_->expect("key-7", 7);
    auto stranger = dealer();
    send(stranger, proto::Ready{1});
    auto big = hello("key-7");
    big.version = std::string(5000, 'x');
    send(stranger, big);
    send_raw(stranger, "FW", "");
    send_raw(stranger, std::string_view{"FW\x01\x01", 4}, "not cbor");
    send(stranger, proto::Stop{});
    stranger.send(zmq::str_buffer("one frame"), zmq::send_flags::none);
    ASSERT_TRUE(run([&] { return link_->counters().received == 6; }));
    EXPECT_TRUE(hellos_.empty());
    EXPECT_TRUE(messages_.empty());
    EXPECT_EQ(link_->counters().stranger, 2U);
    EXPECT_EQ(link_->counters().malformed, 4U);
    send(stranger, hello("key-7"));
    EXPECT_TRUE(run([&] { return hellos_.size() == 1; })) << "the link goes on";
}

TEST_F(Link, MalformedMessagesOfAKnownWorkerAreCountedAndDropped) {
    link_->expect("key-7", 7);
    auto worker = dealer();
    send(worker, hello("key-7"));
    send_raw(worker, std::string_view{"FW\x01\x03", 4}, "\xa0");
    send_raw(worker, std::string_view{"FW\x02\x03", 4}, "\xa0");
    send(worker, proto::Ready{5});
    ASSERT_TRUE(run([&] { return !messages_.empty(); }));
    EXPECT_EQ(messages_.size(), 1U);
    EXPECT_EQ(link_->counters().malformed, 2U);
}

TEST_F(Link, AReconnectMovesTheWorkerToItsNewConnection) {
    link_->expect("key-7", 7);
    auto before = dealer();
    send(before, hello("key-7"));
    ASSERT_TRUE(run([&] { return hellos_.size() == 1; }));
    auto after = dealer();
    send(after, hello("key-7"));
    ASSERT_TRUE(run([&] { return hellos_.size() == 2; }));
    send(before, proto::Ready{1});
    ASSERT_TRUE(run([&] { return link_->counters().stranger == 1; })) << "the old connection is nobody now";
    link_->send(7, proto::BeatAck{1});
    EXPECT_TRUE(receive(after));
}

TEST_F(Link, AHelloThatTheSupervisorRefusesDoesNotTakeTheWorkerOver) {
    link_->expect("key-7", 7);
    auto worker = dealer();
    send(worker, hello("key-7"));
    ASSERT_TRUE(run([&] { return hellos_.size() == 1; }));
    verdict_ = "the key belongs to another process";
    auto thief = dealer();
    send(thief, hello("key-7"));
    const auto got = receive(thief);
    ASSERT_TRUE(got);
    EXPECT_EQ(std::get<proto::Refuse>(*got).reason, *verdict_);
    send(worker, proto::Ready{1});
    EXPECT_TRUE(run([&] { return messages_.size() == 1; }));
}

TEST_F(Link, AForgottenWorkerIsAStranger) {
    link_->expect("key-7", 7);
    auto worker = dealer();
    send(worker, hello("key-7"));
    ASSERT_TRUE(run([&] { return hellos_.size() == 1; }));
    link_->forget(7);
    EXPECT_FALSE(link_->send(7, proto::BeatAck{1}));
    send(worker, hello("key-7"));
    const auto got = receive(worker);
    ASSERT_TRUE(got);
    EXPECT_TRUE(std::holds_alternative<proto::Refuse>(*got));
}

TEST_F(Link, SendingToAWorkerThatIsGoneFailsAtOnce) {
    link_->expect("key-7", 7);
    {
        auto worker = dealer();
        send(worker, hello("key-7"));
        ASSERT_TRUE(run([&] { return hellos_.size() == 1; }));
    }
    EXPECT_TRUE(run([&] { return !link_->send(7, proto::BeatAck{1}); }));
}

TEST_F(Link, ManyMessagesAtOnceAllArrive) {
    link_->expect("key-7", 7);
    auto worker = dealer();
    send(worker, hello("key-7"));
    ASSERT_TRUE(run([&] { return hellos_.size() == 1; }));
    // Answers are sent while messages come in: the case in which an edge of the descriptor gets lost.
    for (std::uint64_t i = 0; i < 900; ++i) send(worker, proto::Ready{i});
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
