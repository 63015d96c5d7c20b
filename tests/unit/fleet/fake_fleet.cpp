#include "tests/unit/fleet/fake_fleet.h"

#include <poll.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <csignal>

#include "tests/unit/proto/wire_socket.h"

namespace fieldwarden::supervisor {

namespace asio = boost::asio;

namespace {

std::string value_of(const std::map<std::string, std::string>& environment, const char* name) {
    const auto found = environment.find(name);
    return found == environment.end() ? std::string{} : found->second;
}

// The code of the task, "" for a spare or a probe.
std::string launched_for(const std::map<std::string, std::string>& environment) {
    auto code = value_of(environment, proto::kEnvTask);
    return code.starts_with(proto::kSpareTask) ? std::string{} : code;
}

proto::Reply reply_to(std::uint64_t request) {
    proto::Reply reply;
    reply.request_id = request;
    reply.ok = true;
    return reply;
}

constexpr auto kDied = std::chrono::milliseconds{400};  // without an answer to a beat: the supervisor is gone

}  // namespace

bool WorkerLog::has(const std::string& message) {
    const std::lock_guard lock{mutex};
    return std::ranges::find(messages, message) != messages.end();
}

FakeWorker::FakeWorker(std::map<std::string, std::string> env, std::int64_t pid_,
                       std::shared_ptr<WorkerScript> script_)
    : environment(std::move(env)),
      pid(pid_),
      ticks(static_cast<std::uint64_t>(pid_) * 3),
      script(std::move(script_)),
      thread_([this] { run(); }) {}

FakeWorker::~FakeWorker() {
    end({});
    thread_.join();
}

void FakeWorker::end(ExitStatus status) {
    const std::lock_guard lock{mutex_};
    if (ended_) return;
    ended_ = true;
    status_ = status;
    if (handler_) handler_(status);
}

std::string FakeWorker::task_code() {
    const auto code = launched_for(environment);
    if (!value_of(environment, proto::kEnvTask).starts_with(proto::kSpareTask)) return code;
    const std::lock_guard lock{log.mutex};
    return log.config ? log.config->task_code : code;
}

void FakeWorker::on_end(std::function<void(ExitStatus)> handler) {
    const std::lock_guard lock{mutex_};
    handler_ = std::move(handler);
    if (ended_ && handler_) handler_(*status_);
}

void FakeWorker::run() {
    if (script->exit_at_once >= 0) return end({.code = script->exit_at_once.load(), .signal = {}});
    proto::WireSocket socket;
    const auto send = [&](const proto::Message& message) { socket.send(message); };
    std::uint64_t revision = 0;
    PointId point = 0;  // the first of its configuration
    auto last_ack = std::chrono::steady_clock::now();
    const auto connect = [&] {
        socket = proto::WireSocket::connect(value_of(environment, proto::kEnvControl));
        last_ack = std::chrono::steady_clock::now();
        if (!script->says_hello) return;
        proto::Hello hello;
        hello.launch_key = value_of(environment, proto::kEnvLaunchKey);
        hello.task_code = launched_for(environment);
        hello.pid = pid;
        hello.start_ticks = ticks;
        hello.config_revision = revision;
        send(hello);
    };
    const auto send_connections = [&](const TaskConfig& config) {
        for (const auto& device : config.devices) {
            proto::ConnectionStatus status;
            status.device_code = device.device_code;
            status.is_connected = script->connected;
            send(proto::Connection{status});
        }
    };
    connect();

    proto::Heartbeat beat;
    std::uint32_t period_factor = 1;
    bool paused = false;
    bool welcome = false;
    auto next_beat = std::chrono::steady_clock::now();
    while (!ended_) {
        pollfd item{socket.fd(), POLLIN, 0};
        poll(&item, 1, 10);
        while (!ended_) {
            auto message = socket.receive();
            if (!message) break;
            if (!std::holds_alternative<proto::BeatAck>(*message)) {
                const std::lock_guard lock{log.mutex};
                log.messages.emplace_back(proto::message_name(*message));
            }
            const auto configure = [&](const TaskConfig& config) {
                {
                    const std::lock_guard lock{log.mutex};
                    log.config = config;
                }
                revision = config.revision;
                for (const auto& device : config.devices) {
                    if (!device.points.empty() && point == 0) point = device.points.front().id;
                }
                send_connections(config);
                if (script->gets_ready) send(proto::Ready{revision});
            };
            if (std::holds_alternative<proto::BeatAck>(*message)) {
                last_ack = std::chrono::steady_clock::now();
            } else if (const auto* w = std::get_if<proto::Welcome>(&*message)) {
                {
                    const std::lock_guard lock{log.mutex};
                    log.welcome = *w;
                }
                welcome = true;
                paused = w->paused;
                if (w->config) configure(*w->config);
            } else if (const auto* c = std::get_if<proto::Configure>(&*message)) {
                configure(c->config);
            } else if (const auto* slow = std::get_if<proto::SlowDown>(&*message)) {
                period_factor = slow->period_factor;
            } else if (std::holds_alternative<proto::Pause>(*message)) {
                paused = true;
            } else if (std::holds_alternative<proto::Resume>(*message)) {
                paused = false;
            } else if (std::holds_alternative<proto::Stop>(*message)) {
                if (!script->obeys_stop) continue;
                send(proto::Finished{proto::ExitCode::kDone, false, "stopped on command"});
                return end({.code = 0, .signal = {}});
            } else if (std::holds_alternative<proto::Refuse>(*message)) {
                return end({.code = static_cast<int>(proto::ExitCode::kRefused), .signal = {}});
            } else if (!script->answers) {
                continue;
            } else if (const auto* once = std::get_if<proto::AcquireOnce>(&*message)) {
                auto reply = reply_to(once->request_id);
                reply.duration_ms = 2.5;
                Sample sample;
                sample.point = point;
                sample.value = std::int64_t{42};
                reply.samples.push_back(sample);
                send(reply);
            } else if (const auto* device = std::get_if<proto::TestConnection>(&*message)) {
                auto reply = reply_to(device->request_id);
                reply.probe = proto::ProbeResult{true, 1.5, "read " + device->device.device_code, {}};
                send(reply);
            } else if (const auto* sink = std::get_if<proto::TestStorage>(&*message)) {
                auto reply = reply_to(sink->request_id);
                reply.probe = proto::ProbeResult{false, 0, "refused", proto::ErrorCategory::kConnectionError};
                send(reply);
            }
        }
        const auto now = std::chrono::steady_clock::now();
        if (now >= next_beat) {
            next_beat = now + std::chrono::milliseconds{50};
            ++beat.seq;
            ++counter_of_beats;
            if (script->loop_turns) ++beat.loop_ticks;
            if (!paused && revision != 0 && script->loop_turns) {
                beat.points_read += 10;
                if (script->good_data) {
                    beat.points_good += 10;
                    beat.points_delivered += 10;
                }
                counter += 10;
            }
            beat.paused = paused;
            beat.period_ms = 100;
            if (script->scans > 0) {
                proto::DeviceProgress device;
                device.device_code = "D1";
                device.cycles = script->scans;
                device.timeouts = script->timeouts;
                device.period_factor = period_factor;
                beat.devices = {device};
            }
            if (welcome && script->beats) send(beat);
            if (revision != 0 && !paused) {
                Sample sample;
                sample.point = point;
                sample.value = static_cast<std::int64_t>(counter.load());
                sample.time = system_clock().utc_now();
                send(proto::Live{{sample}});
            }
        }
        if (script->completes && revision != 0) {
            send(proto::Finished{proto::ExitCode::kDone, true, "run limit reached"});
            return end({.code = 0, .signal = {}});
        }
        if (!socket.is_open() || (script->beats && now - last_ack > kDied)) connect();
    }
}

class FakeProcess final : public Process {
  public:
    FakeProcess(asio::io_context& loop, std::shared_ptr<FakeWorker> worker,
                ProcessLauncher::ExitHandler on_exit)
        : worker_(std::move(worker)), alive_(std::make_shared<bool>(true)) {
        worker_->on_end([&loop, alive = alive_, handler = std::move(on_exit)](ExitStatus status) {
            asio::post(loop, [alive, handler, status] {
                if (*alive) handler(status, std::chrono::steady_clock::now());
            });
        });
    }
    ~FakeProcess() override {
        *alive_ = false;
        worker_->on_end(nullptr);  // the loop may go, the worker stays
    }
    std::int64_t pid() const override { return worker_->pid; }
    std::uint64_t start_ticks() const override { return worker_->ticks; }
    MonoTime started_at() const override { return started_; }
    void send_signal(int number) override {
        if (number == SIGTERM && !worker_->script->obeys_stop) return;
        worker_->end({.code = {}, .signal = number});
    }
    void kill_group() override { worker_->end({.code = {}, .signal = SIGKILL}); }
    void end_now() override { kill_group(); }

