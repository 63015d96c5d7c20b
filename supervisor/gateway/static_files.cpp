#include "supervisor/gateway/static_files.h"

#include <zlib.h>

#include <algorithm>
#include <optional>

#include "supervisor/console/console_files.h"
#include "supervisor/gateway/problem.h"
#include "supervisor/gateway/representation.h"

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
    if (has_already(request.header("if-none-match"), file->etag)) {
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
