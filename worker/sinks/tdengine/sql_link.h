// SQL over TDengine's REST interface (TDengine 3 documentation, "REST API"): POST /rest/sql[/database] with
// basic authentication; answers are {"code": 0, "column_meta": …, "data": …, "rows": …} or {"code", "desc"}.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "worker/sinks/http/http_client.h"

namespace fieldwarden::worker::tdengine {

// What to do about a failure.
enum class Fault : std::uint8_t {
    kNone,
    kRefused,   // the statement itself: syntax, types, values, limits; it is refused again
    kSchema,    // tables and columns are not as we believed: look again
    kDatabase,  // the database is not there
    kLater,     // all else: configuration, load, outage
};
// Of a code of the documentation's list "Error Codes", with or without its 0x80000000.
Fault fault_of(std::int64_t code);
// The code says that something is there already which was to be made.
bool says_exists(std::int64_t code);

struct SqlReply {
    Fault fault = Fault::kNone;
    std::int64_t code = 0;  // of TDengine; 0 without one
    std::string reason;     // what failed and what to check
    std::optional<std::chrono::milliseconds> retry_after;
    std::vector<std::vector<std::string>> rows;  // values as text; null is empty

    [[nodiscard]] bool good() const { return fault == Fault::kNone; }
};

// Pure: what the server's answer means. `host` is for the text.
SqlReply read_reply(const HttpClient& http, const HttpAnswer& answer);

class SqlLink {
  public:
    SqlLink(std::unique_ptr<HttpClient> http, std::string database);

    SqlReply run(std::string_view sql);          // within the database
    SqlReply run_outside(std::string_view sql);  // where it need not exist
    SqlReply read(std::string_view sql);         // within the database; for answers of up to 16 MiB
    void interrupt() { http_->interrupt(); }

  private:
    SqlReply post(std::string target, std::string_view sql, std::size_t answer_limit);

    std::unique_ptr<HttpClient> http_;
    std::string database_;
};

}  // namespace fieldwarden::worker::tdengine