  private:
    std::shared_ptr<FakeWorker> worker_;
    std::shared_ptr<bool> alive_;
    MonoTime started_ = std::chrono::steady_clock::now();
};

class FakeLauncher final : public ProcessLauncher {
  public:
    FakeLauncher(FakeMachine& machine, asio::io_context& loop) : machine_(machine), loop_(loop) {}
    Result<std::unique_ptr<Process>> launch(const LaunchSpec& spec, ExitHandler on_exit) override {
        if (machine_.refuses_to_launch) return make_error(ErrorKind::kIo, "cannot start it: no memory");
        const auto script = machine_.script(launched_for(spec.environment));
        std::shared_ptr<FakeWorker> worker;
        {
            const std::lock_guard lock{machine_.mutex_};
            worker = std::make_shared<FakeWorker>(spec.environment, ++machine_.last_pid_, script);
            machine_.workers_.push_back(worker);
        }
        return std::make_unique<FakeProcess>(loop_, worker, std::move(on_exit));
    }
    Result<std::unique_ptr<Process>> adopt(std::int64_t pid, std::uint64_t ticks,
                                           ExitHandler on_exit) override {
        std::shared_ptr<FakeWorker> found;
        {
            const std::lock_guard lock{machine_.mutex_};
            for (const auto& worker : machine_.workers_) {
                if (worker->pid == pid && worker->ticks == ticks && !worker->ended()) found = worker;
            }
        }
        if (!found) return make_error(ErrorKind::kNotFound, "no such process");
        return std::make_unique<FakeProcess>(loop_, found, std::move(on_exit));
    }

