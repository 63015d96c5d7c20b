#include "supervisor/logs/log_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "common/data_paths.h"
#include "tests/unit/common/temp_dir.h"
#include "tests/unit/logs/log_files.h"

namespace fieldwarden::supervisor {
namespace {

using namespace std::chrono_literals;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

class LogServiceTest : public testing::Test {
  protected:
    LogServiceTest() {
        options_.data_dir = dir_.path().string();
        options_.poll_interval = 5ms;
        options_.poll_interval_in_flood = 5ms;
        options_.clean_interval = std::chrono::seconds{3600};
        std::filesystem::create_directories(options_.data_dir + "/log/events");
    }
    void start(std::vector<std::string> tasks = {"T1"}) {
        service_ = std::make_unique<LogService>(options_, system_clock());
        service_->start(
            [this](const std::string& task, std::vector<proto::LogEntry> lines) {
                const std::lock_guard lock{mutex_};
                for (auto& line : lines) delivered_.emplace_back(task + ": " + line.message);
            },
            [tasks = std::move(tasks)] { return tasks; });
    }
    std::vector<std::string> delivered() {
        const std::lock_guard lock{mutex_};
        return delivered_;
    }
    template <class Condition>
    static bool wait_for(Condition condition) {
        const auto deadline = std::chrono::steady_clock::now() + 20s;
        while (!condition()) {
            if (std::chrono::steady_clock::now() > deadline) return false;
            std::this_thread::sleep_for(1ms);
        }
        return true;
    }
    LogPage own() {
        service_->flush(10s);
        return *search_logs(std::vector{supervisor_log_file(options_.data_dir)}, {});
    }
    LogPage events(const std::string& task) {
        service_->flush(10s);
        return *search_logs(std::vector{task_events_file(options_.data_dir, task)}, {});
    }
    [[nodiscard]] bool exists(const std::string& name) const {
        return std::filesystem::exists(options_.data_dir + "/log/" + name);
    }

    TempDir dir_;
    LogServiceOptions options_;
    std::mutex mutex_;
    std::vector<std::string> delivered_;
    std::unique_ptr<LogService> service_;
};

TEST_F(LogServiceTest, LinesOfTheSupervisorAndAboutAATaskAreKept) {
    start({"T1", "supervisor"});
    service_->add_own(proto::LogLevel::kWarning, "own \xff line");
    service_->add("T1", log_entry(0, "about T1"));
    service_->add("supervisor", log_entry(0, "about a task with our name"));
    const auto page = own();
    ASSERT_THAT(page.hits, SizeIs(1));
    EXPECT_EQ(page.hits[0].entry.process_name, "supervisor");
    EXPECT_EQ(page.hits[0].entry.message, "own \xEF\xBF\xBD line");
    EXPECT_NE(page.hits[0].entry.id, 0);
    EXPECT_THAT(messages(events("T1")), ElementsAre("about T1"));
    EXPECT_THAT(messages(events("supervisor")), ElementsAre("about a task with our name"));
}

TEST_F(LogServiceTest, WhatAProcessPrintsIsDeliveredAndItsLastWordsToo) {
    start();
    const auto file = crash_file(options_.data_dir, "T1");
    append(file, "of an earlier process\n");
    service_->watch("T1", std::filesystem::file_size(file), false, {"hunter22"});
    append(file, "error: hunter22\nnext\n");
    EXPECT_TRUE(wait_for([&] { return delivered().size() >= 1; }));
    append(file, "last words");
    service_->unwatch("T1");
    EXPECT_TRUE(wait_for([&] { return delivered().size() >= 3; }));
    EXPECT_THAT(delivered(), ElementsAre("T1: error: ***", "T1: next", "T1: last words"));
    // Restarted at once: goes on behind that.
    service_->watch("T1", std::filesystem::file_size(file), false, {});
    append(file, "\nof the next process\n");
    EXPECT_TRUE(wait_for([&] { return delivered().size() >= 4; }));
    EXPECT_EQ(delivered().back(), "T1: of the next process");
    EXPECT_EQ(service_->counters().tasks.at("T1").output.lines, 4U);
}

TEST_F(LogServiceTest, OldFilesAndThoseOfDeletedTasksAreRemoved) {
    const auto log = options_.data_dir + "/log/";
    for (const auto* name :
         {"T1.jsonl", "T1.jsonl.1", "T1.jsonl.2", "T1.crash", "gone.jsonl", "gone.jsonl.1", "gone.crash",
          "events/gone.jsonl", "events/gone.place", "events/T1.jsonl", "supervisor.jsonl",
          "supervisor.jsonl.1", "probe.crash", "notes.txt", "T1.jsonl.x"}) {
        append(log + name, "{}\n");
    }
    const auto old = std::filesystem::file_time_type::clock::now() - std::chrono::hours{24 * 31};
    std::filesystem::last_write_time(log + "T1.jsonl.2", old);
    std::filesystem::last_write_time(log + "notes.txt", old);
    start();
    EXPECT_TRUE(wait_for([&] { return !exists("gone.jsonl") && !exists("T1.jsonl.2"); }));
    for (const auto* name : {"gone.jsonl.1", "gone.crash", "events/gone.jsonl", "events/gone.place"}) {
        EXPECT_FALSE(exists(name)) << name;
    }
    for (const auto* name : {"T1.jsonl", "T1.jsonl.1", "T1.crash", "events/T1.jsonl", "supervisor.jsonl",
                             "supervisor.jsonl.1", "probe.crash", "notes.txt", "T1.jsonl.x"}) {
        EXPECT_TRUE(exists(name)) << name;
    }
    EXPECT_THAT(messages(own()), Contains(HasSubstr("6 old log files were removed")));
}

TEST_F(LogServiceTest, ATaskThatIsForgottenLeavesNoFile) {
    start();
    for (const auto* name : {"T1.jsonl", "T1.jsonl.1", "T1.crash", "T10.jsonl"})
        append(options_.data_dir + "/log/" + name, "x\n");
    service_->add("T1", log_entry(0, "x"));
    service_->forget("T1");
    service_->flush(10s);
    for (const auto* name : {"T1.jsonl", "T1.jsonl.1", "T1.crash", "events/T1.jsonl"})
        EXPECT_FALSE(exists(name)) << name;
}

TEST_F(LogServiceTest, AFloodOfOurOwnIsBoundedCountedAndSaid) {
    options_.files = {100'000, 3};
    start();
    for (int i = 0; i < 200'000; ++i) service_->add_own(proto::LogLevel::kInfo, "again");
    EXPECT_TRUE(wait_for([&] { return !own().hits.empty(); }));
    std::uintmax_t bytes = 0;
    for (const auto* name : {"supervisor.jsonl", "supervisor.jsonl.1", "supervisor.jsonl.2"}) {
        if (exists(name)) bytes += std::filesystem::file_size(options_.data_dir + "/log/" + name);
    }
    EXPECT_LE(bytes, 300'000U);
    if (service_->counters().lines_dropped > 0) {
        EXPECT_TRUE(wait_for([&] { return !messages(own()).empty(); }));
    }
    service_.reset();  // writes the rest and leaves
}

TEST_F(LogServiceTest, ADiskThatRefusesIsCounted) {
    options_.data_dir = "/proc/nowhere";
    start();
    service_->add_own(proto::LogLevel::kInfo, "lost");
    service_->flush(10s);
    EXPECT_EQ(service_->counters().write_failures, 1U);
}

}  // namespace
}  // namespace fieldwarden::supervisor
