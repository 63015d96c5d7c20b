// watch: the ZeroMQ status channel (CONTRACT 4) as JSON lines.
#include <fmt/format.h>
#include <zmq.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>

#include "supervisor/cli/cli.h"
#include "supervisor/cli/json_text.h"
#include "supervisor/cli/verbs.h"

namespace fieldwarden::supervisor::cli {

namespace {

struct ContextEnd {
    void operator()(void* context) const { zmq_ctx_term(context); }
};
struct SocketClose {
    void operator()(void* socket) const { zmq_close(socket); }
};
using ZmqContext = std::unique_ptr<void, ContextEnd>;
using ZmqSocket = std::unique_ptr<void, SocketClose>;

constexpr int kLargestMessage = 64 << 20;

Error zmq_failed(const std::string& what) {
    return make_error(ErrorKind::kIo, fmt::format("{}: {}", what, zmq_strerror(zmq_errno())));
}

// Reads one message of up to two frames; false when the call was interrupted.
Result<bool> receive(void* socket, std::string& first, std::string& second) {
    first.clear();
    second.clear();
    bool more = true;
    for (int frame = 0; more; ++frame) {
        zmq_msg_t message;
        zmq_msg_init(&message);
        if (zmq_msg_recv(&message, socket, 0) < 0) {
            const auto failed = zmq_failed("reading the status channel");
            const bool interrupted = zmq_errno() == EINTR;
            zmq_msg_close(&message);
            if (interrupted) return false;
            return failed;
        }
        if (frame < 2) {
            (frame == 0 ? first : second)
                .assign(static_cast<const char*>(zmq_msg_data(&message)), zmq_msg_size(&message));
        }
        more = zmq_msg_more(&message) != 0;
        zmq_msg_close(&message);
    }
    return true;
}

// ZeroMQ connects in the background and never says that nobody is there; its monitor does.
bool connects_within(void* monitor, std::chrono::milliseconds patience) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (true) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
            deadline - std::chrono::steady_clock::now());
        zmq_pollitem_t item{monitor, 0, ZMQ_POLLIN, 0};
        if (left.count() <= 0 || zmq_poll(&item, 1, static_cast<long>(left.count())) <= 0) return false;
        std::string event;
        std::string address;
        const auto got = receive(monitor, event, address);
        if (!got || !*got || event.size() < sizeof(std::uint16_t)) return false;
        std::uint16_t number = 0;
        std::memcpy(&number, event.data(), sizeof number);
        if (number == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) return true;
    }
}

void print_message(const std::string& topic, const std::string& text) {
    auto envelope = Json::parse(text, nullptr, false);
    if (!envelope.is_object()) envelope = Json{{"text", text}};
    envelope["topic"] = topic;
    fmt::print("{}\n", dumped(envelope));
    std::fflush(stdout);
}

}  // namespace

int watch(const Common& common, const WatchArguments& arguments) {
    constexpr std::chrono::seconds kPatience{3};
    const auto endpoint = arguments.endpoint.empty()
                              ? fmt::format("ipc://{}/run/status.sock", data_dir_of(common))
                              : arguments.endpoint;
    const ZmqContext context{zmq_ctx_new()};
    const ZmqSocket subscriber{zmq_socket(context.get(), ZMQ_SUB)};
    if (!subscriber) return fail(zmq_failed("opening a socket"));
    const int linger = 0;
    const std::int64_t largest = kLargestMessage;
    zmq_setsockopt(subscriber.get(), ZMQ_LINGER, &linger, sizeof linger);
    zmq_setsockopt(subscriber.get(), ZMQ_MAXMSGSIZE, &largest, sizeof largest);
    constexpr const char* kMonitor = "inproc://monitor";
    if (zmq_socket_monitor(subscriber.get(), kMonitor, ZMQ_EVENT_HANDSHAKE_SUCCEEDED) != 0) {
        return fail(zmq_failed("watching the connection"));
    }
    const ZmqSocket monitor{zmq_socket(context.get(), ZMQ_PAIR)};
    zmq_setsockopt(monitor.get(), ZMQ_LINGER, &linger, sizeof linger);
    if (zmq_connect(monitor.get(), kMonitor) != 0) return fail(zmq_failed("watching the connection"));

    const auto subscribe = [&](const std::string& topic) {
        zmq_setsockopt(subscriber.get(), ZMQ_SUBSCRIBE, topic.data(), topic.size());
    };
    for (const auto& topic : arguments.topics) subscribe(topic);
    if (arguments.topics.empty()) subscribe("");
    if (zmq_connect(subscriber.get(), endpoint.c_str()) != 0) {
        return fail(make_error(ErrorKind::kInvalidArgument,
                               fmt::format("'{}' is no endpoint: {}; write ipc:///path/run/status.sock or "
                                           "tcp://host:8701",
                                           endpoint, zmq_strerror(zmq_errno()))));
    }
    if (!connects_within(monitor.get(), kPatience)) {
        return fail(make_error(
            ErrorKind::kUnavailable,
            fmt::format("nobody answers at {}. Is the supervisor running (fieldwarden serve), and is "
                        "this its data directory? Another one: --data-dir, or --endpoint",
                        endpoint)));
    }
    std::string topic;
    std::string text;
    for (std::uint64_t printed = 0; arguments.count == 0 || printed < arguments.count;) {
        const auto got = receive(subscriber.get(), topic, text);
        if (!got) return fail(got.error());
        if (!*got) continue;
        print_message(topic, text);
        ++printed;
    }
    return kExitDone;
}

}  // namespace fieldwarden::supervisor::cli
