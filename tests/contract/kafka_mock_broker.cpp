// A Kafka broker for tests: librdkafka's mock cluster in a process of its own, behind a relay that adds what
// the mock leaves out and faults on command.
//
//   kafka_mock_broker PORT CONTROL_PORT TOPIC
//
// The mock answers TxnOffsetCommit but stores nothing. The relay remembers those offsets and commits them to
// the mock when the transaction's EndTxn says so. Transactions have no isolation here: what was produced in
// one that is aborted stays readable.
//
// Control: one connection per command, a line, answered by one, which is "ok" unless there is more to say.
//   down, up               refuse and cut every connection, or take them again
//   errors API CODE…       the next requests of this kind fail so
//   cut API                the next request of this kind is done, but the connection ends before its answer
//   swallow API            it is done, but its answer never comes
//   await                  answered when what was to be cut or swallowed has been
//   commits                answered by the offsets that committed transactions carried, in their order
//
// Frames: Kafka protocol guide, "Protocol Primitive Types", "Messages": a length, then api key, version,
// correlation id and client id; the versions seen here are those before the compact encodings (KIP-482).
#include <arpa/inet.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

constexpr std::int16_t kEndTxn = 26;
constexpr std::int16_t kTxnOffsetCommit = 28;

sockaddr_in loopback(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

int listen_on(int port) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    const auto address = loopback(port);
    if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 || listen(fd, 64) != 0) {
        std::perror("listen");
        std::exit(1);
    }
    return fd;
}

bool read_all(int fd, char* data, std::size_t size) {
    while (size > 0) {
        const auto got = read(fd, data, size);
        if (got <= 0) return false;
        data += got;
        size -= static_cast<std::size_t>(got);
    }
    return true;
}

bool write_all(int fd, const std::string& data) {
    std::size_t done = 0;
    while (done < data.size()) {
        const auto put = send(fd, data.data() + done, data.size() - done, MSG_NOSIGNAL);
        if (put <= 0) return false;
        done += static_cast<std::size_t>(put);
    }
    return true;
}

// A frame with its length in front; empty: the connection is over.
std::string read_frame(int fd) {
    std::string frame(4, '\0');
    if (!read_all(fd, frame.data(), 4)) return {};
    std::uint32_t size = 0;
    std::copy_n(frame.data(), 4, reinterpret_cast<char*>(&size));
    size = ntohl(size);
    if (size > 64U << 20) return {};
    frame.resize(4 + size);
    if (!read_all(fd, frame.data() + 4, size)) return {};
    return frame;
}

class Fields {
  public:
    explicit Fields(const std::string& frame) : frame_(frame) {}
    std::int64_t number(std::size_t bytes) {
        std::uint64_t value = 0;
        for (std::size_t i = 0; i < bytes && at_ < frame_.size(); ++i)
            value = value << 8 | static_cast<unsigned char>(frame_[at_++]);
        const auto shift = 64 - 8 * bytes;
        return static_cast<std::int64_t>(value << shift) >> shift;
    }
    std::string text() {
        const auto size = number(2);
        if (size < 0 || at_ + static_cast<std::size_t>(size) > frame_.size()) return {};
        at_ += static_cast<std::size_t>(size);
        return frame_.substr(at_ - static_cast<std::size_t>(size), static_cast<std::size_t>(size));
    }

  private:
    const std::string& frame_;
    std::size_t at_ = 4;
};

