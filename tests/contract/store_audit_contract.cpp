// The contract of Store, continued: the audit trail is a chain.
#include <gtest/gtest.h>

#include <thread>

#include "supervisor/store/audit_chain.h"
#include "tests/contract/store_contract.h"
#include "tests/unit/common/temp_dir.h"

namespace fieldwarden::supervisor {

namespace {

AuditEntry entry(std::string action, proto::Json detail) {
    AuditEntry entry;
    entry.at = UtcTime{std::chrono::microseconds{1'795'000'000'123'456}};
    entry.actor = {"chen", "admin", "10.0.0.9"};
    entry.action = std::move(action);
    entry.subject = "焊机'1";
    entry.detail = std::move(detail);
    return entry;
}

class StoreAudit : public testing::TestWithParam<StoreImplementation> {
  protected:
    void SetUp() override { reopen(); }
    void reopen() {
        store_.reset();
        auto opened = GetParam().open(directory_.path().string());
        ASSERT_TRUE(opened) << opened.error().message;
        store_ = std::move(*opened);
    }
    std::vector<AuditEntry> after(std::int64_t id, std::uint32_t limit = 1000) {
        auto entries = store_->audit_after(id, limit);
        EXPECT_TRUE(entries) << entries.error().message;
        return entries ? *entries : std::vector<AuditEntry>{};
    }
    TempDir directory_;
    std::unique_ptr<Store> store_;
};

TEST_P(StoreAudit, IsEmptyAtFirst) {
    EXPECT_TRUE(after(0).empty());
}

TEST_P(StoreAudit, EveryEntryFollowsFromTheOneBefore) {
    // Details whose text could come back another one: order of keys, numbers, escapes, bytes that are no
    // UTF-8.
    const std::vector<proto::Json> details{
        proto::Json::object(),
        {{"b", 1}, {"a", 2}, {"aa", {{"z", nullptr}, {"y", true}}}},
        {{"n", {0.1, 1e300, -0.0, 1.0, 5e-324, -9223372036854775807LL, 18446744073709551615ULL}}},
        {{"text", "quote \" backslash \\ newline \n tab \t 站点 😀 \x7f"}},
        {{"raw", "\xff\xfe half"}},
        proto::Json::array({1, "two"}),
        "a text",
    };
    for (const auto& detail : details) ASSERT_TRUE(store_->add_audit(entry("test", detail)));
    ASSERT_TRUE(store_->apply({}, 0, entry("import.apply", {{"rows", 3}})));
    for (int i = 0; i < 2; ++i) {
        AuditWalk walk;
        const auto all = after(0);
        ASSERT_EQ(all.size(), details.size() + 1);
        const auto broken = walk.take(all);
        EXPECT_FALSE(broken) << broken->id << ' ' << broken->detail;
        EXPECT_EQ(walk.newest_hash(), all.back().hash);
        EXPECT_EQ(walk.newest_hash().size(), 64U);
        reopen();
    }
}

TEST_P(StoreAudit, IsReadInPiecesOldestFirst) {
    for (int i = 0; i < 7; ++i) ASSERT_TRUE(store_->add_audit(entry("test", {{"n", i}})));
    AuditWalk walk;
    std::int64_t last = 0;
    std::size_t seen = 0;
    for (;;) {
        const auto next = after(last, 3);
        if (next.empty()) break;
        EXPECT_LE(next.size(), 3U);
        EXPECT_FALSE(walk.take(next));
        for (const auto& each : next) {
            EXPECT_GT(each.id, last);
            EXPECT_EQ(each.detail["n"], static_cast<int>(seen++));
            last = each.id;
        }
    }
    EXPECT_EQ(seen, 7U);
    const auto newest = store_->audit({1, 1});
    ASSERT_TRUE(newest);
    EXPECT_EQ(newest->items.at(0).hash, walk.newest_hash());
}

TEST_P(StoreAudit, PruneLeavesItAlone) {
    ASSERT_TRUE(store_->add_audit(entry("old", proto::Json::object())));
    ASSERT_TRUE(store_->prune(UtcTime{} + std::chrono::days{36'500}));
    EXPECT_EQ(after(0).size(), 1U);
}

TEST_P(StoreAudit, WritersAtTheSameTimeMakeOneChain) {
    std::vector<std::thread> writers;
    for (int t = 0; t < 4; ++t) {
        writers.emplace_back([&] {
            for (int i = 0; i < 25; ++i) EXPECT_TRUE(store_->add_audit(entry("test", {{"n", i}})));
        });
    }
    for (auto& writer : writers) writer.join();
    AuditWalk walk;
    const auto all = after(0);
    EXPECT_EQ(all.size(), 100U);
    EXPECT_FALSE(walk.take(all));
}

INSTANTIATE_TEST_SUITE_P(Stores, StoreAudit, testing::ValuesIn(store_implementations()),
                         [](const auto& of) { return of.param.name; });

}  // namespace

}  // namespace fieldwarden::supervisor
