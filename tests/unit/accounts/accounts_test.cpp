// The accounts over a real store, with a clock moved by hand.
#include "supervisor/accounts/accounts.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "tests/unit/common/temp_dir.h"

namespace fieldwarden::supervisor {
namespace {

using namespace std::chrono_literals;

class HandClock : public Clock {
  public:
    UtcTime utc_now() const override {
        return UtcTime{std::chrono::microseconds{1'795'000'000'000'000}} + passed();
    }
    MonoTime mono_now() const override { return MonoTime{passed()}; }
    void pass(std::chrono::microseconds time) { passed_ += time.count(); }

  private:
    std::chrono::microseconds passed() const { return std::chrono::microseconds{passed_.load()}; }
    std::atomic<std::int64_t> passed_{0};
};

const std::string kPassword = "a long password";
const Actor kAdmin{"admin", "admin", "127.0.0.1"};

class AccountsTest : public ::testing::Test {
  protected:
    void SetUp() override {
        open();
        chen_ = accounts_->create_user("chen", kPassword, Role::kOperator, false, kAdmin).value();
    }
    void open() {
        accounts_.reset();
        store_.reset();
        store_ = open_sqlite_store(directory_.file("state.db")).value();
        accounts_ = std::make_unique<Accounts>(*store_, clock_, passwords_, limits_);
        auto first = accounts_->open();
        ASSERT_TRUE(first) << first.error().message;
        if (*first) one_time_ = **first;
    }
    Login login(const std::string& name = "chen", const std::string& password = kPassword) {
        auto done = accounts_->login(name, password, "10.0.0.1");
        EXPECT_TRUE(done) << done.error().error.message;
        return done ? *done : Login{};
    }
    ErrorKind refused(const std::string& name, const std::string& password,
                      const std::string& remote = "10.0.0.1") {
        const auto done = accounts_->login(name, password, remote);
        EXPECT_FALSE(done);
        return done ? ErrorKind::kInternal : done.error().error.kind;
    }
    Accounts::NewToken token(Role role, std::optional<UtcTime> expires_at = {}) {
        return accounts_->create_token(chen_.id, "t" + std::to_string(++tokens_), role, expires_at, kAdmin)
            .value();
    }
    UserChange role(Role role) {
        UserChange change;
        change.role = role;
        return change;
    }
    UserChange disabled(bool disabled = true) {
        UserChange change;
        change.disabled = disabled;
        return change;
    }
    std::int64_t admin_id() { return accounts_->user_named("admin")->id; }

    TempDir directory_;
    HandClock clock_;
    Accounts::Limits limits_{
        .session_idle = 12h, .session_longest = 7 * 24h, .failures = {.allowed = 7, .window = 45s}};
    Passwords passwords_{64};  // cheap: what they cost is tested elsewhere
    std::unique_ptr<Store> store_;
    std::unique_ptr<Accounts> accounts_;
    User chen_;
    std::string one_time_;
    int tokens_ = 0;
};

TEST_F(AccountsTest, TheFirstStartMakesAnAdministratorOnce) {
    ASSERT_FALSE(one_time_.empty());
    const auto first = std::exchange(one_time_, "");
    const auto admin = login("admin", first).who;
    EXPECT_EQ(admin.role, Role::kAdmin);
    EXPECT_TRUE(admin.must_change_password);
    open();
    EXPECT_EQ(one_time_, "");
    EXPECT_EQ(accounts_->users().size(), 2U);
    ASSERT_TRUE(accounts_->change_password(admin, first, "another password", kAdmin));
    EXPECT_FALSE(login("admin", "another password").who.must_change_password);
    EXPECT_EQ(refused("admin", first), ErrorKind::kInvalidArgument);
}

TEST_F(AccountsTest, ASessionIsKnownByItsCookieAndEndsWithTheSignOut) {
    const auto session = login();
    const auto who = accounts_->identify_session(session.secret);
    ASSERT_TRUE(who);
    EXPECT_EQ(who->username, "chen");
    EXPECT_EQ(who->role, Role::kOperator);
    EXPECT_EQ(who->csrf_token.size(), 43U);
    EXPECT_FALSE(accounts_->identify_token(session.secret)) << "a cookie is no token";
    EXPECT_FALSE(accounts_->identify_session(""));
    EXPECT_FALSE(accounts_->identify_session(who->secret_hash)) << "what is stored opens nothing";
    EXPECT_NE(login().secret, session.secret);
    ASSERT_TRUE(accounts_->logout(*who, kAdmin));
    EXPECT_FALSE(accounts_->identify_session(session.secret));
    open();
    EXPECT_FALSE(accounts_->identify_session(session.secret));
}

TEST_F(AccountsTest, ASessionEndsWhenIdleAndAtItsLongest) {
    const auto session = login();
    clock_.pass(limits_.session_idle - 1us);
    EXPECT_TRUE(accounts_->identify_session(session.secret));
    clock_.pass(limits_.session_idle - 1us);
    EXPECT_TRUE(accounts_->identify_session(session.secret)) << "use keeps it";
    clock_.pass(limits_.session_idle);
    EXPECT_FALSE(accounts_->identify_session(session.secret)) << "the end is not in";

    const auto longest = login();
    for (auto passed = 0us; passed < limits_.session_longest - 1h; passed += 1h) {
        ASSERT_TRUE(accounts_->identify_session(longest.secret));
        clock_.pass(1h);
    }
    EXPECT_TRUE(accounts_->identify_session(longest.secret));
    clock_.pass(1h);
    EXPECT_FALSE(accounts_->identify_session(longest.secret));
    ASSERT_TRUE(accounts_->upkeep());
    clock_.pass(1us);
    ASSERT_TRUE(store_->prune_web_sessions(clock_.utc_now()));
    EXPECT_TRUE(store_->web_sessions().value().empty());
}

TEST_F(AccountsTest, RestartsKeepTokensAndSessionsAndTheirUse) {
    const auto session = login();
    const auto made = token(Role::kViewer);
    clock_.pass(2h);
    EXPECT_TRUE(accounts_->identify_session(session.secret));
    EXPECT_TRUE(accounts_->identify_token(made.secret));
    ASSERT_TRUE(accounts_->upkeep());
    const auto noted = store_->tokens().value().at(0).last_used_at;
    EXPECT_EQ(noted, clock_.utc_now());
    clock_.pass(30s);
    EXPECT_TRUE(accounts_->identify_token(made.secret));
    ASSERT_TRUE(accounts_->upkeep());
    EXPECT_EQ(store_->tokens().value().at(0).last_used_at, noted) << "once a minute";
    clock_.pass(30s);
    EXPECT_TRUE(accounts_->identify_token(made.secret));
    ASSERT_TRUE(accounts_->upkeep());
    EXPECT_EQ(store_->tokens().value().at(0).last_used_at, clock_.utc_now());
    open();
    clock_.pass(limits_.session_idle - 2min);
    EXPECT_TRUE(accounts_->identify_session(session.secret)) << "the moved end was kept";
    EXPECT_TRUE(accounts_->identify_token(made.secret));
}

TEST_F(AccountsTest, AShorterLimitEndsOpenSessions) {
    const auto session = login();
    clock_.pass(2h);
    limits_.session_longest = 3h;
    open();
    EXPECT_TRUE(accounts_->identify_session(session.secret));
    limits_.session_longest = 2h;
    open();
    EXPECT_FALSE(accounts_->identify_session(session.secret)) << "whatever end was stored";
}

TEST_F(AccountsTest, ATokenEndsAtItsTime) {
    const auto made = token(Role::kViewer, clock_.utc_now() + 1h);
    clock_.pass(1h - 1us);
    EXPECT_TRUE(accounts_->identify_token(made.secret));
    clock_.pass(1us);
    EXPECT_FALSE(accounts_->identify_token(made.secret));
    const auto other = token(Role::kViewer);
    ASSERT_TRUE(accounts_->remove_token(other.token.id, kAdmin));
    EXPECT_FALSE(accounts_->identify_token(other.secret));
    EXPECT_EQ(accounts_->remove_token(other.token.id, kAdmin).error().kind, ErrorKind::kNotFound);
}

TEST_F(AccountsTest, TheLowerRoleIsInForceAtOnce) {
    const auto as_viewer = token(Role::kViewer);
    const auto as_admin = token(Role::kAdmin);
    const auto session = login();
    const auto expect = [&](Role viewer, Role admin, Role own) {
        EXPECT_EQ(accounts_->identify_token(as_viewer.secret)->role, viewer);
        EXPECT_EQ(accounts_->identify_token(as_admin.secret)->role, admin);
        EXPECT_EQ(accounts_->identify_session(session.secret)->role, own);
    };
    expect(Role::kViewer, Role::kOperator, Role::kOperator);
    ASSERT_TRUE(accounts_->change_user(chen_.id, role(Role::kAdmin), kAdmin));
    expect(Role::kViewer, Role::kAdmin, Role::kAdmin);
    ASSERT_TRUE(accounts_->change_user(chen_.id, role(Role::kViewer), kAdmin));
    expect(Role::kViewer, Role::kViewer, Role::kViewer);
}

TEST_F(AccountsTest, ADisabledOrRemovedUserIsOutAtOnce) {
    auto session = login();
    const auto made = token(Role::kViewer);
    ASSERT_TRUE(accounts_->change_user(chen_.id, disabled(), kAdmin));
    EXPECT_FALSE(accounts_->identify_session(session.secret));
    EXPECT_FALSE(accounts_->identify_token(made.secret));
    EXPECT_EQ(refused("chen", kPassword), ErrorKind::kInvalidArgument);
    ASSERT_TRUE(accounts_->change_user(chen_.id, disabled(false), kAdmin));
    EXPECT_FALSE(accounts_->identify_session(session.secret)) << "sessions do not come back";
    EXPECT_TRUE(accounts_->identify_token(made.secret));
    session = login();
    ASSERT_TRUE(accounts_->remove_user(chen_.id, kAdmin));
    EXPECT_FALSE(accounts_->identify_session(session.secret));
    EXPECT_FALSE(accounts_->identify_token(made.secret));
    EXPECT_EQ(refused("chen", kPassword), ErrorKind::kInvalidArgument);
    open();
    EXPECT_FALSE(accounts_->identify_token(made.secret));
}

TEST_F(AccountsTest, ANewPasswordEndsTheOtherSessions) {
    const auto here = login();
    const auto there = login();
    EXPECT_EQ(accounts_->change_password(here.who, "wrong", "another password", kAdmin).error().kind,
              ErrorKind::kConflict);
    EXPECT_EQ(accounts_->change_password(here.who, kPassword, "short", kAdmin).error().kind,
              ErrorKind::kInvalidArgument);
    EXPECT_EQ(accounts_->change_password(here.who, kPassword, kPassword, kAdmin).error().kind,
              ErrorKind::kInvalidArgument);
    ASSERT_TRUE(accounts_->change_password(here.who, kPassword, "another password", kAdmin));
    for (int i = 0; i < 2; ++i) {
        EXPECT_TRUE(accounts_->identify_session(here.secret));
        EXPECT_FALSE(accounts_->identify_session(there.secret));
        open();
    }
    UserChange reset;
    reset.password = "given by admin";
    reset.must_change_password = true;
    ASSERT_TRUE(accounts_->change_user(chen_.id, reset, kAdmin));
    EXPECT_FALSE(accounts_->identify_session(here.secret));
    EXPECT_TRUE(login("chen", "given by admin").who.must_change_password);
}

TEST_F(AccountsTest, TheLastAdministratorStays) {
    EXPECT_EQ(accounts_->change_user(admin_id(), role(Role::kViewer), kAdmin).error().kind,
              ErrorKind::kConflict);
    EXPECT_EQ(accounts_->change_user(admin_id(), disabled(), kAdmin).error().kind, ErrorKind::kConflict);
    EXPECT_EQ(accounts_->remove_user(admin_id(), kAdmin).error().kind, ErrorKind::kConflict);
    EXPECT_EQ(accounts_->user(admin_id())->role, Role::kAdmin) << "and memory agrees with the store";
    ASSERT_TRUE(accounts_->change_user(chen_.id, role(Role::kAdmin), kAdmin));
    EXPECT_TRUE(accounts_->remove_user(admin_id(), kAdmin));
}

TEST_F(AccountsTest, GuessingIsSlowedDownByNameAndByRemote) {
    for (std::size_t i = 0; i < limits_.failures.allowed; ++i) {
        EXPECT_EQ(refused("chen", "wrong", "10.0.1." + std::to_string(i)), ErrorKind::kInvalidArgument);
    }
    const auto blocked = accounts_->login("chen", kPassword, "10.0.2.1");
    ASSERT_FALSE(blocked);
    EXPECT_EQ(blocked.error().error.kind, ErrorKind::kBusy);
    EXPECT_GT(blocked.error().retry_after, 0s);
    EXPECT_TRUE(accounts_->login("admin", one_time_, "10.0.2.1")) << "others are let in";
    clock_.pass(limits_.failures.window);
    EXPECT_TRUE(accounts_->login("chen", kPassword, "10.0.2.1"));

    for (std::size_t i = 0; i < limits_.failures.allowed; ++i) {
        EXPECT_EQ(refused("nobody" + std::to_string(i), "wrong", "10.0.3.1"), ErrorKind::kInvalidArgument);
    }
    EXPECT_EQ(refused("chen", kPassword, "10.0.3.1"), ErrorKind::kBusy);
    EXPECT_TRUE(accounts_->login("chen", kPassword, "10.0.3.2"));
}

TEST_F(AccountsTest, SuccessIsNotCounted) {
    for (std::size_t i = 0; i < limits_.failures.allowed * 2; ++i) login();
}

TEST_F(AccountsTest, EverythingIsAuditedAndNoSecretIsInIt) {
    const auto session = login();
    refused("chen", "wrong password!");
    refused("my password by mistake", "x");
    ASSERT_TRUE(accounts_->change_password(session.who, kPassword, "another password", kAdmin));
    const auto made = token(Role::kViewer);
    ASSERT_TRUE(accounts_->remove_token(made.token.id, kAdmin));
    ASSERT_TRUE(accounts_->logout(session.who, kAdmin));
    ASSERT_TRUE(accounts_->change_user(chen_.id, disabled(), kAdmin));
    ASSERT_TRUE(accounts_->remove_user(chen_.id, kAdmin));
    std::vector<std::string> actions;
    std::string text;
    for (const auto& entry : store_->audit_after(0, 1000).value()) {
        actions.push_back(entry.action);
        text += entry.actor.name + entry.subject + entry.detail.dump();
    }
    EXPECT_EQ(actions,
              (std::vector<std::string>{"user.create", "user.create", "auth.login", "auth.login_failed",
                                        "auth.login_failed", "auth.password", "token.create", "token.delete",
                                        "auth.logout", "user.update", "user.delete"}));
    for (const auto& secret : {kPassword, std::string{"wrong password!"}, std::string{"another password"},
                               std::string{"by mistake"}, one_time_, made.secret, session.secret,
                               session.who.csrf_token, std::string{"argon2id"}}) {
        EXPECT_EQ(text.find(secret), std::string::npos) << secret;
    }
}

TEST_F(AccountsTest, AUserHasSoManySessionsAndTokens) {
    const auto oldest = login();
    for (std::size_t i = 0; i < Accounts::kMostSessionsPerUser; ++i) {
        clock_.pass(1s);
        login();
    }
    EXPECT_FALSE(accounts_->identify_session(oldest.secret));
    EXPECT_EQ(store_->web_sessions().value().size(), Accounts::kMostSessionsPerUser);
    for (std::size_t i = 0; i < Accounts::kMostTokensPerUser; ++i) token(Role::kViewer);
    EXPECT_EQ(accounts_->create_token(chen_.id, "one more", Role::kViewer, {}, kAdmin).error().kind,
              ErrorKind::kConflict);
    EXPECT_EQ(accounts_->create_token(999, "x", Role::kViewer, {}, kAdmin).error().kind,
              ErrorKind::kNotFound);
}

// For the thread sanitizer, and for what must hold whoever comes first.
TEST_F(AccountsTest, SignInsRaceWithEachOtherAndWithBeingDisabled) {
    std::atomic<bool> go_on{true};
    std::atomic<int> signed_in{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&, t] {
            for (int i = 0; i < 20; ++i) {
                const auto done = accounts_->login("chen", kPassword, "10.0.9." + std::to_string(t));
                if (!done) continue;
                ++signed_in;
                (void)accounts_->identify_session(done->secret);
            }
        });
    }
    threads.emplace_back([&] {
        while (go_on) (void)accounts_->upkeep();
    });
    while (signed_in < 10) std::this_thread::yield();
    ASSERT_TRUE(accounts_->change_user(chen_.id, disabled(), kAdmin));
    const auto sessions = store_->web_sessions().value();
    for (std::size_t i = 0; i + 1 < threads.size(); ++i) threads[i].join();
    go_on = false;
    threads.back().join();
    EXPECT_TRUE(sessions.empty()) << "no session of a disabled user is left";
    EXPECT_TRUE(store_->web_sessions().value().empty()) << "and none was made after";
}

}  // namespace
}  // namespace fieldwarden::supervisor
