// The contract of Store, continued: users, API tokens, web sessions.
#include <gtest/gtest.h>

#include "tests/contract/store_contract.h"
#include "tests/unit/common/temp_dir.h"

namespace fieldwarden::supervisor {

namespace {

using namespace std::chrono_literals;

constexpr UtcTime kNoon{std::chrono::microseconds{1'795'000'000'123'456}};

AuditEntry by(std::string action) {
    AuditEntry entry;
    entry.at = kNoon;
    entry.action = std::move(action);
    return entry;
}

User a_user(std::string name, Role role = Role::kViewer) {
    User user;
    user.username = std::move(name);
    user.role = role;
    user.password_hash = "$argon2id$v=19$m=64,t=2,p=1$c2FsdA$aGFzaA";
    user.created_at = kNoon;
    return user;
}

class StoreAccounts : public testing::TestWithParam<StoreImplementation> {
  protected:
    void SetUp() override { reopen(); }
    void reopen() {
        store_.reset();
        auto opened = GetParam().open(directory_.path().string());
        ASSERT_TRUE(opened) << opened.error().message;
        store_ = std::move(*opened);
    }
    std::int64_t put(const User& user) {
        const auto id = store_->put_user(user, by("user.put"));
        EXPECT_TRUE(id) << id.error().message;
        return id ? *id : 0;
    }
    std::int64_t add(const ApiToken& token) {
        const auto id = store_->add_token(token, by("token.create"));
        EXPECT_TRUE(id) << id.error().message;
        return id ? *id : 0;
    }
    std::uint64_t audits() { return store_->audit({}).value().total; }
    static ApiToken a_token(std::int64_t user, std::string name) {
        ApiToken token;
        token.user_id = user;
        token.secret_hash = std::to_string(user) + name;
        token.name = std::move(name);
        token.created_at = kNoon;
        return token;
    }
    TempDir directory_;
    std::unique_ptr<Store> store_;
};

TEST_P(StoreAccounts, AreEmptyAtFirst) {
    EXPECT_TRUE(store_->users().value().empty());
    EXPECT_TRUE(store_->tokens().value().empty());
    EXPECT_TRUE(store_->web_sessions().value().empty());
}

TEST_P(StoreAccounts, UsersAreKeptWholeAlsoAfterReopening) {
    auto admin = a_user("admin", Role::kAdmin);
    admin.must_change_password = true;
    admin.id = put(admin);
    auto other = a_user("焊工'2", Role::kOperator);
    other.disabled = true;
    other.last_login_at = kNoon + 1us;
    other.id = put(other);
    for (int i = 0; i < 2; ++i) {
        EXPECT_EQ(store_->users().value(), (std::vector{admin, other}));
        reopen();
    }
    other.role = Role::kAdmin;
    other.disabled = false;
    other.password_hash = "changed";
    EXPECT_EQ(put(other), other.id);
    EXPECT_EQ(store_->users().value(), (std::vector{admin, other}));
    EXPECT_EQ(audits(), 3U);
}

TEST_P(StoreAccounts, ANameIsTakenOnceAndAnUnknownIdIsTold) {
    const auto first = put(a_user("chen"));
    const auto second = put(a_user("li"));
    EXPECT_EQ(store_->put_user(a_user("chen"), by("x")).error().kind, ErrorKind::kConflict);
    auto renamed = a_user("chen");
    renamed.id = second;
    EXPECT_EQ(store_->put_user(renamed, by("x")).error().kind, ErrorKind::kConflict);
    put(a_user("Chen"));
    auto unknown = a_user("wang");
    unknown.id = 999;
    EXPECT_EQ(store_->put_user(unknown, by("x")).error().kind, ErrorKind::kNotFound);
    EXPECT_EQ(store_->remove_user(999, by("x")).error().kind, ErrorKind::kNotFound);
    EXPECT_EQ(audits(), 3U) << "what was refused left no trace";
    EXPECT_EQ(store_->users().value().at(0).id, first);
}

TEST_P(StoreAccounts, IdsAreNeverReused) {
    put(a_user("admin", Role::kAdmin));
    const auto first = put(a_user("chen"));
    ASSERT_TRUE(store_->remove_user(first, by("user.delete")));
    reopen();
    const auto second = put(a_user("chen"));
    EXPECT_GT(second, first);
    const auto token = add(a_token(second, "a"));
    ASSERT_TRUE(store_->remove_token(token, by("token.delete")));
    EXPECT_GT(add(a_token(second, "a")), token);
}

TEST_P(StoreAccounts, TheLastEnabledAdministratorStays) {
    auto admin = a_user("admin", Role::kAdmin);
    admin.id = put(admin);
    auto disabled = a_user("old", Role::kAdmin);
    disabled.disabled = true;
    disabled.id = put(disabled);
    put(a_user("chen", Role::kOperator));
    const auto before = store_->users().value();

    EXPECT_EQ(store_->remove_user(admin.id, by("x")).error().kind, ErrorKind::kConflict);
    for (const auto& change :
         {+[](User& user) { user.role = Role::kOperator; }, +[](User& user) { user.disabled = true; }}) {
        auto changed = admin;
        change(changed);
        EXPECT_EQ(store_->put_user(changed, by("x")).error().kind, ErrorKind::kConflict);
    }
    EXPECT_EQ(store_->users().value(), before);
    EXPECT_TRUE(store_->remove_user(disabled.id, by("user.delete"))) << "not an enabled one";
    auto second = a_user("second", Role::kAdmin);
    second.id = put(second);
    EXPECT_TRUE(store_->remove_user(admin.id, by("user.delete")));
    EXPECT_EQ(store_->remove_user(second.id, by("x")).error().kind, ErrorKind::kConflict);
}

TEST_P(StoreAccounts, TokensAreKeptAndGoWithTheirUser) {
    put(a_user("admin", Role::kAdmin));
    const auto chen = put(a_user("chen"));
    const auto li = put(a_user("li"));
    auto token = a_token(chen, "scada");
    token.role = Role::kOperator;
    token.expires_at = kNoon + 1h;
    token.id = add(token);
    auto other = a_token(li, "scada");
    other.id = add(other);
    EXPECT_EQ(store_->add_token(a_token(chen, "scada"), by("x")).error().kind, ErrorKind::kConflict);
    EXPECT_EQ(store_->add_token(a_token(999, "scada"), by("x")).error().kind, ErrorKind::kNotFound);
    EXPECT_EQ(store_->remove_token(999, by("x")).error().kind, ErrorKind::kNotFound);
    ASSERT_TRUE(store_->touch_token(token.id, kNoon + 5us));
    ASSERT_TRUE(store_->touch_token(999, kNoon));
    token.last_used_at = kNoon + 5us;
    reopen();
    EXPECT_EQ(store_->tokens().value(), (std::vector{token, other}));
    ASSERT_TRUE(store_->remove_user(chen, by("user.delete")));
    EXPECT_EQ(store_->tokens().value(), (std::vector{other}));
    ASSERT_TRUE(store_->remove_token(other.id, by("token.delete")));
    EXPECT_TRUE(store_->tokens().value().empty());
}

TEST_P(StoreAccounts, ASignInIsNoted) {
    auto chen = a_user("chen");
    chen.id = put(chen);
    const auto before = audits();
    ASSERT_TRUE(store_->touch_user(chen.id, kNoon + 7us));
    ASSERT_TRUE(store_->touch_user(999, kNoon));
    chen.last_login_at = kNoon + 7us;
    EXPECT_EQ(store_->users().value(), (std::vector{chen}));
    EXPECT_EQ(audits(), before);
}

TEST_P(StoreAccounts, WebSessionsAreKeptExtendedAndEnd) {
    put(a_user("admin", Role::kAdmin));
    const auto chen = put(a_user("chen"));
    const auto li = put(a_user("li"));
    WebSession first{"hash1", chen, "csrf1", kNoon, kNoon + 1h};
    const WebSession second{"hash2", chen, "csrf2", kNoon + 1us, kNoon + 2h};
    const WebSession third{"hash3", li, "csrf3", kNoon + 2us, kNoon + 3h};
    for (const auto& session : {third, first, second}) ASSERT_TRUE(store_->add_web_session(session));
    reopen();
    EXPECT_EQ(store_->web_sessions().value(), (std::vector{first, second, third}));
    first.expires_at = kNoon + 5h;
    ASSERT_TRUE(store_->add_web_session(first)) << "its end moves";
    EXPECT_EQ(store_->web_sessions().value(), (std::vector{first, second, third}));
    ASSERT_TRUE(store_->prune_web_sessions(kNoon + 2h + 1us));
    EXPECT_EQ(store_->web_sessions().value(), (std::vector{first, third}));
    ASSERT_TRUE(store_->remove_web_session("hash1"));
    ASSERT_TRUE(store_->remove_web_session("unknown"));
    EXPECT_EQ(store_->web_sessions().value(), (std::vector{third}));
    ASSERT_TRUE(store_->add_web_session(first));
    ASSERT_TRUE(store_->add_web_session(second));
    ASSERT_TRUE(store_->remove_web_sessions_of(chen));
    ASSERT_TRUE(store_->remove_web_sessions_of(999));
    EXPECT_EQ(store_->web_sessions().value(), (std::vector{third}));
    ASSERT_TRUE(store_->remove_user(li, by("user.delete")));
    EXPECT_TRUE(store_->web_sessions().value().empty()) << "they go with their user";
}

INSTANTIATE_TEST_SUITE_P(Stores, StoreAccounts, testing::ValuesIn(store_implementations()),
                         [](const auto& of) { return of.param.name; });

}  // namespace

}  // namespace fieldwarden::supervisor