class Broker {
  public:
    Broker(int port, const char* topic) : port_(port) {
        std::array<char, 512> why{};
        auto* conf = rd_kafka_conf_new();
        rd_kafka_conf_set_log_cb(conf, [](const rd_kafka_t*, int, const char*, const char*) {});
        owner_ = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why.data(), why.size());
        cluster_ = rd_kafka_mock_cluster_new(owner_, 1);
        bootstrap_ = rd_kafka_mock_cluster_bootstraps(cluster_);
        mock_port_ = std::stoi(bootstrap_.substr(bootstrap_.rfind(':') + 1));
        rd_kafka_mock_topic_create(cluster_, topic, 3, 1);
    }

    void up() {
        const std::lock_guard lock{mutex_};
        if (listener_ >= 0) return;
        listener_ = listen_on(port_);
        std::thread{[this, fd = listener_] { accept_all(fd); }}.detach();
    }

    std::string command(const std::string& line) {
        std::stringstream words{line};
        std::string verb;
        int api = 0;
        words >> verb >> api;
        if (verb == "up") {
            up();
            return "ok";
        }
        std::unique_lock lock{mutex_};
        if (verb == "down") {
            shutdown(listener_, SHUT_RDWR);
            close(listener_);
            listener_ = -1;
            for (const int fd : connections_) shutdown(fd, SHUT_RDWR);
        } else if (verb == "errors") {
            std::vector<rd_kafka_resp_err_t> errors;
            for (int code = 0; words >> code;) errors.push_back(static_cast<rd_kafka_resp_err_t>(code));
            rd_kafka_mock_push_request_errors_array(cluster_, static_cast<std::int16_t>(api), errors.size(),
                                                    errors.data());
        } else if (verb == "cut") {
            cut_ = static_cast<std::int16_t>(api);
        } else if (verb == "swallow") {
            swallow_ = static_cast<std::int16_t>(api);
        } else if (verb == "await") {
            done_.wait(lock, [this] { return !cut_ && !swallow_ && fateful_ == 0; });
        } else if (verb == "commits") {
            return commits_;
        }
        return "ok";
    }

  private:
    struct Offset {
        std::string group;
        std::string topic;
        std::int32_t partition;
        std::int64_t offset;
    };

    void accept_all(int listener) {
        for (;;) {
            const int client = accept(listener, nullptr, nullptr);
            if (client < 0) return;
            std::thread{[this, client] { serve(client); }}.detach();
        }
    }

    // Requests of one connection are answered in order, so that one thread does both directions.
    void serve(int client) {
        const int on = 1;
        setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        const int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        const auto address = loopback(mock_port_);
        if (connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
            {
                const std::lock_guard lock{mutex_};
                connections_.insert(client);
            }
            relay(client, server);
        }
        const std::lock_guard lock{mutex_};
        connections_.erase(client);
        close(client);
        close(server);
    }

    void relay(int client, int server) {
        enum class Fate { kAnswer, kCut, kSwallow };
        std::vector<Fate> fates;  // of the answers to come, in order
        for (;;) {
            std::array<pollfd, 2> fds{pollfd{client, POLLIN, 0}, pollfd{server, POLLIN, 0}};
            if (poll(fds.data(), fds.size(), -1) < 0) return;
            if (fds[0].revents != 0) {
                const auto frame = read_frame(client);
                if (frame.empty()) return;
                const auto api = note(frame);
                auto fate = Fate::kAnswer;
                {
                    const std::lock_guard lock{mutex_};
                    if (cut_ == api) {
                        fate = Fate::kCut;
                        cut_.reset();
                    } else if (swallow_ == api) {
                        fate = Fate::kSwallow;
                        swallow_.reset();
                    }
                    if (fate != Fate::kAnswer) ++fateful_;
                }
                // A produce request that wants no acknowledgement has no answer; nobody here sends one.
                fates.push_back(fate);
                if (!write_all(server, frame)) return;
            }
            if (fds[1].revents != 0) {
                auto frame = read_frame(server);
                if (frame.empty() || fates.empty()) return;
                const auto fate = fates.front();
                fates.erase(fates.begin());
                if (fate != Fate::kAnswer) {
                    const std::lock_guard lock{mutex_};
                    --fateful_;
                    done_.notify_all();
                }
                if (fate == Fate::kCut) return;
                if (fate == Fate::kSwallow) continue;
                redirect(frame);
                if (!write_all(client, frame)) return;
            }
        }
    }

    // The mock names its own address; clients shall come back here.
    void redirect(std::string& frame) const {
        const auto place = [](int port) {
            std::string text = "127.0.0.1";
            for (const int shift : {24, 16, 8, 0}) text += static_cast<char>(port >> shift & 0xFF);
            return text;
        };
        const auto theirs = place(mock_port_);
        for (auto at = frame.find(theirs); at != std::string::npos; at = frame.find(theirs, at + 1))
            frame.replace(at, theirs.size(), place(port_));
    }

    std::int16_t note(const std::string& frame) {
        Fields fields{frame};
        const auto api = static_cast<std::int16_t>(fields.number(2));
        const auto version = fields.number(2);
        fields.number(4);
        fields.text();
        if (api == kTxnOffsetCommit) {
            const auto transaction = fields.text();
            const auto group = fields.text();
            fields.number(8);
            fields.number(2);
            std::vector<Offset> offsets;
            for (auto topics = fields.number(4); topics > 0; --topics) {
                const auto topic = fields.text();
                for (auto partitions = fields.number(4); partitions > 0; --partitions) {
                    const auto partition = static_cast<std::int32_t>(fields.number(4));
                    offsets.push_back({group, topic, partition, fields.number(8)});
                    if (version >= 2) fields.number(4);
                    fields.text();
                }
            }
            const std::lock_guard lock{mutex_};
            pending_[transaction] = std::move(offsets);
        } else if (api == kEndTxn) {
            const auto transaction = fields.text();
            fields.number(8);
            fields.number(2);
            end(transaction, fields.number(1) != 0);
        }
        return api;
    }

    void end(const std::string& transaction, bool committed) {
        const std::lock_guard lock{mutex_};
        const auto offsets = std::exchange(pending_[transaction], {});
        if (!committed) return;
        for (const auto& each : offsets) {
            commits_ += std::to_string(each.offset) + ' ';
            auto* list = rd_kafka_topic_partition_list_new(1);
            rd_kafka_topic_partition_list_add(list, each.topic.c_str(), each.partition)->offset = each.offset;
            const auto error = rd_kafka_commit(consumer(each.group), list, 0);
            if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
                std::printf("commit of %s: %s\n", each.group.c_str(), rd_kafka_err2str(error));
                std::fflush(stdout);
            }
            rd_kafka_topic_partition_list_destroy(list);
        }
    }

    rd_kafka_t* consumer(const std::string& group) {
        auto& client = consumers_[group];
        if (client != nullptr) return client;
        std::array<char, 512> why{};
        auto* conf = rd_kafka_conf_new();
        rd_kafka_conf_set(conf, "bootstrap.servers", bootstrap_.c_str(), why.data(), why.size());
        rd_kafka_conf_set(conf, "group.id", group.c_str(), why.data(), why.size());
        client = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why.data(), why.size());
        return client;
    }

    int port_;
    rd_kafka_t* owner_ = nullptr;
    rd_kafka_mock_cluster_t* cluster_ = nullptr;
    std::string bootstrap_;
    int mock_port_ = 0;

    std::mutex mutex_;
    int listener_ = -1;
    std::set<int> connections_;
    std::map<std::string, std::vector<Offset>> pending_;  // by transactional id
    std::map<std::string, rd_kafka_t*> consumers_;        // by group
    std::string commits_;
    std::optional<std::int16_t> cut_;
    std::optional<std::int16_t> swallow_;
    int fateful_ = 0;  // requests on their way whose answer shall not arrive
    std::condition_variable done_;
};

}  // namespace

int main(int count, char** arguments) {
    if (count != 4) return 2;
    const int control = listen_on(std::atoi(arguments[2]));
    Broker broker{std::atoi(arguments[1]), arguments[3]};
    broker.up();
    for (;;) {
        const int client = accept(control, nullptr, nullptr);
        if (client < 0) return 1;
        std::string line;
        for (char c = 0; read(client, &c, 1) == 1 && c != '\n';) line += c;
        write_all(client, broker.command(line) + '\n');
        close(client);
    }
}
