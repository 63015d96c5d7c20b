#include "worker/drivers/modbus/serial_line.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <map>

#include "worker/drivers/modbus/rtu_frame.h"

namespace fieldwarden::worker::modbus {

namespace {

using SteadyClock = std::chrono::steady_clock;

// One device's end of a shared line.
class SerialChannel final : public RtuChannel {
  public:
    SerialChannel(std::string path, SerialSettings settings)
        : path_(std::move(path)), settings_(settings), wake_fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
    ~SerialChannel() override {
        disconnect();
        if (wake_fd_ >= 0) close(wake_fd_);
    }
    SerialChannel(const SerialChannel&) = delete;
    SerialChannel& operator=(const SerialChannel&) = delete;

    Status connect() override {
        if (interrupted())
            return make_error(ErrorKind::kUnavailable,
                              fmt::format("modbus {}: connecting was interrupted", path_));
        release();
        auto line = SerialLine::at(path_);
        const auto connection = line->attach(settings_);
        if (!connection) {
            return make_error(connection.error().kind,
                              fmt::format("modbus {}: {}", path_, connection.error().message));
        }
        const std::lock_guard lock{mutex_};
        line_ = std::move(line);
        connection_ = *connection;
        return {};
    }
    void disconnect() override {
        release();
        const std::lock_guard lock{mutex_};
        std::uint64_t count = 0;
        [[maybe_unused]] const auto taken = ::read(wake_fd_, &count, sizeof count);
        interrupted_ = false;
    }
    [[nodiscard]] ConnectStep failed_step() const override { return ConnectStep::kConnect; }
    void interrupt() override {
        const std::lock_guard lock{mutex_};
        interrupted_ = true;
        const std::uint64_t one = 1;
        [[maybe_unused]] const auto written = ::write(wake_fd_, &one, sizeof one);
        interruption_.notify_all();
        if (line_ != nullptr) line_->wake();
    }
    [[nodiscard]] bool interrupted() const override { return interrupted_.load(std::memory_order_acquire); }
    bool pause(std::chrono::milliseconds duration) override {
        std::unique_lock lock{mutex_};
        return interruption_.wait_for(lock, duration, [&] { return interrupted(); });
    }
    [[nodiscard]] const std::string& name() const override { return path_; }
    [[nodiscard]] std::uint64_t activity() const override {
        const std::lock_guard lock{mutex_};
        return line_ == nullptr ? released_activity_ : released_activity_ + line_->activity();
    }

    Status begin_turn() override {
        if (line_ == nullptr) return make_error(ErrorKind::kUnavailable, "not connected");
        if (!line_->take_turn(interrupted_)) return make_error(ErrorKind::kUnavailable, "interrupted");
        return {};
    }
    void end_turn() override { line_->end_turn(); }
    [[nodiscard]] LineState& line() override { return line_->state; }
    Status send(std::span<const std::uint8_t> bytes, MonoTime deadline) override;
    Result<std::size_t> receive(std::span<std::uint8_t> out, MonoTime deadline) override;
    [[nodiscard]] std::chrono::nanoseconds wire_time(std::size_t bytes) const override {
        return modbus::wire_time(bytes, settings_.baud_rate);
    }

  private:
    void release() {
        const std::lock_guard lock{mutex_};
        if (line_ == nullptr) return;
        line_->detach(connection_);
        released_activity_ += line_->activity();
        line_.reset();
    }
    Error lost(const std::string& why);
    Status await(int fd, short events, MonoTime deadline, bool& ready);

