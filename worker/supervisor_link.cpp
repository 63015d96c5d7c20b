#include "worker/supervisor_link.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <fstream>
#include <sstream>

#include "common/backoff.h"
#include "proto/frame_stream.h"

namespace fieldwarden::worker {

using std::chrono::milliseconds;

namespace {

constexpr BackoffPolicy kHelloBackoff{milliseconds{1'000}, milliseconds{10'000}, 0.25};
constexpr BackoffPolicy kConnectBackoff{milliseconds{50}, milliseconds{2'000}, 0.25};
constexpr milliseconds kLinger{500};
// Silence of this many heartbeats means that the supervisor behind the connection is not ours any more.
constexpr int kBeatsOfSilence = 2 * static_cast<int>(proto::kBeatsPerAck);
constexpr std::size_t kReadSize = 16U << 10;

}  // namespace

std::uint64_t own_start_ticks() {
    std::ifstream file{"/proc/self/stat"};
    std::string line;
    std::getline(file, line);
    // Field 2 is the program's name in parentheses and may hold spaces.
    const auto name_end = line.rfind(')');
    if (name_end == std::string::npos) return 0;
    std::istringstream fields{line.substr(name_end + 1)};
    std::string field;
    for (int number = 3; number <= 22; ++number) fields >> field;
    return std::strtoull(field.c_str(), nullptr, 10);
}

struct SupervisorLink::Impl {
    Impl(const Clock& machine_clock, const sockaddr_un& supervisor)
        : clock(machine_clock), address(supervisor) {}
    ~Impl() {
        const auto deadline = clock.mono_now() + kLinger;
        while (fd >= 0 && !unsent.empty() && clock.mono_now() < deadline) {
            pollfd room{fd, POLLOUT, 0};
            ::poll(&room, 1, static_cast<int>(kLinger.count()));
            if (!write_some()) break;
        }
        disconnect();
    }
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;

    const Clock& clock;
    const sockaddr_un address;
    proto::Hello hello;
    int fd = -1;  // connected
    bool welcome = false;
    unsigned attempts = 0;  // to connect, since the last connection
    unsigned hellos = 0;    // since the last connection or Welcome
    MonoTime next_attempt{};
    MonoTime next_hello{};
    MonoTime heard{};
    milliseconds heartbeat_interval{1'000};
    std::uint64_t malformed = 0;

    proto::FrameReader reader{proto::kMaxPayload};
    std::array<std::byte, kReadSize> buffer;
    ByteSpan unread;  // of `buffer`
    Bytes unsent;
    std::size_t sent = 0;  // of `unsent`

    void disconnect() {
        if (fd >= 0) ::close(fd);
        fd = -1;
        welcome = false;
        hellos = 0;
        reader = proto::FrameReader{proto::kMaxPayload};
        unread = {};
        unsent.clear();
        sent = 0;
        next_attempt = clock.mono_now();
    }

    void connect() {
        next_attempt = clock.mono_now() + backoff_delay(kConnectBackoff, ++attempts, 0.5);
        const int made = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (made < 0) return;
        // A Unix socket connects at once or not at all.
        if (::connect(made, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
            ::close(made);
            return;
        }
        fd = made;
        attempts = 0;
        next_hello = clock.mono_now();
    }

    bool send(const proto::Message& message) {
        if (fd < 0 || unsent.size() - sent > kMostQueued || !proto::append_frame(message, unsent))
            return false;
        write_some();
        return fd >= 0;
    }

    // False: the connection is gone, and closed.
    bool write_some() {
        while (sent < unsent.size()) {
            const auto put = ::send(fd, unsent.data() + sent, unsent.size() - sent, MSG_NOSIGNAL);
            if (put >= 0) {
                sent += static_cast<std::size_t>(put);
                continue;
            }
            if (errno == EINTR) continue;
            if (errno == EAGAIN) return true;
            disconnect();
            return false;
        }
        unsent.clear();
        sent = 0;
        return true;
    }

    // False: there is nothing, now or any more.
    bool read_some() {
        for (;;) {
            if (fd < 0) return false;
            const auto got = ::recv(fd, buffer.data(), buffer.size(), 0);
            if (got > 0) {
                unread = ByteSpan{buffer.data(), static_cast<std::size_t>(got)};
                return true;
            }
            if (got < 0 && errno == EINTR) continue;
            if (got < 0 && errno == EAGAIN) return false;
            disconnect();
            return false;
        }
    }

    // Does what is due for the link itself; the instant at which something will be.
    MonoTime keep_up() {
        const auto now = clock.mono_now();
        if (fd < 0 && now >= next_attempt) connect();
        if (fd < 0) return next_attempt;
        if (welcome && now - heard > heartbeat_interval * kBeatsOfSilence) {
            welcome = false;
            hellos = 0;
            next_hello = now;
        }
        if (welcome) return MonoTime::max();
        if (now >= next_hello) {
            send(hello);
            next_hello = now + backoff_delay(kHelloBackoff, ++hellos, 0.5);
        }
        return next_hello;
    }
};

SupervisorLink::SupervisorLink(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

SupervisorLink::~SupervisorLink() = default;

Result<std::unique_ptr<SupervisorLink>> SupervisorLink::open(const LaunchEnvironment& environment,
                                                             const Clock& clock) {
    const auto address = proto::unix_address(environment.control);
    if (!address) return address.error();
    auto impl = std::make_unique<Impl>(clock, *address);
    impl->hello.launch_key = environment.launch_key;
    impl->hello.task_code = environment.task_code;
    impl->hello.session_id = environment.session_id;
    impl->hello.pid = ::getpid();
    impl->hello.start_ticks = own_start_ticks();
    impl->hello.version = FIELDWARDEN_VERSION;
    impl->heard = clock.mono_now();
    return std::unique_ptr<SupervisorLink>{new SupervisorLink{std::move(impl)}};
}

std::uint32_t SupervisorLink::wait(std::span<const int> descriptors, milliseconds timeout) {
    const auto due = impl_->keep_up();
    const auto now = impl_->clock.mono_now();
    if (due < now + timeout) timeout = std::max(milliseconds{0}, std::chrono::ceil<milliseconds>(due - now));
    constexpr std::size_t kMost = 8;
    std::array<pollfd, kMost> waits{};
    const auto count = std::min(descriptors.size(), kMost - 1);
    const bool writes = !impl_->unsent.empty();
    waits[0] = {impl_->fd, static_cast<short>(writes ? POLLIN | POLLOUT : POLLIN), 0};
    for (std::size_t i = 0; i < count; ++i) waits[i + 1] = {descriptors[i], POLLIN, 0};
    if (::poll(waits.data(), count + 1, static_cast<int>(timeout.count())) <= 0) return 0;
    if ((waits[0].revents & POLLOUT) != 0) impl_->write_some();
    std::uint32_t ready = 0;
    for (std::size_t i = 0; i < count; ++i) {
        if ((waits[i + 1].revents & POLLIN) != 0) ready |= 1U << i;
    }
    return ready;
}

std::optional<proto::Message> SupervisorLink::receive() {
    for (;;) {
        const auto frame = impl_->reader.next(impl_->unread);
        if (!frame) {
            ++impl_->malformed;
            impl_->disconnect();
            return std::nullopt;
        }
        if (!frame->whole) {
            if (!impl_->read_some()) return std::nullopt;
            continue;
        }
        auto message = proto::decode(frame->header, frame->payload);
        if (message) {
            impl_->heard = impl_->clock.mono_now();
            return std::move(*message);
        }
        ++impl_->malformed;
    }
}

bool SupervisorLink::send(const proto::Message& message) {
    return impl_->welcome && impl_->send(message);
}

void SupervisorLink::describe(const std::string& task_code, std::int64_t session_id,
                              std::uint64_t config_revision) {
    impl_->hello.task_code = task_code;
    impl_->hello.session_id = session_id;
    impl_->hello.config_revision = config_revision;
}

void SupervisorLink::welcomed(milliseconds heartbeat_interval) {
    impl_->welcome = true;
    impl_->heartbeat_interval = heartbeat_interval;
    impl_->hellos = 0;
}

bool SupervisorLink::is_welcome() const {
    return impl_->welcome;
}

milliseconds SupervisorLink::silence() const {
    return std::chrono::duration_cast<milliseconds>(impl_->clock.mono_now() - impl_->heard);
}

std::uint64_t SupervisorLink::malformed() const {
    return impl_->malformed;
}

}  // namespace fieldwarden::worker
