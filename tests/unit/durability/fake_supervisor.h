// A scripted supervisor: a listening socket that launches real fieldwarden-worker processes and talks to
// them. Everything it waits for has a deadline; what it started is gone when it is destroyed.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tests/unit/proto/wire_socket.h"

namespace fieldwarden::worker {

class FakeSupervisor {
  public:
    // Listens under `data_dir`.
    explicit FakeSupervisor(std::string data_dir);
    ~FakeSupervisor();

    struct Worker {
        pid_t pid = -1;
        proto::WireSocket socket;  // since its Hello
        std::vector<proto::Message> heard;
        int exit_status = -1;  // of waitpid, once it is gone
        bool exited = false;
    };
    // Returns the launch key, which names the worker from then on.
    std::string launch(const std::string& task_code,
                       const std::map<std::string, std::string>& environment = {});
    Worker& worker(const std::string& key) { return workers_.at(key); }

    // Reads what the workers say until `done` or the deadline. BeatAcks are sent by themselves when `acks`.
    bool until(const std::function<bool()>& done,
               std::chrono::milliseconds deadline = std::chrono::seconds{30});
    // Waits for a message of this type that satisfies `wanted`; the last such one.
    template <class M>
    std::optional<M> await(const std::string& key, std::function<bool(const M&)> wanted = {}) {
        std::optional<M> found;
        until([&] {
            for (const auto& message : workers_.at(key).heard) {
                const auto* m = std::get_if<M>(&message);
                if (m != nullptr && (!wanted || wanted(*m))) found = *m;
            }
            return found.has_value();
        });
        return found;
    }
    void send(const std::string& key, const proto::Message& message);
    void send_raw(const std::string& key, std::string_view header, std::string_view payload);
    // Launch, Hello, Welcome with the configuration, Ready.
    std::string start(const TaskConfig& config);
    // Waits for the process to end; its exit code, or minus the signal.
    int wait_exit(const std::string& key);
    void kill(const std::string& key, int signal);
    // As a supervisor that died: its sockets close; `reopen` listens again.
    void close();
    void reopen();

    bool acks = true;
    std::chrono::milliseconds heartbeat{100};
    std::chrono::milliseconds orphan_grace{60'000};

  private:
    void read_all();
    void take(const std::string& key, proto::Message message);

    std::string data_dir_;
    std::optional<proto::WireListener> listener_;
    std::vector<proto::WireSocket> strangers_;
    std::map<std::string, Worker> workers_;
    int launched_ = 0;
};

}  // namespace fieldwarden::worker
