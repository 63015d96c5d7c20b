// SecureChannel: whole messages over one Line (OPC UA Part 6, 6.7 and 7.1): Hello and Acknowledge with their
// limits, chunks in both directions, sequence numbers, OpenSecureChannel and its renewal at three quarters of
// the token's lifetime. One thread.
//
// After an error of send(), receive() or renew() the channel is broken: only hang_up() and open() help.
#pragma once

#include <deque>
#include <memory>

#include "worker/drivers/opcua/line.h"
#include "worker/drivers/opcua/messages.h"

namespace fieldwarden::worker::opcua {

struct ChannelSecurity {
    SecurityMode mode = SecurityMode::kNone;
    std::shared_ptr<const Identity> own;  // of a mode with security
    std::optional<Certificate> server;
};

class SecureChannel {
  public:
    explicit SecureChannel(Line& line) : line_(line) {}

    // Over a line that is connected.
    Status open(const std::string& url, ChannelSecurity security, std::chrono::milliseconds timeout);
    // CloseSecureChannel, which has no answer; then the line hangs up.
    void close(MonoTime deadline);
    void hang_up();

    // Three quarters of the token's lifetime are over.
    [[nodiscard]] bool renewal_due(MonoTime now) const { return open_ && now >= renew_at_; }
    [[nodiscard]] MonoTime renew_at() const { return renew_at_; }
    // Messages that come in meanwhile are kept for receive().
    Status renew(std::chrono::milliseconds timeout);

    struct Message {
        std::uint32_t request_id = 0;
        StatusCode aborted = 0;  // not 0: the server gave the message up
        Buffer body;             // type id, header and what follows
    };
    // kTooLarge: over the server's limits, nothing was sent and the channel goes on.
    Result<std::uint32_t> send(View body, MonoTime deadline);
    // nullopt: `deadline` passed, or the line was woken.
    Result<std::optional<Message>> receive(MonoTime deadline);

    [[nodiscard]] bool is_open() const { return open_; }
    [[nodiscard]] const ChannelSecurity& security() const { return security_; }
    // What the server said last when it gave the connection up (an ERR message); 0: nothing.
    [[nodiscard]] StatusCode server_error() const { return server_error_; }
    [[nodiscard]] const Limits& peer_limits() const { return peer_limits_; }

  private:
    struct Token {
        std::uint32_t id = 0;
        SymmetricKeys ours;
        SymmetricKeys theirs;
        MonoTime ends{};
    };
    struct Partial {
        std::uint32_t request_id = 0;
        std::uint32_t chunks = 0;
        Buffer body;
    };

    Status hello(const std::string& url, MonoTime deadline);
    Status exchange_keys(bool renew, MonoTime deadline);
    Status adopt(const OpenSecureChannelResponse& answer, View client_nonce);
    // A whole chunk into chunk_; false: not yet.
    Result<bool> receive_chunk(MonoTime deadline);
    Result<std::optional<Message>> take_message_chunk(const ChunkHeader& header);
    Result<std::optional<Message>> receive_one(MonoTime deadline);
    Result<OpenedOpen> take_open_chunk();
    Status check_sequence(std::uint32_t number);
    Error refuse(const Error& error);
    Error refuse_transport();
    AsymmetricKeys asymmetric() const;
    std::uint32_t next_sequence();

    Line& line_;
    ChannelSecurity security_;
    Key server_key_;
    bool open_ = false;
    Limits peer_limits_;
    std::size_t receive_limit_ = 0;
    std::uint32_t channel_ = 0;
    std::optional<Token> token_;
    std::optional<Token> previous_token_;  // answers to requests sent before the renewal still use it
    MonoTime renew_at_{};
    std::uint32_t sequence_ = 0;
    std::uint32_t request_id_ = 0;
    std::optional<std::uint32_t> peer_sequence_;
    StatusCode server_error_ = 0;

    Buffer input_;  // what came and is not a whole chunk yet
    std::size_t input_size_ = 0;
    Buffer chunk_;
    std::optional<Partial> partial_;
    std::optional<OpenedOpen> opened_;
    std::deque<Message> waiting_;
};

}  // namespace fieldwarden::worker::opcua
