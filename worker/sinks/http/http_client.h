// HttpClient: the HTTP half of sinks whose store speaks it. One connection, used again; bounded answers; no
// redirects (a store that moves is a configuration to change), no retries: the flusher decides about those.
//
// Threads. One thread, except interrupt(). Memory. An answer's body up to the request's bound.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "common/secrets.h"
#include "common/task_config.h"

namespace fieldwarden::worker {

struct HttpRequest {
    std::string target;  // "/api/v2/write?org=o": appended to the base url
    bool post = true;
    std::string_view body = {};
    std::vector<std::string> headers = {};  // "Content-Type: text/plain"
    std::size_t answer_limit = 64 << 10;    // bytes of the answer that are kept
};

struct HttpAnswer {
    long status = 0;
    std::string body;
    bool cut = false;  // the body was longer than the bound
    // The server asked to wait that long: Retry-After in seconds or as a date, ten minutes at most.
    std::optional<std::chrono::milliseconds> retry_after;
};

class HttpClient {
  public:
    // Takes url, timeout_ms, connect_timeout_ms, ca_file, cert_file, key_file and verify of a sink that has
    // passed check_sink. Fails with kInvalidArgument on a url with a query or a fragment, or without a host.
    static Result<std::unique_ptr<HttpClient>> make(const SinkConfig& sink);
    ~HttpClient();
    HttpClient(const HttpClient&) = delete;
    HttpClient& operator=(const HttpClient&) = delete;

    // Basic authentication of every request; without it the user in the url is taken, if there is one.
    void set_credentials(const std::string& user, const std::string& password);

    // Every answer with a status is an answer, also one of failure. kTimeout, kUnavailable: no answer came;
    // the text says from whom and why.
    Result<HttpAnswer> perform(const HttpRequest& request);
    // The same in two: begin() sends as much as the connection takes at once and returns, finish() sends the
    // rest and waits for the answer. What the request refers to lives until then. One at a time.
    void begin(const HttpRequest& request);
    Result<HttpAnswer> finish();

    // Any thread: the transfer under way fails soon (a second at most), and so does every later one.
    void interrupt() { interrupted_.store(true); }

    [[nodiscard]] const std::string& host() const { return host_; }  // host:port, for messages
    // The beginning of what the server said, on one line, without our secrets.
    [[nodiscard]] std::string excerpt(std::string_view said) const;

  private:
    struct State;
    HttpClient(const SinkConfig& sink, std::string base, std::string host);

    std::string base_;
    std::string host_;
    SecretMask mask_;
    std::atomic<bool> interrupted_{false};
    std::unique_ptr<State> state_;  // of libcurl
};

// "a b&c" → "a%20b%26c": a value within a query.
std::string percent_encoded(std::string_view text);

}  // namespace fieldwarden::worker