  private:
    FakeMachine& machine_;
    asio::io_context& loop_;
};

FakeMachine::~FakeMachine() {
    for (const auto& worker : workers_) worker->end({});
}

std::unique_ptr<ProcessLauncher> FakeMachine::launcher(asio::io_context& loop) {
    return std::make_unique<FakeLauncher>(*this, loop);
}

std::shared_ptr<WorkerScript> FakeMachine::script(const std::string& task_code) {
    const std::lock_guard lock{mutex_};
    auto& script = scripts_[task_code];
    if (!script) script = std::make_shared<WorkerScript>();
    return script;
}

std::shared_ptr<FakeWorker> FakeMachine::worker(const std::string& task_code) {
    const std::lock_guard lock{mutex_};
    for (auto at = workers_.rbegin(); at != workers_.rend(); ++at) {
        if ((*at)->task_code() == task_code) return *at;
    }
    return nullptr;
}

std::size_t FakeMachine::launches(const std::string& task_code) {
    const std::lock_guard lock{mutex_};
    return static_cast<std::size_t>(std::ranges::count_if(
        workers_, [&](const auto& worker) { return worker->task_code() == task_code; }));
}

std::size_t FakeMachine::alive(const std::string& task_code) {
    const std::lock_guard lock{mutex_};
    return static_cast<std::size_t>(std::ranges::count_if(
        workers_, [&](const auto& worker) { return worker->task_code() == task_code && !worker->ended(); }));
}

}  // namespace fieldwarden::supervisor
