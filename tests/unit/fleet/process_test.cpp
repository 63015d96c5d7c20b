#include "supervisor/fleet/process.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "supervisor/fleet/instance_lock.h"
#include "supervisor/fleet/proc_info.h"
#include "supervisor/fleet/worker_launch.h"

namespace fieldwarden::supervisor {
namespace {

using testing::HasSubstr;

class RealProcess : public testing::Test {
  protected:
    void SetUp() override {
        auto pattern = (std::filesystem::temp_directory_path() / "fw_process_XXXXXX").string();
        directory_ = mkdtemp(pattern.data());
        launcher_ = make_posix_launcher(io_);
    }
    void TearDown() override {
        if (process_) process_->kill_group();
        process_.reset();
        std::filesystem::remove_all(directory_);
    }

    std::string crash_file() const { return (directory_ / "task.crash").string(); }
    LaunchSpec shell(const std::string& script) const {
        return {"/bin/sh", {"-c", script}, {{"PATH", getenv("PATH")}, {"SECRET", "k3y"}}, crash_file()};
    }
    void launch(const std::string& script) {
        auto launched = launcher_->launch(shell(script),
                                          [this](const ExitStatus& status, MonoTime) { status_ = status; });
        ASSERT_TRUE(launched) << launched.error().message;
        process_ = std::move(*launched);
    }
    template <class Condition>
    bool run(Condition until) {
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{20};
        while (!until() && std::chrono::steady_clock::now() < deadline) {
            io_.restart();
            io_.run_for(std::chrono::milliseconds{10});
        }
        return until();
    }
    bool wait_for_exit() {
        return run([&] { return status_.has_value(); });
    }
    std::string crash_text() const {
        std::ifstream file{crash_file()};
        std::stringstream text;
        text << file.rdbuf();
        return text.str();
    }

