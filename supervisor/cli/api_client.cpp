#include "supervisor/cli/api_client.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "supervisor/cli/json_text.h"
#include "supervisor/cli/terminal.h"

namespace fieldwarden::supervisor::cli {

namespace {

constexpr long kConnectTimeoutSeconds = 5;
constexpr long kAnswerTimeoutSeconds = 600;  // an apply of a very large workbook
constexpr std::size_t kLargestAnswer = 512U << 20;

struct SlistFree {
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
struct MimeFree {
    void operator()(curl_mime* mime) const { curl_mime_free(mime); }
};

}  // namespace

std::string first_line_of(const std::string& path) {
    std::string line;
    std::ifstream file{path};
    std::getline(file, line);
    while (line.ends_with('\r') || line.ends_with(' ')) line.pop_back();
    return line;
}

struct ApiClient::Handle {
    CURL* curl = nullptr;
    Handle() {
        curl_global_init(CURL_GLOBAL_DEFAULT);
        curl = curl_easy_init();
    }
    ~Handle() {
        curl_easy_cleanup(curl);
        curl_global_cleanup();
    }
    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;
};

struct ApiClient::Call {
    std::string path;
    std::string label;
    std::string label_when_sent;        // instead, once all is sent and the answer awaited
    const std::string* body = nullptr;  // POST of JSON
    const char* method = nullptr;       // other than GET and POST
    curl_mime* form = nullptr;          // POST of a form
    std::vector<std::string> headers;
    long timeout_seconds = kAnswerTimeoutSeconds;
    // Takes the bytes of a 2xx answer; false ends the call.
    std::function<bool(std::string_view)> sink;

    CURL* curl = nullptr;
    ProgressLine* progress = nullptr;
    std::string refusal;  // body of any other answer, cut
    bool ended_by_sink = false;
    long status = 0;
};

ApiClient::ApiClient(std::string server, std::string token, std::string pin_file, std::string authorities)
    : server_(std::move(server)),
      token_(std::move(token)),
      pin_file_(std::move(pin_file)),
      authorities_(std::move(authorities)),
      handle_(std::make_unique<Handle>()) {
    if (server_.find("://") == std::string::npos) server_ = "http://" + server_;
    while (server_.ends_with('/')) server_.pop_back();
}

ApiClient::~ApiClient() = default;

std::string ApiClient::escaped(std::string_view text) {
    constexpr std::string_view kHex = "0123456789ABCDEF";
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                           c == '-' || c == '_' || c == '.' || c == '~';
        if (plain) {
            out += c;
        } else {
            out += '%';
            out += kHex[byte >> 4U];
            out += kHex[byte & 15U];
        }
    }
    return out;
}

int ApiClient::transfer(Call& call, const std::string& pin) {
    CURL* curl = handle_->curl;
    curl_easy_reset(curl);
    call.curl = curl;
    ProgressLine progress{call.label};
    call.progress = &progress;

    const auto url = server_ + "/api/v1" + call.path;
    std::unique_ptr<curl_slist, SlistFree> headers;
    const auto add_header = [&](const std::string& line) {
        headers.reset(curl_slist_append(headers.release(), line.c_str()));
    };
    if (!token_.empty()) add_header("Authorization: Bearer " + token_);
    for (const auto& header : call.headers) add_header(header);
    if (call.body != nullptr) {
        add_header("Content-Type: application/json");
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, call.body->c_str());
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(call.body->size()));
    }
    if (call.method != nullptr) curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, call.method);
    if (call.form != nullptr) curl_easy_setopt(curl, CURLOPT_MIMEPOST, call.form);
    add_header("Expect:");  // no pause before a large upload
    curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, kConnectTimeoutSeconds);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, call.timeout_seconds);
    if (!pin.empty()) {
        // The key alone says who it is.
        curl_easy_setopt(curl, CURLOPT_PINNEDPUBLICKEY, pin.c_str());
        curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
    } else if (!authorities_.empty()) {
        curl_easy_setopt(curl, CURLOPT_CAINFO, authorities_.c_str());
    }
    // A proxy of the environment cannot reach this machine's loopback.
    for (const std::string_view host : {"//127.", "//localhost", "//[::1]"}) {
        if (server_.find(host) != std::string::npos) curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    }
    curl_write_callback write = [](char* data, std::size_t size, std::size_t count,
                                   void* user) -> std::size_t {
        auto& running = *static_cast<Call*>(user);
        const std::string_view bytes{data, size * count};
        curl_easy_getinfo(running.curl, CURLINFO_RESPONSE_CODE, &running.status);
        if (running.status < 200 || running.status > 299) {
            constexpr std::size_t kLongestRefusal = 1U << 20;
            if (running.refusal.size() < kLongestRefusal) running.refusal += bytes;
            return bytes.size();
        }
        if (running.sink(bytes)) return bytes.size();
        running.ended_by_sink = true;
        return 0;
    };
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, write);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &call);
    curl_xferinfo_callback show = [](void* user, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                                     curl_off_t up) -> int {
        auto& running = *static_cast<Call*>(user);
        auto& line = *running.progress;
        if (up_total > 0 && up >= up_total && !running.label_when_sent.empty())
            line.relabel(running.label_when_sent);
        if (up_total > 0 && up < up_total) {
            line.update(static_cast<std::uint64_t>(up), static_cast<std::uint64_t>(up_total));
        } else {
            line.update(static_cast<std::uint64_t>(down), static_cast<std::uint64_t>(down_total));
        }
        return 0;
    };
    if (!call.label.empty()) {
        curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, show);
        curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &call);
        curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    }
    const CURLcode code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &call.status);
    return code;
}

