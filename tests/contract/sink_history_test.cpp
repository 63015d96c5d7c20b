#include <stdlib.h>

#include <filesystem>

#include "common/data_paths.h"
#include "common/history/history_reader.h"
#include "common/sqlite.h"
#include "tests/contract/sink_contract.h"

namespace fieldwarden::worker {
namespace {

class HistoryStore : public SinkUnderTest {
  public:
    HistoryStore() {
        std::string name = "/tmp/fw-sink-history-XXXXXX";
        data_dir_ = ::mkdtemp(name.data());
    }
    ~HistoryStore() override {
        lock_.reset();
        std::filesystem::remove_all(data_dir_);
    }
    std::unique_ptr<Sink> make() override {
        auto sink = make_sink({"history", "history", "", {}}, {data_dir_, "TASK", {}});
        EXPECT_TRUE(sink);
        return std::move(*sink);
    }
    std::vector<StoredSample> contents() override {
        HistoryQuery query;
        query.limit = kMostHistoryPoints;
        const auto found = query_history(data_dir_, "TASK", query);
        EXPECT_TRUE(found) << found.error().message;
        std::vector<StoredSample> stored;
        for (const auto& point : *found) {
            stored.push_back({point.point_code, point.sample.time, point.sample.value, point.sample.quality});
        }
        return stored;
    }
    // Somebody else holds the write lock.
    void break_store(bool broken) override {
        lock_.reset();
        if (!broken) return;
        auto db = SqlDatabase::open(history_file(data_dir_, "TASK"), SqlDatabase::Mode::kReadWrite);
        ASSERT_TRUE(db);
        lock_.emplace(std::move(*db));
        ASSERT_TRUE(lock_->execute("BEGIN IMMEDIATE"));
    }

  private:
    std::string data_dir_;
    std::optional<SqlDatabase> lock_;
};

INSTANTIATE_TEST_SUITE_P(History, SinkContract,
                         ::testing::Values(SinkCase{"history",
                                                    [] { return std::make_unique<HistoryStore>(); }}),
                         [](const auto& param) { return param.param.name; });

}  // namespace
}  // namespace fieldwarden::worker
