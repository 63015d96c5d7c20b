// Modbus TCP over libmodbus (Modbus Messaging on TCP/IP Implementation Guide V1.0b, section 3).
//
// libmodbus 3.1.6 holds the connection, reads the answer frame and keeps its deadline. Three things it does
// not do are done here, with these reasons:
// - It does not compare the unit id of an answer, compares the protocol id wrongly, and ignores the length
//   field: every answer is checked here against the request, whole.
// - Its connect cannot be interrupted and gives each of a name's addresses the whole timeout: the socket is
//   connected here and handed to it.
// - modbus_send_raw_request sends transaction id 0 always, so a late answer would pass for the next one:
//   requests are sent here, with rising ids.
// libmodbus waits with select(2): a descriptor of 1024 or more is refused, because it would write beyond its
// fd_set.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <vector>

#include "common/device_options.h"
#include "worker/drivers/modbus/link.h"

struct _modbus;

namespace fieldwarden::worker::modbus {

struct TcpTimeouts {
    std::chrono::milliseconds connect{3000};
    std::chrono::milliseconds response{1000};
};

class TcpLink final : public Link {
  public:
    TcpLink(HostPort peer, TcpTimeouts timeouts);
    ~TcpLink() override;

    Status connect() override;
    void disconnect() override;
    [[nodiscard]] ConnectStep failed_step() const override { return failed_step_; }
    Reply read(const ReadCommand& command) override;
    void interrupt() override;
    bool pause(std::chrono::milliseconds duration) override;
    [[nodiscard]] const std::string& name() const override { return name_; }

  private:
    struct FreeContext {
        void operator()(_modbus* context) const;
    };
    Status fail(ConnectStep step, ErrorKind kind, std::string why);
    bool adopt(int fd);
    void drop_socket();
    [[nodiscard]] bool interrupted() const { return interrupted_.load(std::memory_order_acquire); }
    Reply receive(const ReadCommand& command, std::uint16_t transaction);

    HostPort peer_;
    TcpTimeouts timeouts_;
    std::string name_;
    std::unique_ptr<_modbus, FreeContext> context_;
    std::uint16_t transaction_ = 0;
    // Requests of this connection that timed out: their answers may still come and are dropped.
    std::vector<std::uint16_t> abandoned_;
    std::vector<std::uint8_t> frame_;
    ConnectStep failed_step_ = ConnectStep::kConnect;

    // Guards the descriptor against being closed, and reused, while interrupt() shuts it down.
    std::mutex mutex_;
    std::condition_variable wake_;
    int fd_ = -1;
    std::atomic<bool> interrupted_ = false;  // changed with the mutex held, for pause()
};

}  // namespace fieldwarden::worker::modbus
