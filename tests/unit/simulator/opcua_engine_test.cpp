// The services without a socket: what a client cannot easily be made to ask.
#include "tests/simulator/opcua/engine.h"

#include <gtest/gtest.h>

namespace fieldwarden::simulator::opcua {
namespace {

constexpr std::uint32_t kCreateSession = 461;
constexpr std::uint32_t kActivateSession = 467;
constexpr std::uint32_t kRead = 631;
constexpr std::uint32_t kCreateSubscription = 787;
constexpr std::uint32_t kPublish = 826;
constexpr std::uint32_t kFault = 397;
constexpr std::uint64_t kConnection = 1;

struct Answer {
    std::uint32_t type = 0;
    StatusCode result = 0;
    std::uint32_t handle = 0;
    Bytes content;
};

class OpcUaEngine : public testing::Test {
  protected:
    // The first answer to one request; type 0: none yet.
    Answer ask(std::uint32_t type, const Bytes& content, const NodeId& token,
               std::uint64_t from = kConnection) {
        Writer writer;
        writer.node_id(numeric(type));
        writer.node_id(token);
        writer.i64(0);
        writer.u32(++handle_);
        writer.u32(0);
        writer.null_string();
        writer.u32(0);
        writer.null_extension_object();
        writer.raw(content);
        std::vector<Reply> replies;
        engine_.handle(from, handle_, writer.bytes, replies);
        return replies.empty() ? Answer{} : parse(replies.front());
    }
    static Answer parse(const Reply& reply) {
        Reader reader{reply.body};
        Answer out;
        out.type = std::get<std::uint32_t>(reader.node_id().id);
        (void)reader.i64();
        out.handle = reader.u32();
        out.result = reader.u32();
        (void)reader.u8();
        (void)reader.count();
        (void)reader.extension_object();
        const auto rest = reader.take(reader.left());
        out.content.assign(rest.begin(), rest.end());
        EXPECT_TRUE(reader.good());
        return out;
    }
    NodeId open_session(bool activate = true) {
        Writer content;
        for (int i = 0; i < 2; ++i) content.null_string();
        content.u8(0);
        content.i32(1);
        for (int i = 0; i < 2; ++i) content.null_string();
        content.count(0);
        for (int i = 0; i < 5; ++i) content.null_string();
        content.float64(60'000);
        content.u32(0);
        const auto created = ask(kCreateSession, content.bytes, {});
        EXPECT_EQ(created.type, kCreateSession + 3);
        Reader reader{created.content};
        (void)reader.node_id();
        auto token = reader.node_id();
        if (activate) {
            EXPECT_EQ(ask(kActivateSession, activation(), token).type, kActivateSession + 3);
        }
        return token;
    }
    static Bytes activation() {
        Writer content;
        for (int i = 0; i < 2; ++i) content.null_string();
        for (int i = 0; i < 2; ++i) content.count(0);
        content.null_extension_object();
        for (int i = 0; i < 2; ++i) content.null_string();
        return content.bytes;
    }
    static Bytes read_of(std::size_t count) {
        Writer content;
        content.float64(0);
        content.u32(2);
        content.count(count);
        for (std::size_t i = 0; i < count; ++i) {
            content.node_id(signal("Sine"));
            content.u32(13);
            content.null_string();
            content.qualified_name({});
        }
        return content.bytes;
    }
    static Bytes no_acknowledgements() {
        Writer content;
        content.count(0);
        return content.bytes;
    }

    Engine engine_{{.user = {}, .password = {}, .many = 3, .limits = {}}};
    std::uint32_t handle_ = 0;
};

TEST_F(OpcUaEngine, SessionsAreAskedFor) {
    EXPECT_EQ(ask(kRead, read_of(1), {}).result, status::kBadSessionIdInvalid);
    const auto token = open_session(false);
    EXPECT_EQ(ask(kRead, read_of(1), token).result, status::kBadSessionNotActivated);
    EXPECT_EQ(ask(kActivateSession, activation(), token).result, status::kGood);
    EXPECT_EQ(ask(kRead, read_of(1), token).result, status::kGood);
    // From another connection only after it was activated there.
    EXPECT_EQ(ask(kRead, read_of(1), token, 2).result, status::kBadSecureChannelIdInvalid);
    EXPECT_EQ(ask(kActivateSession, activation(), token, 2).result, status::kGood);
    EXPECT_EQ(ask(kRead, read_of(1), token, 2).result, status::kGood);
    EXPECT_EQ(ask(kRead, read_of(1), token).result, status::kBadSecureChannelIdInvalid);
    engine_.forget_sessions();
    EXPECT_EQ(ask(kRead, read_of(1), token, 2).result, status::kBadSessionIdInvalid);
}

TEST_F(OpcUaEngine, ItsLimitsHold) {
    const auto token = open_session();
    EXPECT_EQ(ask(kRead, read_of(500), token).result, status::kGood);
    const auto refused = ask(kRead, read_of(501), token);
    EXPECT_EQ(refused.type, kFault);
    EXPECT_EQ(refused.result, status::kBadTooManyOperations);
    EXPECT_EQ(refused.handle, handle_);
    EXPECT_EQ(ask(kRead, read_of(0), token).result, status::kBadNothingToDo);
    auto cut = read_of(3);
    cut.resize(cut.size() - 1);
    EXPECT_EQ(ask(kRead, cut, token).result, status::kBadDecodingError);
    EXPECT_EQ(ask(999, {}, token).result, status::kBadServiceUnsupported);
}

TEST_F(OpcUaEngine, PublishRequestsWaitAndAreBounded) {
    const auto token = open_session();
    EXPECT_EQ(ask(kPublish, no_acknowledgements(), token).result, status::kBadNoSubscription);
    Writer content;
    content.float64(60'000);
    content.u32(100);
    content.u32(10);
    content.u32(0);
    content.boolean(true);
    content.u8(0);
    EXPECT_EQ(ask(kCreateSubscription, content.bytes, token).result, status::kGood);
    for (std::uint32_t i = 0; i < Limits{}.publish_requests; ++i)
        EXPECT_EQ(ask(kPublish, no_acknowledgements(), token).type, 0U);
    const auto first_waiting = handle_ - Limits{}.publish_requests + 1;
    const auto refused = ask(kPublish, no_acknowledgements(), token);
    EXPECT_EQ(refused.result, status::kBadTooManyPublishRequests);
    EXPECT_EQ(refused.handle, first_waiting);  // the oldest gives way
}

}  // namespace
}  // namespace fieldwarden::simulator::opcua
