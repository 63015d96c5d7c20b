#include "supervisor/gateway/api/json_input.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "supervisor/gateway/uri.h"

namespace fieldwarden::supervisor::gateway {

using proto::Json;

namespace {

constexpr std::size_t kMostShown = 100;

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// The parser itself takes any depth; what walks the value later recurses.
bool too_deep(std::string_view text) {
    int depth = 0;
    bool in_string = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (in_string) {
            if (c == '\\') ++i;
            if (c == '"') in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '[' || c == '{') {
            if (++depth > kDeepestJson) return true;
        } else if (c == ']' || c == '}') {
            --depth;
        }
    }
    return false;
}

// Cuts at a character boundary.
std::string cut(std::string text) {
    if (text.size() <= kMostShown) return text;
    std::size_t end = kMostShown;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
    return text.substr(0, end) + "…";
}

std::optional<std::int64_t> parse_integer(std::string_view text) {
    std::int64_t value = 0;
    const auto* end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, value);
    if (text.empty() || error != std::errc{} || rest != end) return std::nullopt;
    return value;
}

// Numbers by value, everything else by text; null and missing come first.
bool less(const Json& a, const Json& b) {
    if (a.is_number() && b.is_number()) return a.get<double>() < b.get<double>();
    if (a.is_string() && b.is_string())
        return a.get_ref<const std::string&>() < b.get_ref<const std::string&>();
    return a < b;
}

const Json& member_or_null(const Json& row, const std::string& name) {
    static const Json kNull;
    const auto found = row.find(name);
    return found == row.end() ? kNull : *found;
}

}  // namespace

std::optional<Json> parse_json(std::string_view text) {
    if (too_deep(text)) return std::nullopt;
    auto json = Json::parse(text, nullptr, false);
    if (json.is_discarded()) return std::nullopt;
    return json;
}

OrRefusal<Json> read_object(const HttpRequest& request, bool may_be_empty) {
    if (request.body.empty() && may_be_empty)
        return OrRefusal<Json>{boost::system::in_place_value, Json::object()};
    const auto type = request.header("content-type");
    const auto media = type.substr(0, std::min(type.find(';'), type.size()));
    std::string lowered;
    for (const char c : media) {
        if (c != ' ' && c != '\t') lowered.push_back(lower(c));
    }
    if (lowered != "application/json" && lowered != "application/merge-patch+json") {
        return problem(415, "send the body as Content-Type: application/json");
    }
    auto json = parse_json(request.body);
    if (!json) return problem(400, "the body is not JSON (UTF-8, nested at most 32 deep)");
    if (!json->is_object()) return problem(400, "the body is not a JSON object");
    return OrRefusal<Json>{boost::system::in_place_value, std::move(*json)};
}

std::string shown(const Json& value) {
    return cut(value.is_string() ? value.get<std::string>() : dump(value));
}

const Json* Members::take(std::string_view name) {
    taken_.emplace_back(name);
    const auto found = object_.find(name);
    return found == object_.end() || found->is_null() ? nullptr : &*found;
}

void Members::add_error(std::string_view name, std::string_view code, std::string message) {
    const auto found = object_.find(name);
    errors_.push_back({std::string(name), std::string(code), std::move(message),
                       found == object_.end() ? std::string{} : shown(*found)});
}

std::optional<std::string> Members::text(std::string_view name) {
    const auto* value = take(name);
    if (!value) return std::nullopt;
    if (!value->is_string()) {
        add_error(name, "bad_value", fmt::format("{} is a text", name));
        return std::nullopt;
    }
    return value->get<std::string>();
}

std::optional<std::int64_t> Members::integer(std::string_view name, std::int64_t least, std::int64_t most) {
    const auto* value = take(name);
    if (!value) return std::nullopt;
    const bool fits = value->is_number_integer() &&
                      (!value->is_number_unsigned() ||
                       value->get<std::uint64_t>() <= static_cast<std::uint64_t>(INT64_MAX)) &&
                      value->get<std::int64_t>() >= least && value->get<std::int64_t>() <= most;
    if (!fits) {
        add_error(name, "bad_value", fmt::format("{} is a whole number from {} to {}", name, least, most));
        return std::nullopt;
    }
    return value->get<std::int64_t>();
}

std::optional<bool> Members::flag(std::string_view name) {
    const auto* value = take(name);
    if (!value) return std::nullopt;
    if (!value->is_boolean()) {
        add_error(name, "bad_value", fmt::format("{} is true or false", name));
        return std::nullopt;
    }
    return value->get<bool>();
}

