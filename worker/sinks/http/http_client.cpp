#include "worker/sinks/http/http_client.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <mutex>

#include "common/sink_options.h"

namespace fieldwarden::worker {

namespace {

constexpr std::chrono::seconds kLongestWait{600};
constexpr std::size_t kExcerpt = 300;
// What comes behind the part that is kept is read, so that the connection can be used again, but not for
// ever.
constexpr std::size_t kReadBehind = 1 << 20;
// A megabyte, on a connection that takes it.
constexpr int kTurnsAtBegin = 16;

struct Free {
    void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
    void operator()(CURLU* url) const { curl_url_cleanup(url); }
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

struct FreeMulti {  // CURL and CURLM are both void
    void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
};

bool is_this_machine(std::string_view host) {
    return host.starts_with("127.") || host == "localhost" || host == "[::1]";
}

Result<std::string> url_part(CURLU* url, CURLUPart part) {
    char* text = nullptr;
    if (curl_url_get(url, part, &text, 0) != CURLUE_OK) {
        return make_error(ErrorKind::kNotFound, "the url has no such part");
    }
    std::string copy{text};
    curl_free(text);
    return copy;
}

// Until the transfer has come to its end.
CURLcode end_of(CURLM* multi) {
    constexpr int kLongestPoll = 500;  // ms; how soon an interruption is seen
    for (;;) {
        int running = 0;
        if (curl_multi_perform(multi, &running) != CURLM_OK) return CURLE_FAILED_INIT;
        if (running == 0) break;
        if (curl_multi_poll(multi, nullptr, 0, kLongestPoll, nullptr) != CURLM_OK) return CURLE_FAILED_INIT;
    }
    int left = 0;
    const auto* message = curl_multi_info_read(multi, &left);
    return message != nullptr && message->msg == CURLMSG_DONE ? message->data.result : CURLE_FAILED_INIT;
}

}  // namespace

struct HttpClient::State {
    // Holds the connection; of the handle's transfers one is in it at a time.
    std::unique_ptr<CURLM, FreeMulti> multi{curl_multi_init()};
    std::unique_ptr<CURL, Free> curl{curl_easy_init()};
    std::unique_ptr<curl_slist, Free> headers;
    bool under_way = false;
    char why[CURL_ERROR_SIZE] = {};
    std::string body;
    std::size_t limit = 0;
    std::size_t dropped = 0;

    static std::size_t keep(char* data, std::size_t size, std::size_t count, void* user) {
        auto& self = *static_cast<State*>(user);
        const auto bytes = size * count;
        const auto kept = std::min(bytes, self.limit - self.body.size());
        self.body.append(data, kept);
        self.dropped += bytes - kept;
        return self.dropped > kReadBehind ? 0 : bytes;
    }
    static int stopped(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
        return static_cast<const std::atomic<bool>*>(user)->load() ? 1 : 0;
    }
};

Result<std::unique_ptr<HttpClient>> HttpClient::make(const SinkConfig& sink) {
    const auto refuse = [&](std::string_view why) {
        return make_error(ErrorKind::kInvalidArgument, fmt::format("sink {}: {}", sink.sink_code, why));
    };
    const std::unique_ptr<CURLU, Free> url{curl_url()};
    if (!url || curl_url_set(url.get(), CURLUPART_URL, sink.url.c_str(), 0) != CURLUE_OK) {
        return refuse("the url does not parse; it is written as http://host:port");
    }
    const auto host = url_part(url.get(), CURLUPART_HOST);
    if (!host || host->empty()) return refuse("the url names no host");
    if (url_part(url.get(), CURLUPART_QUERY) || url_part(url.get(), CURLUPART_FRAGMENT)) {
        return refuse("the url has a query or a fragment; what goes there are options of the sink");
    }
    const auto port = url_part(url.get(), CURLUPART_PORT);
    auto base = sink.url;
    while (base.ends_with('/')) base.pop_back();
    std::unique_ptr<HttpClient> client{
        new HttpClient{sink, std::move(base), port ? fmt::format("{}:{}", *host, *port) : *host}};
    if (!client->state_->curl || !client->state_->multi)
        return make_error(ErrorKind::kInternal, "libcurl gives no handle");
    if (is_this_machine(*host)) {
        // A proxy of the environment cannot reach this machine's loopback.
        curl_easy_setopt(client->state_->curl.get(), CURLOPT_NOPROXY, "*");
    }
    return client;
}

HttpClient::HttpClient(const SinkConfig& sink, std::string base, std::string host)
    : base_(std::move(base)), host_(std::move(host)) {
    static std::once_flag once;
    std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
    mask_.add(secrets_of(sink));
    state_ = std::make_unique<State>();
    auto* curl = state_->curl.get();
    if (curl == nullptr) return;
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, long{CURL_HTTP_VERSION_1_1});
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
    if (state_->multi) curl_multi_setopt(state_->multi.get(), CURLMOPT_MAXCONNECTS, 1L);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, state_->why);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(integer_option(sink, "timeout_ms")));
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS,
                     static_cast<long>(integer_option(sink, "connect_timeout_ms")));
    const auto set_file = [&](CURLoption option, std::string_view name) {
        if (const auto file = text_option(sink, name); !file.empty())
            curl_easy_setopt(curl, option, file.c_str());
    };
    set_file(CURLOPT_CAINFO, "ca_file");
    set_file(CURLOPT_SSLCERT, "cert_file");
    set_file(CURLOPT_SSLKEY, "key_file");
    if (!boolean_option(sink, "verify")) {
        curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &State::keep);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, state_.get());
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, &State::stopped);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &interrupted_);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
}

