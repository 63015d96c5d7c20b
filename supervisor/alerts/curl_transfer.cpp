#include "supervisor/alerts/curl_transfer.h"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>

namespace fieldwarden::supervisor {

namespace {

constexpr std::size_t kAnswerKept = 300;
constexpr long kConnectShare = 2;  // of the timeout, half may go into connecting

// "https://user:pw@host:1/path?key=x" → "host:1": what a message may show.
std::string host_of(std::string_view url) {
    if (const auto scheme = url.find("://"); scheme != std::string_view::npos) url.remove_prefix(scheme + 3);
    url = url.substr(0, url.find_first_of("/?#"));
    if (const auto at = url.rfind('@'); at != std::string_view::npos) url.remove_prefix(at + 1);
    return std::string{url};
}

// What a person can do about it; empty where the library's own words say enough.
std::string_view hint_of(CURLcode code) {
    if (code == CURLE_LOGIN_DENIED) return "; check username and password";
    if (code == CURLE_PEER_FAILED_VERIFICATION)
        return "; name the authority that signed its certificate in ca_file, and check the host in the url";
    if (code == CURLE_SSL_CACERT_BADFILE) return "; check ca_file";
    if (code == CURLE_USE_SSL_FAILED)
        return "; the server offers no encryption here: use smtps:// or the port for it, or set starttls";
    return {};
}

bool is_this_machine(std::string_view host) {
    return host.starts_with("127.") || host.starts_with("localhost") || host.starts_with("[::1]");
}

}  // namespace

CurlTransfer::CurlTransfer(const AlertChannel& channel, const char* protocols, const std::atomic<bool>& stop)
    : stop_(stop) {
    static std::once_flag once;
    std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
    handle_.reset(curl_easy_init());
    if (!handle_) return;
    auto* curl = handle_.get();
    const auto url = channel.option("url");
    host_ = host_of(url);
    const auto timeout = static_cast<long>(channel.timeout().count());
    curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, protocols);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error_);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, timeout);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, timeout / kConnectShare);
    // A proxy of the environment cannot reach this machine's loopback.
    if (is_this_machine(host_)) curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    if (channel.option("verify_tls") == "false") {
        curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    if (const auto authorities = channel.option("ca_file"); !authorities.empty()) {
        curl_easy_setopt(curl, CURLOPT_CAINFO, authorities.c_str());
    }
    curl_write_callback keep = [](char* data, std::size_t size, std::size_t count,
                                  void* user) -> std::size_t {
        auto& kept = *static_cast<std::string*>(user);
        kept.append(data, std::min(size * count, kAnswerKept - std::min(kAnswerKept, kept.size())));
        return size * count;
    };
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, keep);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer_);
    curl_xferinfo_callback stopped = [](void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) -> int {
        return static_cast<const std::atomic<bool>*>(user)->load() ? 1 : 0;
    };
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, stopped);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, const_cast<std::atomic<bool>*>(&stop));
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
}

Result<long> CurlTransfer::perform() {
    auto* curl = handle_.get();
    if (headers_) curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers_.get());
    if (receivers_) curl_easy_setopt(curl, CURLOPT_MAIL_RCPT, receivers_.get());
    const auto code = curl_easy_perform(curl);
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    if (code == CURLE_OK) return status;
    const auto why =
        fmt::format("{}{}", error_[0] != '\0' ? error_ : curl_easy_strerror(code), hint_of(code));
    if (code == CURLE_ABORTED_BY_CALLBACK && stop_.load()) {
        return make_error(ErrorKind::kUnavailable,
                          fmt::format("{}: given up, the supervisor is stopping", host_));
    }
    // A mail server says no for good with a reply of 500 and above.
    if (status >= 500 && status < 600 &&
        (code == CURLE_SEND_ERROR || code == CURLE_LOGIN_DENIED || code == CURLE_WEIRD_SERVER_REPLY ||
         code == CURLE_RECV_ERROR)) {
        return make_error(ErrorKind::kInvalidArgument, fmt::format("{}: {} (reply {})", host_, why, status));
    }
    return make_error(code == CURLE_OPERATION_TIMEDOUT ? ErrorKind::kTimeout : ErrorKind::kUnavailable,
                      fmt::format("{}: {}", host_, why));
}

}  // namespace fieldwarden::supervisor
