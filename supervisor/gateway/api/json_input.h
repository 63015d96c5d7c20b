// Reading what a client sent: JSON bodies, list parameters, times. Every wrong member is reported, not only
// the first.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.h"
#include "supervisor/gateway/api/paging.h"
#include "supervisor/gateway/problem.h"
#include "supervisor/store/store.h"
#include "supervisor/workbook/language.h"

namespace fieldwarden::supervisor::gateway {

inline constexpr int kDeepestJson = 32;

// nullopt when it is not JSON, not UTF-8, or nested deeper than kDeepestJson.
std::optional<proto::Json> parse_json(std::string_view text);

// The body as an object: 415 when it is not sent as JSON, 400 when it is no JSON object. An empty body is an
// empty object when `may_be_empty`.
OrRefusal<proto::Json> read_object(const HttpRequest& request, bool may_be_empty = false);

// Takes the members of an object one after the other, by name and type.
class Members {
  public:
    explicit Members(const proto::Json& object) : object_(object) {}

    std::optional<std::string> text(std::string_view name);
    std::optional<std::int64_t> integer(std::string_view name, std::int64_t least, std::int64_t most);
    std::optional<bool> flag(std::string_view name);
    std::optional<std::vector<std::string>> texts(std::string_view name, std::size_t most);
    const proto::Json* object(std::string_view name);
    const proto::Json* any(std::string_view name) { return take(name); }
    void add_error(std::string_view name, std::string_view code, std::string message);
    [[nodiscard]] bool failed() const { return !errors_.empty(); }

    // Refuses (422) when a member was wrong, or one was never asked for.
    [[nodiscard]] std::optional<HttpResponse> finish();

  private:
    const proto::Json* take(std::string_view name);
    const proto::Json& object_;
    std::vector<std::string> taken_;
    std::vector<FieldError> errors_;
};

// A JSON value as an error shows it, cut to a readable length.
std::string shown(const proto::Json& value);

// page, page_size, q, sort and cursor of a list. `sort` is a member's name, with a leading '-' for
// descending.
struct ListQuery {
    PageRequest page;
    std::string q;
    std::string sort;
    bool descending = false;
    std::optional<Place> after;  // of the cursor: the page begins behind it

    // As the parameter has it: what a cursor belongs to.
    [[nodiscard]] std::string order() const { return (descending ? "-" : "") + sort; }
    [[nodiscard]] std::string cursor_at(const Place& place) const { return write_cursor(order(), place); }
};
// Whether a list has cursors. One that has none refuses the parameter instead of beginning again and again.
enum class Cursors : std::uint8_t { kNone, kTaken };
OrRefusal<ListQuery> read_list_query(const HttpRequest& request,
                                     const std::vector<std::string_view>& sortable,
                                     Cursors cursors = Cursors::kNone);

OrRefusal<std::optional<std::int64_t>> read_integer(const HttpRequest& request, std::string_view name,
                                                    std::int64_t least, std::int64_t most);
OrRefusal<std::optional<UtcTime>> read_time(const HttpRequest& request, std::string_view name);
OrRefusal<std::optional<bool>> read_flag(const HttpRequest& request, std::string_view name);
// A number in a path: a session, an import job. nullopt when it is none.
std::optional<std::int64_t> number_in_path(const std::string& text);
HttpResponse bad_parameter(std::string_view name, std::string message, std::string_view value);

// ?lang=en|zh, otherwise what Accept-Language prefers.
Language language_of_request(const HttpRequest& request);
Actor actor_of(const HttpRequest& request);

// {"items", "page", "page_size", "total"}.
HttpResponse page_response(proto::Json items, const PageRequest& page, std::uint64_t total);
// … whose items are JSON texts already, joined by commas.
HttpResponse written_page_response(std::string_view items, const PageRequest& page, std::uint64_t total);
// … and "next": the cursor of what is behind `last`, which is unset on the last page.
HttpResponse page_response(proto::Json items, const ListQuery& query, std::uint64_t total,
                           const std::optional<Place>& last);
// Searches, sorts and cuts rows that are all at hand.
HttpResponse list_response(std::vector<proto::Json> rows, const ListQuery& query,
                           const std::vector<std::string_view>& searched);
// … with cursors: `id` is the member that is unique, and `rows` come in its order.
struct Listed {
    std::vector<std::string_view> searched;
    std::string id = "id";
    bool newest_first = false;  // greatest id first
};
HttpResponse list_response(std::vector<proto::Json> rows, const ListQuery& query, const Listed& listed);
bool contains_ignoring_case(std::string_view text, std::string_view part);

}  // namespace fieldwarden::supervisor::gateway
