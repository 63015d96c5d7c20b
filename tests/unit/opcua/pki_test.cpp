#include "worker/drivers/opcua/pki.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <future>

#include "tests/unit/common/temp_dir.h"
#include "tests/unit/opcua/opcua_testing.h"

namespace fieldwarden::worker::opcua {
namespace {

Certificate some_certificate() {
    return Certificate::parse(make_identity("urn:server", "h")->certificate_der).value();
}

TEST(OpcUaPki, TheIdentityIsMadeOnceWhoeverAsks) {
    const TempDir dir;
    std::vector<std::future<Result<std::shared_ptr<const Identity>>>> asked;
    for (int i = 0; i < 4; ++i)
        asked.push_back(std::async(std::launch::async, [&] { return own_identity(dir.path().string()); }));
    std::optional<Buffer> seen;
    for (auto& each : asked) {
        const auto identity = each.get();
        ASSERT_TRUE(identity) << identity.error().message;
        if (!seen) seen = (*identity)->certificate.der();
        EXPECT_EQ((*identity)->certificate.der(), *seen);
        // The key belongs to the certificate.
        const auto bytes = from_hex("01 02 03");
        const auto signature = sign((*identity)->key.get(), bytes);
        ASSERT_TRUE(signature);
        EXPECT_TRUE(verify((*identity)->certificate.key()->get(), bytes, *signature));
        EXPECT_TRUE((*identity)->certificate.application_uri().starts_with("urn:"));
    }
    struct stat status {};
    ASSERT_EQ(stat((dir.path().string() + "/pki/opcua/own/private_key.pem").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600U);
}

TEST(OpcUaPki, ABrokenIdentityIsSaidAndKept) {
    const TempDir dir;
    ASSERT_TRUE(own_identity(dir.path().string()));
    const auto path = dir.path().string() + "/pki/opcua/own/certificate.der";
    std::ofstream{path, std::ios::trunc} << "x";
    const auto identity = own_identity(dir.path().string());
    ASSERT_FALSE(identity);
    EXPECT_NE(identity.error().message.find(path), std::string::npos);
    EXPECT_EQ(std::filesystem::file_size(path), 1U);
}

TEST(OpcUaPki, TrustOnFirstUse) {
    const TempDir dir;
    const auto first = some_certificate();
    const auto other = some_certificate();
    const std::string url = "opc.tcp://h:4840/../x";
    EXPECT_FALSE(check_server_certificate(dir.path().string(), url, first, {Trust::kKnown, ""}));
    EXPECT_TRUE(check_server_certificate(dir.path().string(), url, first, {}));
    EXPECT_TRUE(check_server_certificate(dir.path().string(), url, first, {}));
    EXPECT_TRUE(check_server_certificate(dir.path().string(), url, first, {Trust::kKnown, ""}));
    const auto changed = check_server_certificate(dir.path().string(), url, other, {});
    ASSERT_FALSE(changed);
    EXPECT_NE(changed.error().message.find("has changed"), std::string::npos);
    // Another endpoint is another matter.
    EXPECT_TRUE(check_server_certificate(dir.path().string(), "opc.tcp://other", other, {}));
    // No name leaves the folder.
    std::size_t kept = 0;
    for (const auto& file : std::filesystem::directory_iterator(dir.path().string() + "/pki/opcua/trusted"))
        kept += file.is_regular_file() ? 1 : 0;
    EXPECT_EQ(kept, 2U);
}

TEST(OpcUaPki, APinnedFingerprintIsAllThatCounts) {
    const TempDir dir;
    const auto shown = some_certificate();
    EXPECT_TRUE(
        check_server_certificate(dir.path().string(), "u", shown, {Trust::kKnown, hex(shown.sha256())}));
    std::string colons;
    for (const auto byte : shown.sha256()) colons += (colons.empty() ? "" : ":") + hex(View{&byte, 1});
    EXPECT_TRUE(check_server_certificate(dir.path().string(), "u", shown, {Trust::kFirstUse, colons}));
    EXPECT_FALSE(
        check_server_certificate(dir.path().string(), "u", shown, {Trust::kFirstUse, std::string(64, '0')}));
    EXPECT_FALSE(std::filesystem::exists(dir.path().string() + "/pki"));
}

}  // namespace
}  // namespace fieldwarden::worker::opcua