std::optional<std::vector<std::string>> Members::texts(std::string_view name, std::size_t most) {
    const auto* value = take(name);
    if (!value) return std::nullopt;
    const bool fits = value->is_array() && value->size() <= most &&
                      std::ranges::all_of(*value, [](const Json& each) { return each.is_string(); });
    if (!fits) {
        add_error(name, "bad_value", fmt::format("{} is an array of at most {} texts", name, most));
        return std::nullopt;
    }
    return value->get<std::vector<std::string>>();
}

const Json* Members::object(std::string_view name) {
    const auto* value = take(name);
    if (value && !value->is_object()) {
        add_error(name, "bad_value", fmt::format("{} is an object", name));
        return nullptr;
    }
    return value;
}

std::optional<HttpResponse> Members::finish() {
    for (const auto& [name, value] : object_.items()) {
        if (errors_.size() >= kMostShown) break;
        if (std::ranges::find(taken_, name) == taken_.end()) {
            errors_.push_back({cut(name), "unknown_member", "there is no such member here", shown(value)});
        }
    }
    if (errors_.empty()) return std::nullopt;
    return problem(422, fmt::format("{} of the body: {}", errors_.front().field, errors_.front().message),
                   errors_);
}

HttpResponse bad_parameter(std::string_view name, std::string message, std::string_view value) {
    auto detail = fmt::format("the parameter {}: {}", name, message);
    return problem(400, detail,
                   {{std::string(name), "bad_value", std::move(message), cut(std::string(value))}});
}

OrRefusal<std::optional<std::int64_t>> read_integer(const HttpRequest& request, std::string_view name,
                                                    std::int64_t least, std::int64_t most) {
    const auto text = request.query_value(name);
    if (!text) return std::optional<std::int64_t>{};
    const auto value = parse_integer(*text);
    if (!value || *value < least || *value > most) {
        return bad_parameter(name, fmt::format("a whole number from {} to {}", least, most), *text);
    }
    return value;
}

OrRefusal<std::optional<UtcTime>> read_time(const HttpRequest& request, std::string_view name) {
    const auto text = request.query_value(name);
    if (!text) return std::optional<UtcTime>{};
    const auto time = parse_rfc3339(*text);
    if (!time)
        return bad_parameter(name, "a time as RFC 3339 writes it, such as 2026-11-22T08:00:00Z", *text);
    return std::optional{*time};
}

OrRefusal<std::optional<bool>> read_flag(const HttpRequest& request, std::string_view name) {
    const auto text = request.query_value(name);
    if (!text) return std::optional<bool>{};
    if (*text == "true" || *text == "1" || text->empty()) return std::optional{true};
    if (*text == "false" || *text == "0") return std::optional{false};
    return bad_parameter(name, "true or false", *text);
}

OrRefusal<ListQuery> read_list_query(const HttpRequest& request,
                                     const std::vector<std::string_view>& sortable, Cursors cursors) {
    ListQuery query;
    const auto page = read_integer(request, "page", 1, 1'000'000);
    if (!page) return page.error();
    const auto page_size = read_integer(request, "page_size", 1, 1000);
    if (!page_size) return page_size.error();
    query.page.page = static_cast<std::uint32_t>(page->value_or(1));
    query.page.page_size = static_cast<std::uint32_t>(page_size->value_or(50));
    query.q = request.query_value("q").value_or("");
    if (query.q.size() > 200) return bad_parameter("q", "at most 200 bytes", query.q);
    std::string_view sort = request.query_value("sort").value_or("");
    if (sort.starts_with('-')) {
        query.descending = true;
        sort.remove_prefix(1);
    }
    if ((!sort.empty() || query.descending) && std::ranges::find(sortable, sort) == sortable.end()) {
        std::string names;
        for (const auto name : sortable) names += fmt::format("{}{}", names.empty() ? "" : ", ", name);
        return bad_parameter("sort", fmt::format("one of {}; a leading '-' for descending", names), sort);
    }
    query.sort = sort;
    if (const auto cursor = request.query_value("cursor")) {
        if (cursors == Cursors::kNone) return bad_parameter("cursor", "this list has no cursors", *cursor);
        if (request.query_value("page")) {
            return bad_parameter("cursor", "a cursor takes the place of page; send one of them", *cursor);
        }
        query.after = read_cursor(*cursor, query.order());
        if (!query.after) {
            return bad_parameter("cursor", "the `next` of a page of this list, asked for in the same order",
                                 *cursor);
        }
    }
    return query;
}

std::optional<std::int64_t> number_in_path(const std::string& text) {
    return parse_integer(text);
}

