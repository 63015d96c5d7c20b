#include "supervisor/gateway/static_files.h"

#include <zlib.h>

#include <algorithm>
#include <optional>

#include "supervisor/console/console_files.h"
#include "supervisor/gateway/problem.h"

namespace fieldwarden::supervisor::gateway {

namespace {

using console::ConsoleFile;

constexpr std::string_view kPage = "/index.html";

// Element Plus places its poppers through the CSSOM, which style-src does not limit, so 'self' is enough for
// styles.
constexpr std::string_view kPolicy =
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'";

const ConsoleFile* find_file(std::string_view path) {
    const auto files = console::console_files();
    const auto found = std::ranges::lower_bound(files, path, {}, &ConsoleFile::path);
    return found != files.end() && found->path == path ? &*found : nullptr;
}

std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// RFC 9110 12.5.3. Browsers say "gzip, deflate, br"; a weight of nought refuses.
bool takes_gzip(std::string_view accept_encoding) {
    while (!accept_encoding.empty()) {
        const auto end = std::min(accept_encoding.find(','), accept_encoding.size());
        const auto item = trimmed(accept_encoding.substr(0, end));
        accept_encoding.remove_prefix(std::min(end + 1, accept_encoding.size()));
        const auto semicolon = std::min(item.find(';'), item.size());
        const auto coding = trimmed(item.substr(0, semicolon));
        if (coding != "gzip" && coding != "*") continue;
        const auto weight = trimmed(item.substr(std::min(semicolon + 1, item.size())));
        return !weight.starts_with("q=0") || weight.find_first_of("123456789") != std::string_view::npos;
    }
    return false;
}

// RFC 9110 13.1.2: a list of tags, compared weakly, or *.
bool has_tag(std::string_view if_none_match, std::string_view etag) {
    return if_none_match == "*" || if_none_match.find(etag) != std::string_view::npos;
}

// What the build compressed, so it fits its own size.
std::optional<std::string> unpacked(const ConsoleFile& file) {
    std::string text(file.size, '\0');
    z_stream stream{};
    constexpr int kGzipWindow = 15 + 16;
    if (inflateInit2(&stream, kGzipWindow) != Z_OK) return std::nullopt;
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(file.gzip.data()));
    stream.avail_in = static_cast<uInt>(file.gzip.size());
    stream.next_out = reinterpret_cast<Bytef*>(text.data());
    stream.avail_out = static_cast<uInt>(text.size());
    const int result = inflate(&stream, Z_FINISH);
    inflateEnd(&stream);
    if (result != Z_STREAM_END) return std::nullopt;
    return text;
}

}  // namespace

bool has_console() {
    return !console::console_files().empty();
}

bool is_console_path(const std::vector<std::string>& segments) {
    if (!has_console()) return false;
    if (segments.empty()) return true;
    if (segments[0] == "api" || segments[0] == "ws") return false;
    if (segments[0] != "assets" && (segments.size() > 1 || segments[0].find('.') == std::string::npos)) {
        return true;
    }
    std::string path;
    for (const auto& segment : segments) path += "/" + segment;
    return find_file(path) != nullptr;
}

HttpResponse serve_console(const HttpRequest& request) {
    const auto* file = find_file(request.path);
    if (!file) file = find_file(kPage);
    if (!file) return problem(404, "this build has no console");
    HttpResponse response;
    response.content_type = file->content_type;
    response.headers.emplace_back("ETag", file->etag);
    response.headers.emplace_back("Vary", "Accept-Encoding");
    response.headers.emplace_back("Cache-Control",
                                  file->immutable ? "public, max-age=31536000, immutable" : "no-cache");
    response.headers.emplace_back("Content-Security-Policy", kPolicy);
    response.headers.emplace_back("Referrer-Policy", "same-origin");
    if (has_tag(request.header("if-none-match"), file->etag)) {
        response.status = 304;
        return response;
    }
    if (takes_gzip(request.header("accept-encoding"))) {
        response.headers.emplace_back("Content-Encoding", "gzip");
        response.body = file->gzip;
        return response;
    }
    auto text = unpacked(*file);
    if (!text) return problem(500, "a file of the console is damaged in this program");
    response.body = std::move(*text);
    return response;
}

}  // namespace fieldwarden::supervisor::gateway
