// Secrets, passwords, the rules and the throttle.
#include <gtest/gtest.h>

#include <set>
#include <thread>

#include "supervisor/accounts/account_rules.h"
#include "supervisor/accounts/passwords.h"
#include "supervisor/accounts/secrets.h"
#include "supervisor/accounts/throttle.h"

namespace fieldwarden::supervisor {
namespace {

TEST(Secrets, AreLongPrintableAndNeverTheSame) {
    std::set<std::string> seen;
    for (int i = 0; i < 200; ++i) {
        const auto secret = random_secret().value();
        EXPECT_EQ(secret.size(), 43U);
        EXPECT_EQ(
            secret.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
            std::string::npos);
        EXPECT_TRUE(seen.insert(secret).second);
        const auto password = random_password().value();
        EXPECT_EQ(password.size(), 16U);
        EXPECT_TRUE(seen.insert(password).second);
        EXPECT_EQ(wrong_password(password), std::nullopt);
    }
    // FIPS 180-4's example.
    EXPECT_EQ(hash_of_secret("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Passwords, AreArgon2idWithTheParametersSaid) {
    Passwords passwords;
    const auto hash = passwords.hash("a long password").value();
    EXPECT_TRUE(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$")) << hash;
    EXPECT_NE(hash, passwords.hash("a long password").value()) << "salted";
    EXPECT_TRUE(passwords.verify(hash, "a long password").value());
    EXPECT_FALSE(passwords.verify(hash, "a long passwore").value());
    EXPECT_FALSE(passwords.verify(hash, "").value());
    // One of other parameters still counts.
    EXPECT_TRUE(passwords.verify(Passwords{64}.hash("other").value(), "other").value());
    for (const char* nonsense : {"", "x", "$argon2id$", "$argon2id$v=19$m=19456,t=2,p=1$AA$AA"}) {
        EXPECT_FALSE(passwords.verify(nonsense, "x").value()) << nonsense;
    }
}

TEST(Passwords, ManyAtOnceWaitTheirTurn) {
    Passwords passwords;
    const auto hash = passwords.hash("a long password").value();
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i) {
        threads.emplace_back([&] { EXPECT_TRUE(passwords.verify(hash, "a long password").value()); });
    }
    for (auto& thread : threads) thread.join();
}

TEST(AccountRules, NamesAndPasswords) {
    for (const char* good : {"chen", "a", "chen.li@plant-2", "焊工", "7up"}) {
        EXPECT_EQ(wrong_username(good), std::nullopt) << good;
    }
    for (const auto& bad : std::vector<std::string>{"", "a b", "a/b", "a:b", "a\n", "12", "admin.token",
                                                    "Admin.Token", std::string(65, 'x')}) {
        EXPECT_NE(wrong_username(bad), std::nullopt) << bad;
    }
    EXPECT_NE(wrong_password("123456789"), std::nullopt);
    EXPECT_EQ(wrong_password("1234567890"), std::nullopt);
    EXPECT_NE(wrong_password("密码密码"), std::nullopt) << "characters count, not bytes";
    EXPECT_EQ(wrong_password("密码密码密码密码密码"), std::nullopt);
    EXPECT_EQ(wrong_password(std::string(256, 'x')), std::nullopt);
    EXPECT_NE(wrong_password(std::string(257, 'x')), std::nullopt);
}

TEST(FailureThrottle, ForgivesWhatWasCountedTooEarly) {
    const FailureThrottle::Limits limits{4, std::chrono::seconds{30}};
    FailureThrottle throttle{limits};
    const MonoTime start{};
    for (std::size_t i = 0; i < limits.allowed * 3; ++i) {
        EXPECT_FALSE(throttle.fail("a", start));
        throttle.forgive("a");
    }
    throttle.forgive("unknown");
    for (std::size_t i = 0; i < limits.allowed; ++i) EXPECT_FALSE(throttle.fail("a", start));
    EXPECT_EQ(throttle.fail("a", start), limits.window);
}

}  // namespace
}  // namespace fieldwarden::supervisor