Language language_of_request(const HttpRequest& request) {
    if (const auto language = request.query_value("lang")) return language_of(*language);
    return language_of(request.header("accept-language"));
}

Actor actor_of(const HttpRequest& request) {
    return {request.identity.username, std::string(to_name(request.identity.role)), request.remote};
}

HttpResponse page_response(Json items, const PageRequest& page, std::uint64_t total) {
    return json_response(
        {{"items", std::move(items)}, {"page", page.page}, {"page_size", page.page_size}, {"total", total}});
}

HttpResponse page_response(Json items, const ListQuery& query, std::uint64_t total,
                           const std::optional<Place>& last) {
    return json_response({{"items", std::move(items)},
                          {"page", query.page.page},
                          {"page_size", query.page.page_size},
                          {"total", total},
                          {"next", last ? Json(query.cursor_at(*last)) : Json(nullptr)}});
}

HttpResponse written_page_response(std::string_view items, const PageRequest& page, std::uint64_t total) {
    HttpResponse response;
    response.body.reserve(items.size() + 80);
    response.body = R"({"items":[)";
    response.body += items;
    fmt::format_to(std::back_inserter(response.body), R"(],"page":{},"page_size":{},"total":{}}})", page.page,
                   page.page_size, total);
    return response;
}

bool contains_ignoring_case(std::string_view text, std::string_view part) {
    // ASCII letters only: codes and names in other scripts have no case to ignore.
    // (Not std::ranges::search: clang 14, which builds the fuzz targets, cannot compile libstdc++'s
    // subrange.)
    const auto same = [](char a, char b) { return lower(a) == lower(b); };
    return part.empty() ||
           std::search(text.begin(), text.end(), part.begin(), part.end(), same) != text.end();
}

namespace {

void keep_found(std::vector<Json>& rows, const std::string& q,
                const std::vector<std::string_view>& searched) {
    if (q.empty()) return;
    std::erase_if(rows, [&](const Json& row) {
        return std::ranges::none_of(searched, [&](std::string_view name) {
            const auto& member = member_or_null(row, std::string(name));
            return member.is_string() && contains_ignoring_case(member.get_ref<const std::string&>(), q);
        });
    });
}

}  // namespace

HttpResponse list_response(std::vector<Json> rows, const ListQuery& query,
                           const std::vector<std::string_view>& searched) {
    keep_found(rows, query.q, searched);
    if (!query.sort.empty()) {
        std::ranges::stable_sort(rows, [&](const Json& a, const Json& b) {
            const auto& left = member_or_null(a, query.sort);
            const auto& right = member_or_null(b, query.sort);
            return query.descending ? less(right, left) : less(left, right);
        });
    }
    const auto total = rows.size();
    const auto begin = std::min<std::size_t>(total, std::size_t{query.page.page - 1} * query.page.page_size);
    const auto end = std::min<std::size_t>(total, begin + query.page.page_size);
    Json items = Json::array();
    for (auto i = begin; i < end; ++i) items.push_back(std::move(rows[i]));
    return page_response(std::move(items), query.page, total);
}

HttpResponse list_response(std::vector<Json> rows, const ListQuery& query, const Listed& listed) {
    keep_found(rows, query.q, listed.searched);
    const auto place_of = [&](const Json& row) {
        return Place{query.sort.empty() ? Json(nullptr) : sort_value(member_or_null(row, query.sort)),
                     member_or_null(row, listed.id)};
    };
    const bool descending = query.sort.empty() ? listed.newest_first : query.descending;
    if (!query.sort.empty()) {
        std::vector<std::pair<Place, Json>> placed;
        placed.reserve(rows.size());
        for (auto& row : rows) {
            auto place = place_of(row);
            placed.emplace_back(std::move(place), std::move(row));
        }
        std::sort(placed.begin(), placed.end(), [&](const auto& a, const auto& b) {
            return descending ? before(b.first, a.first) : before(a.first, b.first);
        });
        for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = std::move(placed[i].second);
    }
    const auto total = rows.size();
    const auto cut = cut_page(total, query.page.page, query.page.page_size, query.after, descending,
                              [&](std::size_t i) { return place_of(rows[i]); });
    std::optional<Place> last;
    if (cut.end < total && cut.end > cut.begin) last = place_of(rows[cut.end - 1]);
    Json items = Json::array();
    for (auto i = cut.begin; i < cut.end; ++i) items.push_back(std::move(rows[i]));
    return page_response(std::move(items), query, total, last);
}

}  // namespace fieldwarden::supervisor::gateway
