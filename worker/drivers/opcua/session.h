// Session: from "not connected" to "signed in", and the exchange of requests and answers (OPC UA Part 4, 5.4
// to 5.6). One thread, the device's.
//
// The address the user gave is the one connected to, whatever host name the server announces. A session
// outlives its connection: after a break connect() signs the old one in on a new channel, so that its
// subscriptions go on, and makes a new one when the server has forgotten it.
#pragma once

#include <fmt/format.h>

#include <functional>
#include <set>

#include "worker/drivers/opcua/channel.h"
#include "worker/drivers/opcua/endpoints.h"
#include "worker/drivers/opcua/pki.h"

namespace fieldwarden::worker::opcua {

struct SessionSettings {
    std::string url;   // opc.tcp://host:port/path
    std::string name;  // shown in the server's list of sessions
    SecurityMode mode = SecurityMode::kNone;
    SignIn sign_in;
    TrustPolicy trust;
    std::chrono::milliseconds connect_timeout{3000};
    std::chrono::milliseconds timeout{1000};
    std::chrono::milliseconds session_timeout{60'000};
};

class Session {
  public:
    Session(Line& line, SessionSettings settings, DriverStats& stats)
        : line_(line), channel_(line), settings_(std::move(settings)), stats_(stats) {}

    Status connect();
    // Closes the session on the server when the connection is whole, in at most half a second; keeps it for
    // the next connect() when the connection is broken.
    // True: it was closed, and its subscriptions with it. False: what there was of them may still be there.
    bool disconnect();
    [[nodiscard]] ConnectStep failed_step() const { return failed_step_; }
    // Signed in, not interrupted, and no call has found the connection or the session broken.
    [[nodiscard]] bool usable() const { return active_ && channel_.is_open() && !line_.called_off(); }
    // Rises with every session made: subscriptions of another number are to be transferred.
    [[nodiscard]] std::uint64_t generation() const { return generation_; }

    // Asks and waits at most `timeout`; answers to post() that come meanwhile go to the listener. An error
    // with usable() still true is the server's refusal: fault() says which.
    template <class Response, class Request>
    Result<Response> call(const Request& request, std::chrono::milliseconds timeout) {
        Buffer payload;
        Encoder out{payload};
        request.encode(out);
        auto body = exchange(Request::kType, payload, Response::kType, timeout);
        if (!body) return body.error();
        Response response;
        Decoder in{View{*body}.subspan(answer_begin_)};
        response.decode(in);
        if (in.failed()) return broken_answer(Response::kType);
        return response;
    }
    template <class Response, class Request>
    Result<Response> call(const Request& request) {
        return call<Response>(request, settings_.timeout);
    }
    [[nodiscard]] StatusCode fault() const { return fault_; }

    // Sends without waiting; the answer goes to the listener.
    template <class Request>
    Status post(const Request& request) {
        Buffer payload;
        Encoder out{payload};
        request.encode(out);
        return post_payload(Request::kType, payload);
    }
    [[nodiscard]] std::size_t posted() const { return posted_.size(); }
    struct Answer {
        std::uint32_t type = 0;  // of the answer; kServiceFault when refused
        StatusCode result = 0;
        View payload;
    };
    // Called from call() and pump(), so it makes no calls itself. Its error becomes theirs.
    using Listener = std::function<Status(const Answer&)>;
    void listen(Listener listener) { listener_ = std::move(listener); }
    // Takes at most one answer; false: none came until `deadline`, or the line was woken.
    Result<bool> pump(MonoTime deadline);
    // Renews the channel and keeps the session alive when it is time.
    Status maintain();
    // When maintain() has to be called again.
    [[nodiscard]] MonoTime maintain_at() const;

    // Marks the connection broken and says so.
    Error broken(ErrorKind kind, const std::string& why);
    [[nodiscard]] const SessionSettings& settings() const { return settings_; }

  private:
    Status open_channel();
    Result<Endpoint> discover();
    Status sign_in();
    Status create();
    Status activate();
    Result<Buffer> exchange(std::uint32_t type, View payload, std::uint32_t answer_type,
                            std::chrono::milliseconds timeout);
    Status post_payload(std::uint32_t type, View payload);
    Result<std::uint32_t> send(std::uint32_t type, View payload, std::chrono::milliseconds timeout);
    // The header of an answer; what follows begins at answer_begin_.
    Result<Answer> open_answer(const SecureChannel::Message& message);
    Status dispatch(const SecureChannel::Message& message);
    Error broken_answer(std::uint32_t type);
    Error lost(const Error& error);
    Error at(ConnectStep step, const Error& error);
    void forget_session();

    Line& line_;
    SecureChannel channel_;
    const SessionSettings settings_;
    DriverStats& stats_;
    ConnectStep failed_step_ = ConnectStep::kConnect;
    Listener listener_;
    std::shared_ptr<const Identity> identity_;

    Endpoint endpoint_;
    ChosenToken token_policy_;
    std::optional<Certificate> server_certificate_;
    bool active_ = false;
    bool farewell_ = false;
    std::optional<NodeId> session_;  // its authentication token, which outlives the connection
    Buffer server_nonce_;
    std::chrono::milliseconds session_timeout_{60'000};
    std::uint64_t generation_ = 0;
    std::uint32_t handle_ = 0;
    std::set<std::uint32_t> posted_;
    std::size_t answer_begin_ = 0;
    StatusCode fault_ = 0;
    MonoTime last_sent_{};
};

}  // namespace fieldwarden::worker::opcua