    std::filesystem::path directory_;
    boost::asio::io_context io_;
    std::unique_ptr<ProcessLauncher> launcher_;
    std::unique_ptr<Process> process_;
    std::optional<ExitStatus> status_;
};

TEST_F(RealProcess, ReportsTheExitCode) {
    launch("exit 78");
    ASSERT_TRUE(wait_for_exit());
    EXPECT_EQ(status_->code, 78);
    EXPECT_EQ(describe(*status_), "exit code 78 (bad configuration)");
}

TEST_F(RealProcess, ReportsTheSignal) {
    launch("exec sleep 100");
    process_->send_signal(SIGKILL);
    ASSERT_TRUE(wait_for_exit());
    EXPECT_EQ(status_->signal, SIGKILL);
    EXPECT_EQ(describe(*status_), "killed by signal 9 (Killed)");
}

TEST_F(RealProcess, OutputGoesToTheCrashFileAndInputIsEmpty) {
    launch("cat; echo out; echo err >&2; echo secret is $SECRET");
    ASSERT_TRUE(wait_for_exit());
    EXPECT_EQ(crash_text(), "out\nerr\nsecret is k3y\n");
    struct stat info {};
    ASSERT_EQ(stat(crash_file().c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777U, 0600U);
    EXPECT_EQ(tail_of(crash_file(), 4), "err\nsecret is k3y");
    EXPECT_EQ(tail_of(crash_file(), 21), "");
    // Cut from outside meanwhile: all that is there is newer than the offset.
    EXPECT_EQ(tail_of(crash_file(), 4000), "out\nerr\nsecret is k3y");
    EXPECT_EQ(tail_of("/no/such/file", 0), "");
}

TEST_F(RealProcess, InheritsNoDescriptorAndNoSignalMask) {
    // One without CLOEXEC on purpose, and a blocked signal.
    const int leak = dup(STDOUT_FILENO);
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    sigset_t before;
    pthread_sigmask(SIG_BLOCK, &blocked, &before);
    launch("ls /proc/self/fd | wc -l; grep SigBlk /proc/self/status");
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    close(leak);
    ASSERT_TRUE(wait_for_exit());
    // 0, 1, 2 and the one that ls itself opens.
    EXPECT_THAT(crash_text(), testing::StartsWith("4\n"));
    EXPECT_THAT(crash_text(), HasSubstr("0000000000000000"));
}

TEST_F(RealProcess, StandsInAGroupOfItsOwnThatEndsWithIt) {
    launch("sleep 100 & echo $!; wait");
    ASSERT_TRUE(run([&] { return crash_text().ends_with("\n"); }));
    const auto grandchild = static_cast<pid_t>(std::stoi(crash_text()));
    EXPECT_EQ(getpgid(static_cast<pid_t>(process_->pid())), process_->pid());
    EXPECT_EQ(getpgid(grandchild), process_->pid());
    process_->send_signal(SIGKILL);
    ASSERT_TRUE(wait_for_exit());
    EXPECT_TRUE(run([&] {
        const auto stat = read_proc_stat(grandchild);
        return !stat || stat->state == 'Z';
    })) << "a grandchild survived";
}

TEST_F(RealProcess, AMissingProgramIsAnError) {
    auto spec = shell("");
    spec.program = "/no/such/program";
    const auto launched = launcher_->launch(spec, [](const ExitStatus&, MonoTime) {});
    ASSERT_FALSE(launched);
    EXPECT_THAT(launched.error().message, HasSubstr("/no/such/program"));
}

TEST_F(RealProcess, AHugeCrashFileIsBegunAnew) {
    std::ofstream{crash_file()} << std::string(5 << 20, 'x');
    launch("echo new");
    ASSERT_TRUE(wait_for_exit());
    EXPECT_EQ(crash_text(), "new\n");
}

TEST_F(RealProcess, KnowsItsStart) {
    launch("exec sleep 100");
    EXPECT_EQ(start_ticks_of(static_cast<pid_t>(process_->pid())), process_->start_ticks());
    const auto age = std::chrono::steady_clock::now() - process_->started_at();
    EXPECT_LT(age, std::chrono::seconds{10});
    EXPECT_GT(age, std::chrono::milliseconds{-50});
}

TEST_F(RealProcess, AdoptionNeedsTheStartTicks) {
    launch("exec sleep 100");
    const auto handler = [](const ExitStatus&, MonoTime) {};
    EXPECT_FALSE(launcher_->adopt(process_->pid(), process_->start_ticks() + 1, handler));
    EXPECT_FALSE(launcher_->adopt(1, 0, handler));
    EXPECT_FALSE(launcher_->adopt(-5, 0, handler));
    EXPECT_FALSE(launcher_->adopt(INT64_MAX, 0, handler));
    EXPECT_TRUE(launcher_->adopt(process_->pid(), process_->start_ticks(), handler));
}

TEST_F(RealProcess, TheEndOfAnAdoptedStrangerIsNoticed) {
    // A process that is not our child: its parent ends, and a session of its own keeps it out of the group.
    const auto pid_file = (directory_ / "pid").string();
    launch("setsid sh -c 'echo $$ > " + pid_file + "; exec sleep 100' & while [ ! -s " + pid_file +
           " ]; do sleep 0.01; done");
    ASSERT_TRUE(wait_for_exit());
    pid_t orphan = 0;
    std::ifstream{pid_file} >> orphan;
    ASSERT_GT(orphan, 1);
    const auto ticks = start_ticks_of(orphan);
    ASSERT_TRUE(ticks);
    std::optional<ExitStatus> end;
    auto adopted =
        launcher_->adopt(orphan, *ticks, [&](const ExitStatus& status, MonoTime) { end = status; });
    ASSERT_TRUE(adopted);
    (*adopted)->kill_group();
    ASSERT_TRUE(run([&] { return end.has_value(); }));
    EXPECT_FALSE(end->code.has_value()) << "of a process that is not ours nothing is known";
}

TEST_F(RealProcess, ADestroyedProcessCallsNobody) {
    launch("exit 0");
    process_.reset();
    EXPECT_FALSE(run([&] {
                     static const auto until =
                         std::chrono::steady_clock::now() + std::chrono::milliseconds{200};
                     return status_.has_value() || std::chrono::steady_clock::now() > until;
                 }) &&
                 status_.has_value());
}

TEST(InstanceLock, ASecondHolderIsRefusedAndToldWhoHoldsIt) {
    auto pattern = (std::filesystem::temp_directory_path() / "fw_lock_XXXXXX").string();
    const std::filesystem::path directory = mkdtemp(pattern.data());
    const auto path = (directory / "run" / "supervisor.lock").string();
    {
        const auto first = InstanceLock::take(path);
        ASSERT_TRUE(first);
        const auto second = InstanceLock::take(path);
        ASSERT_FALSE(second);
        EXPECT_EQ(second.error().kind, ErrorKind::kConflict);
        EXPECT_THAT(second.error().message, HasSubstr(std::to_string(getpid())));
    }
    EXPECT_TRUE(InstanceLock::take(path)) << "released with its holder";
    std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace fieldwarden::supervisor