Status ApiClient::perform(Call& call) {
    if (handle_->curl == nullptr) return make_error(ErrorKind::kInternal, "the HTTP library does not start");
    const auto pin = first_line_of(pin_file_);
    auto code = static_cast<CURLcode>(transfer(call, pin));
    if (code == CURLE_SSL_PINNEDPUBKEYNOTMATCH) {
        // The server may take up a renewed certificate with this very connection, and has then told its pin.
        if (const auto renewed = first_line_of(pin_file_); renewed != pin)
            code = static_cast<CURLcode>(transfer(call, renewed));
    }
    if (call.ended_by_sink) return {};
    if (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL) {
        return make_error(ErrorKind::kInvalidArgument,
                          fmt::format("'{}' is no address of a supervisor; write http://host:port", server_));
    }
    if (code == CURLE_SSL_CACERT_BADFILE) {
        return make_error(
            ErrorKind::kUnavailable,
            fmt::format("the authority's certificate cannot be read from '{}' (--ca-file)", authorities_));
    }
    if (code == CURLE_SSL_CONNECT_ERROR) {
        return make_error(
            ErrorKind::kUnavailable,
            fmt::format("{} does not speak HTTPS as we do: {}. Write http:// if it has no certificate",
                        server_, curl_easy_strerror(code)));
    }
    if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_PINNEDPUBKEYNOTMATCH) {
        return make_error(
            ErrorKind::kUnavailable,
            fmt::format(
                "{} is not trusted: {}. On the supervisor's own machine --data-dir lets its certificate be "
                "known; elsewhere name the authority's certificate with --ca-file or FIELDWARDEN_CA_FILE",
                server_, curl_easy_strerror(code)));
    }
    if (code != CURLE_OK) {
        return make_error(
            ErrorKind::kUnavailable,
            fmt::format(
                "cannot reach the supervisor at {}: {}. Is it running (fieldwarden serve, systemctl status "
                "fieldwarden)? Another address: --server or FIELDWARDEN_SERVER",
                server_, curl_easy_strerror(code)));
    }
    if (call.status < 200 || call.status > 299) return refused(call.status, call.refusal);
    return {};
}

Error ApiClient::refused(long status, const std::string& body) const {
    const auto problem = Json::parse(body, nullptr, false);
    std::string text = text_of(problem, "detail");
    if (text.empty()) text = text_of(problem, "title");
    for (const auto& error : items_of(member(problem, "errors"))) {
        // The detail may be the only one of them already.
        const auto message = text_of(error, "message");
        if (text.find(message) == std::string::npos)
            text += fmt::format("; {}: {}", text_of(error, "field"), message);
    }
    if (text.empty()) text = fmt::format("{} answered HTTP {}", server_, status);
    if (status == 401) {
        text += token_.empty() ? ". No token was found: pass --data-dir (its admin.token is used), --token "
                                 "or FIELDWARDEN_TOKEN"
                               : ". The token in use is not this supervisor's: see --token, "
                                 "FIELDWARDEN_TOKEN and --data-dir";
        return make_error(ErrorKind::kInvalidArgument, text);
    }
    if (status == 404) return make_error(ErrorKind::kNotFound, text);
    if (status == 409) return make_error(ErrorKind::kConflict, text);
    return make_error(status < 500 ? ErrorKind::kInvalidArgument : ErrorKind::kInternal, text);
}

Result<Json> ApiClient::json_call(Call& call) {
    std::string body;
    call.sink = [&](std::string_view bytes) {
        if (body.size() + bytes.size() > kLargestAnswer) return false;
        body += bytes;
        return true;
    };
    if (const auto done = perform(call); !done) return done.error();
    if (call.ended_by_sink) {
        return make_error(ErrorKind::kTooLarge,
                          fmt::format("{} answered with more than {} MB", server_, kLargestAnswer >> 20));
    }
    using boost::system::in_place_value;  // Json converts from too much for a plain return
    if (body.empty()) return Result<Json>{in_place_value, nullptr};
    auto json = Json::parse(body, nullptr, false);
    if (json.is_discarded()) {
        return make_error(
            ErrorKind::kCorrupt,
            fmt::format("{} answered something that is no JSON; is it a Fieldwarden supervisor?", server_));
    }
    return Result<Json>{in_place_value, std::move(json)};
}