    const std::string path_;
    const SerialSettings settings_;
    const int wake_fd_;
    // Guards what interrupt() and activity() use.
    mutable std::mutex mutex_;
    std::condition_variable interruption_;
    std::shared_ptr<SerialLine> line_;  // while connected
    std::uint64_t connection_ = 0;
    std::uint64_t released_activity_ = 0;
    std::atomic<bool> interrupted_ = false;  // changed with the mutex held
};

Error SerialChannel::lost(const std::string& why) {
    line_->lose(connection_);
    return make_error(ErrorKind::kUnavailable,
                      fmt::format("the port is gone ({}); check the adapter and its cable", why));
}

// `ready` is false when the deadline passed before.
Status SerialChannel::await(int fd, short events, MonoTime deadline, bool& ready) {
    for (;;) {
        std::array<pollfd, 2> waits{pollfd{fd, events, 0}, pollfd{wake_fd_, POLLIN, 0}};
        const auto left = std::clamp<std::chrono::nanoseconds>(
            deadline - SteadyClock::now(), std::chrono::nanoseconds{0}, std::chrono::hours{1});
        const auto seconds = std::chrono::floor<std::chrono::seconds>(left);
        const timespec wait{.tv_sec = seconds.count(), .tv_nsec = (left - seconds).count()};
        const int count = ppoll(waits.data(), waits.size(), &wait, nullptr);
        if (count < 0 && errno == EINTR) continue;
        if (interrupted()) return make_error(ErrorKind::kUnavailable, "interrupted");
        if (count < 0) return lost(errno_text(errno));
        ready = waits[0].revents != 0;
        return {};
    }
}

Status SerialChannel::send(std::span<const std::uint8_t> bytes, MonoTime deadline) {
    while (!bytes.empty()) {
        if (interrupted()) return make_error(ErrorKind::kUnavailable, "interrupted");
        const int fd = line_->fd(connection_);
        if (fd < 0) return make_error(ErrorKind::kUnavailable, "the port was lost");
        const auto sent = ::write(fd, bytes.data(), bytes.size());
        if (sent > 0) {
            line_->moved();
            bytes = bytes.subspan(static_cast<std::size_t>(sent));
            continue;
        }
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0 && errno != EAGAIN) return lost(errno_text(errno));
        bool ready = false;
        if (auto waited = await(fd, POLLOUT, deadline, ready); !waited) return waited;
        if (!ready) return make_error(ErrorKind::kUnavailable, "the port takes no more bytes");
    }
    return {};
}

Result<std::size_t> SerialChannel::receive(std::span<std::uint8_t> out, MonoTime deadline) {
    for (;;) {
        if (interrupted()) return make_error(ErrorKind::kUnavailable, "interrupted");
        const int fd = line_->fd(connection_);
        if (fd < 0) return make_error(ErrorKind::kUnavailable, "the port was lost");
        const auto got = ::read(fd, out.data(), out.size());
        if (got > 0) {
            line_->moved();
            return static_cast<std::size_t>(got);
        }
        // A terminal whose other end is gone reads as ended.
        if (got == 0) return lost("hung up");
        if (errno == EINTR) continue;
        if (errno != EAGAIN) return lost(errno_text(errno));
        bool ready = false;
        if (const auto waited = await(fd, POLLIN, deadline, ready); !waited) return waited.error();
        if (!ready) return std::size_t{0};
    }
}

}  // namespace

std::unique_ptr<RtuChannel> make_serial_channel(std::string path, SerialSettings settings) {
    return std::make_unique<SerialChannel>(std::move(path), settings);
}

std::shared_ptr<SerialLine> SerialLine::at(const std::string& path) {
    static std::mutex mutex;
    static std::map<std::string, std::shared_ptr<SerialLine>> lines;
    std::error_code missing;
    auto real = std::filesystem::canonical(path, missing).string();
    if (missing) real = path;
    const std::lock_guard lock{mutex};
    auto& line = lines[real];
    if (line == nullptr) line = std::make_shared<SerialLine>(real);
    return line;
}

SerialLine::~SerialLine() {
    if (fd_ >= 0) close_serial_port(fd_);
}

Result<std::uint64_t> SerialLine::attach(const SerialSettings& settings) {
    const std::lock_guard lock{mutex_};
    if (fd_ < 0) {
        const auto opened = open_serial_port(path_, settings);
        if (!opened) return opened.error();
        fd_ = *opened;
        settings_ = settings;
        users_ = 0;
        ++connection_;
    } else if (settings != settings_) {
        return make_error(
            ErrorKind::kConflict,
            fmt::format("another device of this task has the line at {}, this one wants {}; all devices of "
                        "one line have the same settings",
                        to_text(settings_), to_text(settings)));
    }
    ++users_;
    return connection_;
}

void SerialLine::detach(std::uint64_t connection) {
    const std::lock_guard lock{mutex_};
    if (connection != connection_ || fd_ < 0 || --users_ != 0) return;
    close_serial_port(fd_);
    fd_ = -1;
}

void SerialLine::lose(std::uint64_t connection) {
    const std::lock_guard lock{mutex_};
    if (connection != connection_ || fd_ < 0) return;
    close_serial_port(fd_);
    fd_ = -1;
}

int SerialLine::fd(std::uint64_t connection) const {
    const std::lock_guard lock{mutex_};
    return connection == connection_ ? fd_ : -1;
}

bool SerialLine::take_turn(const std::atomic<bool>& interrupted) {
    std::unique_lock lock{mutex_};
    const auto ticket = next_ticket_++;
    waiting_.push_back(ticket);
    changed_.wait(lock, [&] { return interrupted || (!taken_ && waiting_.front() == ticket); });
    if (interrupted) {
        std::erase(waiting_, ticket);
        changed_.notify_all();
        return false;
    }
    waiting_.pop_front();
    taken_ = true;
    return true;
}

void SerialLine::end_turn() {
    const std::lock_guard lock{mutex_};
    taken_ = false;
    changed_.notify_all();
}

void SerialLine::wake() {
    const std::lock_guard lock{mutex_};
    changed_.notify_all();
}

}  // namespace fieldwarden::worker::modbus
