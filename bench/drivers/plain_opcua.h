// The plainest OPC UA client: a channel without security, an anonymous session, and requests that were
// encoded once. Of an answer only its length is looked at, and of a notification how many changes it has.
#pragma once

#include <fmt/format.h>

#include "bench/drivers/rows.h"
#include "worker/drivers/opcua/messages.h"

namespace fieldwarden::bench {

class PlainOpcUa {
  public:
    // Opens channel and session; it is good() afterwards, or not.
    explicit PlainOpcUa(const std::string& address);
    ~PlainOpcUa();
    PlainOpcUa(const PlainOpcUa&) = delete;
    PlainOpcUa& operator=(const PlainOpcUa&) = delete;
    [[nodiscard]] bool good() const { return good_; }

    // A chunk to be sent as often as wanted.
    template <class Request>
    worker::opcua::Buffer make(const Request& request) {
        worker::opcua::Buffer payload;
        worker::opcua::Encoder out{payload};
        request.encode(out);
        return make(Request::kType, payload);
    }
    bool send(worker::opcua::Buffer& chunk);
    // The next chunk; empty: the connection broke. Until the next call.
    worker::opcua::View take_chunk();
    static bool is_last(worker::opcua::View chunk) { return chunk[3] == 'F'; }

    // For what is asked once.
    template <class Response, class Request>
    Response ask(const Request& request) {
        auto chunk = make(request);
        Response response;
        const auto body = send(chunk) ? take_body() : worker::opcua::Buffer{};
        worker::opcua::Decoder in{body};
        (void)in.node();
        worker::opcua::ResponseHeader header;
        header.decode(in);
        response.decode(in);
        good_ = good_ && !in.failed() && header.result == 0;
        return response;
    }

  private:
    worker::opcua::Buffer make(std::uint32_t type, worker::opcua::View payload);
    worker::opcua::Buffer take_body();
    bool send_bytes(worker::opcua::View bytes);
    bool open_channel(const std::string& url);
    void sign_in(const std::string& url);

    int fd_;
    bool good_ = false;
    NodeId token_;
    std::uint32_t channel_ = 0;
    std::uint32_t channel_token_ = 0;
    std::uint32_t sequence_ = 1;  // of the last chunk, and the id of the last request
    worker::opcua::Buffer input_;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
};

}  // namespace fieldwarden::bench