Result<Json> ApiClient::get(const std::string& path, const std::string& label) {
    Call call;
    call.path = path;
    call.label = label;
    return json_call(call);
}

Result<Json> ApiClient::post(const std::string& path, const Json& body, const std::string& label) {
    const auto text = dumped(body);
    Call call;
    call.path = path;
    call.label = label;
    call.body = &text;
    return json_call(call);
}

Result<Json> ApiClient::patch(const std::string& path, const Json& body) {
    const auto text = dumped(body);
    Call call;
    call.path = path;
    call.label = "waiting for the supervisor";
    call.method = "PATCH";
    call.body = &text;
    return json_call(call);
}

Result<Json> ApiClient::remove(const std::string& path) {
    Call call;
    call.path = path;
    call.label = "waiting for the supervisor";
    call.method = "DELETE";
    return json_call(call);
}

Result<Json> ApiClient::upload(const std::string& path, const std::string& file, const std::string& file_name,
                               const std::vector<std::pair<std::string, std::string>>& fields) {
    const std::unique_ptr<curl_mime, MimeFree> form{curl_mime_init(handle_->curl)};
    curl_mimepart* part = curl_mime_addpart(form.get());
    curl_mime_name(part, "file");
    if (curl_mime_filedata(part, file.c_str()) != CURLE_OK) {
        return make_error(ErrorKind::kIo, fmt::format("{}: cannot be read: {}", file, errno_text(errno)));
    }
    curl_mime_filename(part, file_name.c_str());
    for (const auto& [name, value] : fields) {
        part = curl_mime_addpart(form.get());
        curl_mime_name(part, name.c_str());
        curl_mime_data(part, value.c_str(), value.size());
    }
    Call call;
    call.path = path;
    call.label = "uploading " + file_name;
    call.label_when_sent = "checking " + file_name;
    call.form = form.get();
    return json_call(call);
}

Status ApiClient::download(const std::string& path, const std::string& destination) {
    const bool to_stdout = destination == "-";
    // Beside the destination, so that the rename stays on one file system.
    const auto partial = fmt::format("{}.part-{}", destination, ::getpid());
    std::FILE* file = stdout;
    if (!to_stdout) {
        const int descriptor = ::open(partial.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        file = descriptor < 0 ? nullptr : ::fdopen(descriptor, "wb");
        if (file == nullptr) {
            return make_error(ErrorKind::kIo,
                              fmt::format("{}: cannot be written: {}", partial, errno_text(errno)));
        }
    }
    bool written = true;
    Call call;
    call.path = path;
    call.label = "downloading";
    call.sink = [&](std::string_view bytes) {
        written = std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size();
        return written;
    };
    const auto fetched = perform(call);
    int failure = written ? 0 : errno;
    if (std::fflush(file) != 0) failure = errno;
    if (!to_stdout && std::fclose(file) != 0) failure = errno;
    if (fetched && failure == 0 && (to_stdout || std::rename(partial.c_str(), destination.c_str()) == 0))
        return {};
    if (fetched && failure == 0) failure = errno;
    if (!to_stdout) ::unlink(partial.c_str());
    if (!fetched) return fetched;
    return make_error(ErrorKind::kIo,
                      fmt::format("{}: cannot be written: {}", destination, errno_text(failure)));
}

Result<std::vector<Json>> ApiClient::get_all(const std::string& path) {
    constexpr std::size_t kPageSize = 1000;
    const auto joint = path.find('?') == std::string::npos ? '?' : '&';
    std::vector<Json> all;
    std::string place;
    for (std::size_t page = 1;; ++page) {
        const auto answer = get(fmt::format("{}{}page_size={}{}", path, joint, kPageSize, place));
        if (!answer) return answer.error();
        auto items = items_of(*answer);
        const auto got = items.size();
        std::move(items.begin(), items.end(), std::back_inserter(all));
        if (got == 0) return all;
        // By cursor, so that a row that comes or goes meanwhile neither repeats nor skips another.
        if (const auto next = answer->find("next"); next != answer->end()) {
            if (!next->is_string()) return all;
            place = "&cursor=" + next->get<std::string>();
        } else {
            if (static_cast<double>(all.size()) >= number_of(*answer, "total")) return all;
            place = fmt::format("&page={}", page + 1);
        }
    }
}

Status ApiClient::stream(const std::string& path, const std::vector<std::string>& headers,
                         const std::function<bool(std::string_view)>& on_bytes) {
    Call call;
    call.path = path;
    call.headers = headers;
    call.headers.emplace_back("Accept: text/event-stream");
    call.timeout_seconds = 0;
    call.sink = on_bytes;
    return perform(call);
}

}  // namespace fieldwarden::supervisor::cli
