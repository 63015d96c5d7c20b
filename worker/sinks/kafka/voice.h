// What librdkafka's threads tell: the log, and the last trouble with a server, which explains a timeout.
// Threads. Thread safe.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "worker/log_function.h"
#include "worker/sinks/kafka/settings.h"
#include "worker/sinks/kafka/trouble.h"

namespace fieldwarden::worker::kafka {

class Voice {
  public:
    explicit Voice(LogFunction log) : log_(std::move(log)) {}
    // `level` is syslog's, 0 (emergency) to 7 (debug).
    void say(int level, std::string_view text) const;
    void note(rd_kafka_resp_err_t error, std::string_view reason);
    // Since the last forget().
    [[nodiscard]] std::optional<Failure> trouble() const;
    void forget();

  private:
    LogFunction log_;
    mutable std::mutex mutex_;
    std::optional<Failure> trouble_;
};

struct DestroyClient {
    void operator()(rd_kafka_t* client) const;
};
using Client = std::unique_ptr<rd_kafka_t, DestroyClient>;

// Whether librdkafka knows each property and takes its value; kInvalidArgument names the first that it does
// not.
Status check_properties(const Properties& properties);

// A client of librdkafka that speaks through `voice`, which outlives it. kInvalidArgument names the property
// that does not fit. `reports` gets the delivery reports when the client is polled.
using Reports = void (*)(rd_kafka_t*, const rd_kafka_message_t*, void*);
Result<Client> make_client(rd_kafka_type_t type, const Properties& properties, Voice& voice,
                           Reports reports = nullptr);

}  // namespace fieldwarden::worker::kafka
