#include "worker/drivers/opcua/endpoints.h"

#include "tests/unit/opcua/opcua_testing.h"

namespace fieldwarden::worker::opcua {
namespace {

constexpr const char* kUa = "http://opcfoundation.org/UA/SecurityPolicy#";

Endpoint endpoint(const std::string& policy, SecurityMode mode, std::uint8_t level = 0) {
    Endpoint out;
    out.policy = kUa + policy;
    out.mode = static_cast<std::uint32_t>(mode);
    out.level = level;
    return out;
}

TokenPolicy token(const std::string& id, TokenType type, const std::string& policy = "") {
    return {id, static_cast<std::uint32_t>(type), policy.empty() ? "" : kUa + policy};
}

TEST(OpcUaEndpoints, TheWantedOneWithTheHighestLevel) {
    auto best = endpoint("Basic256Sha256", SecurityMode::kSign, 9);
    best.url = "best";
    auto elsewhere = endpoint("Basic256Sha256", SecurityMode::kSign, 99);
    elsewhere.transport = "http://opcfoundation.org/UA-Profile/Transport/https-uabinary";
    const std::vector<Endpoint> offered{endpoint("None", SecurityMode::kNone),
                                        endpoint("Basic256Sha256", SecurityMode::kSign, 3),
                                        best,
                                        elsewhere,
                                        endpoint("Basic256Sha256", SecurityMode::kSignAndEncrypt, 20),
                                        endpoint("Basic256", SecurityMode::kSign, 50)};
    EXPECT_EQ(choose_endpoint(offered, SecurityMode::kSign)->url, "best");
    EXPECT_EQ(choose_endpoint(offered, SecurityMode::kNone)->policy, kPolicyNone);
}

TEST(OpcUaEndpoints, WhatIsOfferedIsSaid) {
    const auto refused =
        choose_endpoint({endpoint("None", SecurityMode::kNone)}, SecurityMode::kSignAndEncrypt);
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message.find("offers: None None"), std::string::npos)
        << refused.error().message;
    EXPECT_NE(refused.error().message.find("option security"), std::string::npos);
    EXPECT_FALSE(choose_endpoint({}, SecurityMode::kNone));
}

TEST(OpcUaEndpoints, APasswordIsNotSentInTheOpen) {
    const SignIn user{"u", "p", false};
    auto plain = endpoint("None", SecurityMode::kNone);
    plain.tokens = {token("a", TokenType::kAnonymous), token("u", TokenType::kUserName)};
    EXPECT_EQ(choose_token(plain, {})->id, "a");
    const auto refused = choose_token(plain, user);
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message.find("allow_plain_sign_in"), std::string::npos);
    EXPECT_FALSE(choose_token(plain, {"u", "p", true})->cipher.encrypted);
    // One that is encrypted wins, whatever the order.
    plain.tokens.push_back(token("e", TokenType::kUserName, "Basic256Sha256"));
    EXPECT_EQ(choose_token(plain, user)->id, "e");
    EXPECT_TRUE(choose_token(plain, user)->cipher.encrypted);
    // On an encrypted channel a plain one is none to worry about.
    auto secret = endpoint("Basic256Sha256", SecurityMode::kSignAndEncrypt);
    secret.tokens = {token("u", TokenType::kUserName, "None")};
    EXPECT_EQ(choose_token(secret, user)->id, "u");
    secret.mode = static_cast<std::uint32_t>(SecurityMode::kSign);
    EXPECT_FALSE(choose_token(secret, user));
}

TEST(OpcUaEndpoints, TokensThatAreNotThere) {
    auto offered = endpoint("Basic256Sha256", SecurityMode::kSign);
    EXPECT_FALSE(choose_token(offered, {}));
    EXPECT_FALSE(choose_token(offered, {"u", "p", true}));
    offered.tokens = {token("r", TokenType::kUserName, "Basic128Rsa15"), token("c", TokenType::kCertificate)};
    const auto refused = choose_token(offered, {"u", "p", true});
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message.find("not safe"), std::string::npos);
    offered.tokens = {token("p", TokenType::kUserName, "Aes256_Sha256_RsaPss")};
    EXPECT_EQ(choose_token(offered, {"u", "p", false})->cipher.hash, Oaep::kSha256);
}

TEST(OpcUaEndpoints, ThePasswordComesOutAgain) {
    const auto made = make_identity("urn:x", "h").value();
    const auto key = parse_key_pem(made.key_pem).value().release();
    const std::unique_ptr<evp_pkey_st, FreeKey> owned{key};
    const Buffer nonce(32, 7);
    for (const auto hash : {Oaep::kSha1, Oaep::kSha256}) {
        // Longer than one block.
        const std::string password(300, 'x');
        const auto sealed = seal_password(password, nonce, key, {true, hash, ""});
        ASSERT_TRUE(sealed);
        const auto opened = decrypt(key, *sealed, hash);
        ASSERT_TRUE(opened);
        Decoder in{*opened};
        EXPECT_EQ(in.get<std::uint32_t>(), 332U);
        const auto text = in.raw(300);
        EXPECT_EQ(std::string(text.begin(), text.end()), password);
        const auto tail = in.raw(32);
        EXPECT_EQ(Buffer(tail.begin(), tail.end()), nonce);
        EXPECT_EQ(in.remaining(), 0U);
    }
    EXPECT_EQ(seal_password("ab", nonce, nullptr, {}).value(), (Buffer{'a', 'b'}));
}

}  // namespace
}  // namespace fieldwarden::worker::opcua
