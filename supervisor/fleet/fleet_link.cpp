#include "supervisor/fleet/fleet_link.h"

#include <fmt/format.h>
#include <sys/random.h>

#include <array>
#include <filesystem>
#include <unordered_map>
#include <zmq.hpp>

#include "supervisor/status/zmq_loop.h"

namespace fieldwarden::supervisor {

namespace asio = boost::asio;

namespace {

// Messages that may wait for one worker. A worker reads its link in its own main loop; more than this means
// that it hangs, and the supervisor has other means for that.
constexpr int kQueuePerWorker = 1000;
constexpr std::string_view kUnknownKey =
    "this launch key is unknown to the supervisor: the worker is not part of its fleet and has to leave";

// The messages that travel from worker to supervisor; the order is that of proto::Message.
bool is_from_worker(const proto::Message& message) {
    static const auto last = proto::Message{proto::Finished{}}.index();
    return message.index() <= last;
}

}  // namespace

struct FleetLink::Impl {
    struct Worker {
        std::string key;
        std::string identity;  // empty: not connected
    };

    Impl(asio::io_context& loop, zmq::socket_t socket_, std::string endpoint_, Handlers handlers_)
        : socket(loop, std::move(socket_)), endpoint(std::move(endpoint_)), handlers(std::move(handlers_)) {}

    ZmqLoopSocket socket;
    std::string endpoint;
    Handlers handlers;
    std::unordered_map<std::string, WorkerId> by_key;
    std::unordered_map<std::string, WorkerId> by_identity;
    std::unordered_map<WorkerId, Worker> workers;
    LinkCounters counters;

    void on_frames(ZmqFrames& frames) {
        ++counters.received;
        if (frames.size() != 3) {
            ++counters.malformed;
            return;
        }
        const std::string identity{as_text(bytes_of(frames[0]))};
        const auto known = by_identity.find(identity);
        if (known == by_identity.end() && frames[2].size() > kStrangerPayload) {
            ++counters.stranger;
            return;
        }
        auto message = proto::decode(bytes_of(frames[1]), bytes_of(frames[2]));
        if (!message || !is_from_worker(*message)) {
            ++counters.malformed;
            return;
        }
        if (const auto* hello = std::get_if<proto::Hello>(&*message)) {
            on_hello(identity, *hello);
        } else if (known == by_identity.end()) {
            ++counters.stranger;
        } else {
            handlers.on_message(known->second, std::move(*message));
        }
    }

    void on_hello(const std::string& identity, const proto::Hello& hello) {
        const auto found = by_key.find(hello.launch_key);
        if (found == by_key.end()) {
            refuse(identity, std::string{kUnknownKey});
            return;
        }
        const auto id = found->second;
        auto& worker = workers.at(id);
        const auto taken = by_identity.find(identity);
        if (taken != by_identity.end() && taken->second != id) {
            refuse(identity, "this connection already speaks for another worker");
            return;
        }
        const auto before = worker.identity;
        bind(worker, id, identity);
        if (auto why = handlers.on_hello(id, hello)) {
            refuse(identity, std::move(*why));
            if (workers.contains(id)) bind(workers.at(id), id, before == identity ? std::string{} : before);
        }
    }

    void bind(Worker& worker, WorkerId id, const std::string& identity) {
        by_identity.erase(worker.identity);
        worker.identity = identity;
        if (!identity.empty()) by_identity.emplace(identity, id);
    }

    void refuse(const std::string& identity, std::string why) {
        ++counters.refused;
        send(identity, proto::Refuse{std::move(why)});
    }

    bool send(const std::string& identity, const proto::Message& message) {
        const auto encoded = proto::encode(message);
        ZmqFrames frames;
        frames.push_back(zmq_message(identity));
        frames.push_back(zmq_message(ByteSpan{encoded.header}));
        frames.push_back(zmq_message(ByteSpan{encoded.payload}));
        if (socket.send(frames)) return true;
        ++counters.send_failed;
        return false;
    }
};

Result<std::unique_ptr<FleetLink>> FleetLink::open(asio::io_context& loop, zmq::context_t& context,
                                                   const std::string& socket_path, Handlers handlers) {
    const auto endpoint = ipc_endpoint(socket_path);
    if (!endpoint) return endpoint.error();
    try {
        const auto directory = std::filesystem::path{socket_path}.parent_path();
        std::filesystem::create_directories(directory);
        std::filesystem::permissions(directory, std::filesystem::perms::owner_all);
        zmq::socket_t socket{context, zmq::socket_type::router};
        socket.set(zmq::sockopt::linger, 200);  // a last Stop or Refuse still leaves
        socket.set(zmq::sockopt::router_mandatory, true);
        socket.set(zmq::sockopt::sndhwm, kQueuePerWorker);
        socket.set(zmq::sockopt::rcvhwm, kQueuePerWorker);
        socket.set(zmq::sockopt::maxmsgsize, static_cast<std::int64_t>(kLargestFromWorker));
        socket.set(zmq::sockopt::backlog, 1024);  // a thousand workers may return at once
        socket.bind(*endpoint);
        auto impl = std::make_unique<Impl>(loop, std::move(socket), *endpoint, std::move(handlers));
        impl->socket.start([raw = impl.get()](ZmqFrames& frames) { raw->on_frames(frames); });
        return std::unique_ptr<FleetLink>{new FleetLink{std::move(impl)}};
    } catch (const std::exception& error) {
        return make_error(ErrorKind::kIo,
                          fmt::format("cannot open the workers' link at {}: {}", *endpoint, error.what()));
    }
}

FleetLink::FleetLink(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
FleetLink::~FleetLink() = default;

void FleetLink::expect(const std::string& launch_key, WorkerId worker) {
    impl_->by_key[launch_key] = worker;
    impl_->workers[worker].key = launch_key;
}

void FleetLink::forget(WorkerId worker) {
    const auto found = impl_->workers.find(worker);
    if (found == impl_->workers.end()) return;
    impl_->by_identity.erase(found->second.identity);
    impl_->by_key.erase(found->second.key);
    impl_->workers.erase(found);
}

bool FleetLink::is_connected(WorkerId worker) const {
    const auto found = impl_->workers.find(worker);
    return found != impl_->workers.end() && !found->second.identity.empty();
}

bool FleetLink::send(WorkerId worker, const proto::Message& message) {
    const auto found = impl_->workers.find(worker);
    if (found == impl_->workers.end() || found->second.identity.empty()) return false;
    // A copy: the entry may go while the message is being sent.
    return impl_->send(std::string{found->second.identity}, message);
}

const std::string& FleetLink::endpoint() const {
    return impl_->endpoint;
}
const LinkCounters& FleetLink::counters() const {
    return impl_->counters;
}

std::string make_launch_key() {
    std::array<unsigned char, 32> bytes{};
    std::size_t filled = 0;
    while (filled < bytes.size()) {
        const auto got = getrandom(bytes.data() + filled, bytes.size() - filled, 0);
        if (got > 0) filled += static_cast<std::size_t>(got);
    }
    std::string text;
    for (const auto byte : bytes) text += fmt::format("{:02x}", byte);
    return text;
}

}  // namespace fieldwarden::supervisor
