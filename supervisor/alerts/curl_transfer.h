// One transfer with libcurl: owns the handle and its lists, obeys a timeout and a stop flag.
#pragma once

#include <curl/curl.h>

#include <atomic>
#include <memory>
#include <string>
#include <string_view>

#include "supervisor/alerts/channel.h"

namespace fieldwarden::supervisor {

class CurlTransfer {
  public:
    // Sets what all channels share: url, timeout, TLS, no redirects, no signals.
    CurlTransfer(const AlertChannel& channel, const char* protocols, const std::atomic<bool>& stop);

    [[nodiscard]] bool ready() const { return handle_ != nullptr; }
    [[nodiscard]] CURL* handle() { return handle_.get(); }
    void add_header(const std::string& line) { append(headers_, line); }
    void add_receiver(const std::string& address) { append(receivers_, address); }

    // The answer's status (HTTP, or the last SMTP reply code). The error says what failed on which host.
    Result<long> perform();
    // The beginning of the answer's body.
    [[nodiscard]] const std::string& answer() const { return answer_; }

  private:
    struct Free {
        void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
        void operator()(curl_slist* list) const { curl_slist_free_all(list); }
    };
    using List = std::unique_ptr<curl_slist, Free>;
    static void append(List& list, const std::string& line) {
        list.reset(curl_slist_append(list.release(), line.c_str()));
    }

    std::unique_ptr<CURL, Free> handle_;
    List headers_;
    List receivers_;
    std::string host_;
    std::string answer_;
    char error_[CURL_ERROR_SIZE] = {};
    const std::atomic<bool>& stop_;
};

}  // namespace fieldwarden::supervisor
