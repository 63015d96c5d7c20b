#include "worker/drivers/opcua/chunks.h"

#include <openssl/evp.h>
#include <openssl/rsa.h>

#include "tests/unit/opcua/opcua_testing.h"

namespace fieldwarden::worker::opcua {
namespace {

View view_of(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

Identity identity(const std::string& uri) {
    auto made = make_identity(uri, "host").value();
    auto certificate = Certificate::parse(made.certificate_der).value();
    return {std::move(certificate),
            std::shared_ptr<evp_pkey_st>{parse_key_pem(made.key_pem)->release(), FreeKey{}}};
}

// Two parties that know each other's certificates; made once, keys take long.
struct Parties {
    Identity client = identity("urn:client");
    Identity server = identity("urn:server");
    Key client_public = std::move(*client.certificate.key());
    Key server_public = std::move(*server.certificate.key());
    [[nodiscard]] AsymmetricKeys of_client() const {
        return {kPolicyBasic256Sha256, &client.certificate, client.key.get(), &server.certificate,
                server_public.get()};
    }
    [[nodiscard]] AsymmetricKeys of_server() const {
        return {kPolicyBasic256Sha256, &server.certificate, server.key.get(), &client.certificate,
                client_public.get()};
    }
};
const Parties& parties() {
    static const Parties two;
    return two;
}

// The P_SHA256 example sent to the TLS working group's list, 2008 ("test vectors for TLS 1.2 PRF").
TEST(OpcUaCrypto, KnownPseudoRandomStream) {
    auto seed = from_hex("74657374206c6162656c");  // "test label"
    const auto random = from_hex("a0ba9f936cda311827a6f796ffd5198c");
    seed.insert(seed.end(), random.begin(), random.end());
    EXPECT_EQ(
        hex(p_sha256(from_hex("9bbe436ba940f017b17652849a71db35"), seed, 100)),
        "e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a6b301791e90d35c9c9a46b4e14baf9af0fa0"
        "22f7"
        "077def17abfd3797c0564bab4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff70187347b66");
}

// RFC 4231, test case 2; FIPS 180 examples.
TEST(OpcUaCrypto, KnownDigests) {
    EXPECT_EQ(hex(hmac_sha256(view_of("Jefe"), view_of("what do ya want for nothing?"))),
              "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    EXPECT_EQ(hex(sha1(view_of("abc"))), "a9993e364706816aba3e25717850c26c9cd0d89d");
    EXPECT_EQ(hex(sha256(view_of("abc"))),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

// NIST SP 800-38A, F.2.5: CBC-AES256, the first two blocks.
TEST(OpcUaCrypto, KnownCipher) {
    const auto key = from_hex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4");
    const auto iv = from_hex("000102030405060708090a0b0c0d0e0f");
    auto bytes = from_hex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51");
    const auto plain = bytes;
    ASSERT_TRUE(aes_encrypt(key, iv, bytes));
    EXPECT_EQ(hex(bytes), "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d");
    ASSERT_TRUE(aes_decrypt(key, iv, bytes));
    EXPECT_EQ(bytes, plain);
    bytes.pop_back();
    EXPECT_FALSE(aes_decrypt(key, iv, bytes));
}

TEST(OpcUaCrypto, CertificatesSayWhoTheyAre) {
    const auto& own = parties().client.certificate;
    EXPECT_EQ(own.application_uri(), "urn:client");
    EXPECT_NE(own.subject().find("Fieldwarden"), std::string::npos);
    EXPECT_EQ(own.sha1().size(), 20U);
    // The first of a chain.
    auto chain = own.der();
    const auto& more = parties().server.certificate.der();
    chain.insert(chain.end(), more.begin(), more.end());
    EXPECT_EQ(Certificate::parse(chain)->der(), own.der());
    EXPECT_FALSE(Certificate::parse({}));
    EXPECT_FALSE(Certificate::parse(View{own.der()}.first(100)));
}

TEST(OpcUaChunks, Headers) {
    const auto parsed = parse_chunk_header(from_hex("4D 53 47 43 10 00 00 00"), 100);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->type, ChunkType::kMessage);
    EXPECT_EQ(parsed->final, 'C');
    EXPECT_EQ(parsed->size, 16U);
    EXPECT_FALSE(parse_chunk_header(from_hex("4D 53 47 58 10 00 00 00"), 100));
    EXPECT_FALSE(parse_chunk_header(from_hex("48 54 54 50 10 00 00 00"), 100));
    EXPECT_FALSE(parse_chunk_header(from_hex("4D 53 47 46 07 00 00 00"), 100));
    EXPECT_FALSE(parse_chunk_header(from_hex("4D 53 47 46 10 00 00"), 100));
    const auto large = parse_chunk_header(from_hex("4D 53 47 46 65 00 00 00"), 100);
    ASSERT_FALSE(large);
    EXPECT_EQ(large.error().kind, ErrorKind::kTooLarge);
}

class SymmetricChunks : public testing::TestWithParam<SecurityMode> {};

TEST_P(SymmetricChunks, EveryLengthThereAndBack) {
    const auto mode = GetParam();
    const auto keys = derive_keys(from_hex("01 02"), from_hex("03"));
    for (std::size_t size = 0; size < 70; ++size) {
        const Buffer body(size, 0xAB);
        auto chunk = seal(ChunkType::kMessage, 'F', 7, 9, {11, 13}, body, mode, keys).value();
        EXPECT_EQ(parse_chunk_header(chunk, chunk.size())->size, chunk.size());
        EXPECT_EQ(token_of(chunk), 9U);
        const auto opened = open(chunk, mode, keys);
        ASSERT_TRUE(opened) << size << ": " << opened.error().message;
        EXPECT_EQ(opened->channel, 7U);
        EXPECT_EQ(opened->sequence.number, 11U);
        EXPECT_EQ(opened->sequence.request_id, 13U);
        EXPECT_EQ(Buffer(opened->body.begin(), opened->body.end()), body);
    }
}

TEST_P(SymmetricChunks, AFullBodyFillsTheChunkAndNoMore) {
    const auto mode = GetParam();
    const auto keys = derive_keys(from_hex("01 02"), from_hex("03"));
    for (std::size_t size = 8192; size < 8240; ++size) {
        const auto most = body_limit(mode, size);
        EXPECT_LE(seal(ChunkType::kMessage, 'F', 1, 1, {1, 1}, Buffer(most), mode, keys)->size(), size);
        EXPECT_GT(seal(ChunkType::kMessage, 'F', 1, 1, {1, 1}, Buffer(most + 1), mode, keys)->size(), size);
    }
}

TEST_P(SymmetricChunks, NothingChangedOnTheWayIsTaken) {
    const auto mode = GetParam();
    if (mode == SecurityMode::kNone) return;
    const auto keys = derive_keys(from_hex("01 02"), from_hex("03"));
    const auto chunk = seal(ChunkType::kMessage, 'F', 7, 9, {11, 13}, Buffer(20, 1), mode, keys).value();
    for (std::size_t at = 0; at < chunk.size(); ++at) {
        auto changed = chunk;
        changed[at] ^= 0x10;
        EXPECT_FALSE(open(changed, mode, keys)) << at;
    }
    for (std::size_t size = 0; size < chunk.size(); ++size) {
        auto cut = chunk;
        cut.resize(size);
        EXPECT_FALSE(open(cut, mode, keys)) << size;
    }
    auto other = chunk;
    EXPECT_FALSE(open(other, mode, derive_keys(from_hex("01 02"), from_hex("04"))));
}

INSTANTIATE_TEST_SUITE_P(Modes, SymmetricChunks,
                         testing::Values(SecurityMode::kNone, SecurityMode::kSign,
                                         SecurityMode::kSignAndEncrypt));

TEST(OpcUaChunks, OpenSecureChannelThereAndBack) {
    for (std::size_t size = 0; size < 500; size += 23) {
        const Buffer body(size, 0x5A);
        const auto chunk = seal_open(3, {4, 5}, body, parties().of_client());
        ASSERT_TRUE(chunk) << chunk.error().message;
        EXPECT_EQ(parse_chunk_header(*chunk, 65535)->size, chunk->size());
        const auto opened = open_open(*chunk, parties().of_server());
        ASSERT_TRUE(opened) << opened.error().message;
        EXPECT_EQ(opened->body, body);
        EXPECT_EQ(opened->sequence.number, 4U);
        EXPECT_EQ(opened->sequence.request_id, 5U);
    }
}

// Above 2048 bits the padding's length takes a second byte.
TEST(OpcUaChunks, LargeKeysHaveExtraPadding) {
    Parties large;
    large.server.key = {EVP_RSA_gen(3072), FreeKey{}};
    EVP_PKEY_up_ref(large.server.key.get());
    large.server_public.reset(large.server.key.get());
    for (std::size_t size = 0; size < 700; size += 61) {
        const auto chunk = seal_open(3, {4, 5}, Buffer(size, 1), large.of_client());
        ASSERT_TRUE(chunk);
        const auto opened = open_open(*chunk, large.of_server());
        ASSERT_TRUE(opened) << opened.error().message;
        EXPECT_EQ(opened->body.size(), size);
    }
}

TEST(OpcUaChunks, AnOpenSecureChannelOfSomebodyElseIsRefused) {
    const auto chunk = seal_open(3, {4, 5}, Buffer(40, 1), parties().of_client()).value();
    for (std::size_t at = kChunkHeader; at < chunk.size(); at += 7) {
        auto changed = chunk;
        changed[at] ^= 1;
        EXPECT_FALSE(open_open(changed, parties().of_server())) << at;
    }
    // Meant for another one, or without security.
    EXPECT_FALSE(open_open(chunk, parties().of_client()));
    EXPECT_FALSE(open_open(chunk, {}));
    const auto plain = seal_open(3, {4, 5}, Buffer(40, 1), {}).value();
    EXPECT_TRUE(open_open(plain, {}));
    EXPECT_FALSE(open_open(plain, parties().of_server()));
}

TEST(OpcUaChunks, SequenceNumbers) {
    EXPECT_TRUE(follows(1, 2));
    EXPECT_FALSE(follows(1, 1));
    EXPECT_FALSE(follows(1, 3));
    EXPECT_FALSE(follows(2, 1));
    EXPECT_TRUE(follows(UINT32_MAX, 1));
    EXPECT_TRUE(follows(UINT32_MAX - 1000, 0));
    EXPECT_FALSE(follows(UINT32_MAX - 1024, 0));
    EXPECT_FALSE(follows(UINT32_MAX, 1024));
}

}  // namespace
}  // namespace fieldwarden::worker::opcua