HttpClient::~HttpClient() {
    if (state_->under_way) curl_multi_remove_handle(state_->multi.get(), state_->curl.get());
}

void HttpClient::set_credentials(const std::string& user, const std::string& password) {
    auto* curl = state_->curl.get();
    curl_easy_setopt(curl, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
    curl_easy_setopt(curl, CURLOPT_USERNAME, user.c_str());
    curl_easy_setopt(curl, CURLOPT_PASSWORD, password.c_str());
}

Result<HttpAnswer> HttpClient::perform(const HttpRequest& request) {
    begin(request);
    return finish();
}

void HttpClient::begin(const HttpRequest& request) {
    auto& state = *state_;
    auto* curl = state.curl.get();
    state.why[0] = '\0';
    state.body.clear();
    state.limit = request.answer_limit;
    state.dropped = 0;
    // Without an empty Expect a large body waits for a "100 Continue" that many servers never send.
    state.headers.reset(curl_slist_append(nullptr, "Expect:"));
    for (const auto& line : request.headers)
        state.headers.reset(curl_slist_append(state.headers.release(), line.c_str()));
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, state.headers.get());
    curl_easy_setopt(curl, CURLOPT_URL, (base_ + request.target).c_str());
    if (request.post) {
        curl_easy_setopt(curl, CURLOPT_POST, 1L);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
        // Null would mean that a callback gives the body.
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request.body.empty() ? "" : request.body.data());
    } else {
        curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);
    }
    if (interrupted_.load()) return;
    state.under_way = curl_multi_add_handle(state.multi.get(), curl) == CURLM_OK;
    for (int turn = 0; turn < kTurnsAtBegin && state.under_way; ++turn) {
        int running = 0;
        curl_off_t sent = 0;
        if (curl_multi_perform(state.multi.get(), &running) != CURLM_OK || running == 0) break;
        curl_easy_getinfo(curl, CURLINFO_SIZE_UPLOAD_T, &sent);
        if (sent >= static_cast<curl_off_t>(request.body.size())) break;
    }
}

Result<HttpAnswer> HttpClient::finish() {
    auto& state = *state_;
    auto* curl = state.curl.get();
    auto code = CURLE_FAILED_INIT;
    if (state.under_way) {
        code = end_of(state.multi.get());
        curl_multi_remove_handle(state.multi.get(), curl);
        state.under_way = false;
    }
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, nullptr);
    const bool too_much = code == CURLE_WRITE_ERROR && state.dropped > kReadBehind;
    if (code != CURLE_OK && !too_much) {
        if (interrupted_.load()) {
            return make_error(ErrorKind::kUnavailable,
                              fmt::format("{}: given up, the worker is stopping", host_));
        }
        return make_error(code == CURLE_OPERATION_TIMEDOUT ? ErrorKind::kTimeout : ErrorKind::kUnavailable,
                          fmt::format("{}: {}", host_,
                                      excerpt(state.why[0] != '\0' ? state.why : curl_easy_strerror(code))));
    }
    HttpAnswer answer;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer.status);
    answer.body = std::move(state.body);
    answer.cut = state.dropped > 0;
    curl_off_t wait = 0;
    if (curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &wait) == CURLE_OK && wait > 0) {
        answer.retry_after = std::min<std::chrono::seconds>(kLongestWait, std::chrono::seconds{wait});
    }
    return answer;
}

std::string HttpClient::excerpt(std::string_view said) const {
    // Masked before it is cut, or half a secret could remain.
    std::string text{said.substr(0, 4 * kExcerpt)};
    mask_.apply(text);
    std::replace_if(
        text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7F; }, ' ');
    while (!text.empty() && text.back() == ' ') text.pop_back();
    if (text.size() > kExcerpt) {
        auto end = kExcerpt;
        while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
        text.resize(end);
        text += "…";
    }
    return text;
}

std::string percent_encoded(std::string_view text) {
    std::string out;
    for (const char c : text) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                           c == '-' || c == '_' || c == '.' || c == '~';
        if (plain) {
            out += c;
        } else {
            out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
        }
    }
    return out;
}

}  // namespace fieldwarden::worker
