#include "supervisor/gateway/multipart.h"

#include <algorithm>
#include <utility>

#include "supervisor/gateway/uri.h"

namespace fieldwarden::supervisor::gateway {

namespace {

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
    return std::ranges::equal(a, b, [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

Error malformed(std::string_view what) {
    return make_error(ErrorKind::kInvalidArgument, "malformed multipart body: " + std::string(what));
}

// `value; name="text"; other=token`: the leading value, then each parameter to `visit`. False when it does
// not parse.
template <class Visit>
bool read_parameters(std::string_view text, std::string& value, Visit visit) {
    const auto first = std::min(text.find(';'), text.size());
    value = trimmed(text.substr(0, first));
    text.remove_prefix(first);
    while (!text.empty()) {
        text.remove_prefix(1);  // ';'
        text = trimmed(text);
        if (text.empty()) break;
        const auto equals = text.find('=');
        if (equals == std::string_view::npos) return false;
        const auto name = trimmed(text.substr(0, equals));
        text = trimmed(text.substr(equals + 1));
        std::string parameter;
        if (text.starts_with('"')) {
            std::size_t i = 1;
            for (; i < text.size() && text[i] != '"'; ++i) {
                // Browsers escape only the quote; a backslash before anything else is the name's own.
                if (text[i] == '\\' && i + 1 < text.size() && text[i + 1] == '"') ++i;
                parameter.push_back(text[i]);
            }
            if (i >= text.size()) return false;
            text = trimmed(text.substr(i + 1));
            if (!text.empty() && text.front() != ';') return false;
        } else {
            const auto end = std::min(text.find(';'), text.size());
            parameter = trimmed(text.substr(0, end));
            text.remove_prefix(end);
        }
        visit(name, parameter);
    }
    return true;
}

}  // namespace

std::optional<std::string> multipart_boundary(std::string_view content_type) {
    std::string value;
    std::string boundary;
    const bool parsed =
        read_parameters(content_type, value, [&](std::string_view name, const std::string& text) {
            if (equal_ignoring_case(name, "boundary")) boundary = text;
        });
    // RFC 2046, section 5.1.1: 1 to 70 characters, not ending with white space.
    const auto printable = [](char c) { return c >= ' ' && c < 0x7f; };
    if (!parsed || !equal_ignoring_case(value, "multipart/form-data") || boundary.empty() ||
        boundary.size() > 70 || boundary.back() == ' ' || !std::ranges::all_of(boundary, printable)) {
        return std::nullopt;
    }
    return boundary;
}

Result<PartHeader> parse_part_header(std::string_view block) {
    std::optional<PartHeader> header;
    while (!block.empty()) {
        const auto end = std::min(block.find("\r\n"), block.size());
        const auto line = block.substr(0, end);
        block.remove_prefix(std::min(end + 2, block.size()));
        const auto colon = line.find(':');
        if (colon == std::string_view::npos) return malformed("a part's header line without a colon");
        if (!equal_ignoring_case(trimmed(line.substr(0, colon)), "content-disposition")) continue;
        if (header) return malformed("two Content-Disposition headers in one part");
        header.emplace();
        std::string value;
        bool named = false;
        const bool parsed = read_parameters(
            line.substr(colon + 1), value, [&](std::string_view name, const std::string& text) {
                if (equal_ignoring_case(name, "name")) {
                    header->name = text;
                    named = true;
                } else if (equal_ignoring_case(name, "filename")) {
                    if (!header->file_name) header->file_name = text;
                } else if (equal_ignoring_case(name, "filename*")) {
                    // RFC 8187: charset'language'percent-encoded. Better than the plain form when both are
                    // there.
                    constexpr std::string_view kUtf8 = "utf-8''";
                    if (text.size() > kUtf8.size() &&
                        equal_ignoring_case(text.substr(0, kUtf8.size()), kUtf8)) {
                        if (auto decoded = percent_decode(std::string_view(text).substr(kUtf8.size()))) {
                            header->file_name = std::move(*decoded);
                        }
                    }
                }
            });
        if (!parsed || !equal_ignoring_case(value, "form-data") || !named) {
            return malformed("a part's Content-Disposition is not form-data with a name");
        }
    }
    if (!header) return malformed("a part without Content-Disposition");
    if (!valid_utf8(header->name) || (header->file_name && !valid_utf8(*header->file_name))) {
        return malformed("a part's name is not UTF-8");
    }
    return std::move(*header);
}

MultipartParser::MultipartParser(std::string_view boundary, Sink sink)
    : delimiter_("\r\n--" + std::string(boundary)), sink_(std::move(sink)), pending_("\r\n") {
    // The first boundary may stand at the very start of the body: the leading CRLF makes it look like the
    // rest.
}

Status MultipartParser::feed(std::string_view bytes) {
    if (state_ == State::kEpilogue) return {};
    pending_.append(bytes);
    for (;;) {
        auto result = step();
        if (!result) return result.error();
        if (*result == Step::kWait) return {};
    }
}

Result<MultipartParser::Step> MultipartParser::step() {
    switch (state_) {
        case State::kPreamble:
            return read_preamble();
        case State::kAfterBoundary:
            return read_after_boundary();
        case State::kHeaders:
            return read_headers();
        case State::kData:
            return read_data();
        case State::kEpilogue:
            pending_.clear();
            return Step::kWait;
    }
    return Step::kWait;
}

Result<MultipartParser::Step> MultipartParser::read_preamble() {
    const auto at = pending_.find(delimiter_);
    if (at == std::string::npos) {
        if (pending_.size() > delimiter_.size()) pending_.erase(0, pending_.size() - delimiter_.size());
        return Step::kWait;
    }
    pending_.erase(0, at + delimiter_.size());
    state_ = State::kAfterBoundary;
    return Step::kMore;
}

Result<MultipartParser::Step> MultipartParser::read_after_boundary() {
    // "--" closes the body; otherwise optional blanks (transport padding) and CRLF lead to the next part.
    const auto padding = std::min(pending_.find_first_not_of(" \t"), pending_.size());
    if (padding > kMostHeaderBytes) return malformed("endless padding after a boundary");
    if (pending_.size() - padding < 2) return Step::kWait;
    const auto two = std::string_view(pending_).substr(padding, 2);
    if (two == "--" && padding == 0) {
        state_ = State::kEpilogue;
        return Step::kMore;
    }
    if (two != "\r\n") return malformed("a boundary is not followed by a line end");
    if (++parts_ > kMostParts) return malformed("more than 32 parts");
    // The line end stays: an empty header block is then found like any other.
    pending_.erase(0, padding);
    state_ = State::kHeaders;
    return Step::kMore;
}

Result<MultipartParser::Step> MultipartParser::read_headers() {
    const auto end = pending_.find("\r\n\r\n");
    if (end == std::string::npos || end > kMostHeaderBytes) {
        if (pending_.size() > kMostHeaderBytes) return malformed("a part's header is longer than 8 KiB");
        return Step::kWait;
    }
    auto header =
        parse_part_header(end <= 2 ? std::string_view{} : std::string_view(pending_).substr(2, end - 2));
    if (!header) return header.error();
    if (auto begun = sink_.begin(*header); !begun) return begun.error();
    pending_.erase(0, end + 4);
    state_ = State::kData;
    return Step::kMore;
}

Result<MultipartParser::Step> MultipartParser::read_data() {
    const auto at = pending_.find(delimiter_);
    // Without a delimiter, all but what could be its beginning is data.
    const auto sure =
        at != std::string::npos ? at : pending_.size() - std::min(pending_.size(), delimiter_.size() - 1);
    if (sure > 0) {
        if (auto written = sink_.data(std::string_view(pending_).substr(0, sure)); !written)
            return written.error();
    }
    if (at == std::string::npos) {
        pending_.erase(0, sure);
        return Step::kWait;
    }
    if (auto ended = sink_.end(); !ended) return ended.error();
    pending_.erase(0, at + delimiter_.size());
    state_ = State::kAfterBoundary;
    return Step::kMore;
}

}  // namespace fieldwarden::supervisor::gateway
