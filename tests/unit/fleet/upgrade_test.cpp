#include "supervisor/upgrade.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fieldwarden::supervisor {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

// A program whose --check does what the script says; "$1" is what was added to its arguments.
Upgrade shell(const std::string& script) {
    return Upgrade{"/bin/sh", {"sh", "-c", script, "serve"}};
}

TEST(Upgrade, AddsCheckToItsOwnArguments) {
    EXPECT_TRUE(shell("test \"$1\" = --check").check());
}

TEST(Upgrade, AFailedCheckSaysWhyAndHow) {
    const auto refused = shell("echo 'no such key' >&2; exit 3").check();
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message, HasSubstr("exit code 3: no such key"));
    EXPECT_THAT(shell("kill -SEGV $$").check().error().message, HasSubstr("signal 11"));
}

TEST(Upgrade, WhatCannotRunIsRefused) {
    const Upgrade gone{"/nowhere/fieldwarden", {"fieldwarden", "serve"}};
    EXPECT_THAT(gone.check().error().message, HasSubstr("/nowhere/fieldwarden: cannot be executed"));
}

TEST(Upgrade, ACheckThatNeverEndsIsEnded) {
    EXPECT_THAT(shell("exec sleep 600").check(milliseconds{200}).error().message,
                HasSubstr("did not end in time"));
}

TEST(Upgrade, OnlyTheEndOfALongOutputIsKept) {
    const auto refused =
        shell("head -c 300000 /dev/zero | tr '\\0' x; echo the end; exit 1").check(seconds{30});
    ASSERT_FALSE(refused);
    EXPECT_LT(refused.error().message.size(), 5000U);
    EXPECT_THAT(refused.error().message, HasSubstr("the end"));
}

TEST(Upgrade, AProgramThatIsGoneIsAnErrorNotAnEnd) {
    const Upgrade gone{"/nowhere/fieldwarden", {"fieldwarden", "serve"}};
    EXPECT_THAT(gone.replace(-1).message, HasSubstr("cannot become /nowhere/fieldwarden"));
}

}  // namespace
}  // namespace fieldwarden::supervisor
