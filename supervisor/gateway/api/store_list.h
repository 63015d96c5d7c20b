// Lists that the store keeps newest first: sessions, alerts, import jobs, the audit trail.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "supervisor/gateway/api/json_input.h"

namespace fieldwarden::supervisor::gateway {

// A search or an order that the store does not know is done here, over at most this many of the newest.
inline constexpr std::size_t kMostSorted = 20'000;

// `fetch(PageRequest)` gives a Result<Page<Row>>, `to_json(row)` what is shown of a row; its member
// `listed.id` is the store's id.
template <class Fetch, class ToJson>
HttpResponse store_list(const ListQuery& query, Listed listed, Fetch fetch, ToJson to_json) {
    listed.newest_first = true;
    const bool straight = query.q.empty() && query.sort.empty();
    auto part = straight ? query.page : PageRequest{1, 1000};
    if (straight && query.after) {
        if (!query.after->id.is_number_integer()) {
            return bad_parameter("cursor", "the `next` of a page of this list", "");
        }
        part.before = query.after->id.template get<std::int64_t>();
    }
    std::vector<proto::Json> rows;
    for (;;) {
        const auto page = fetch(part);
        if (!page) return problem(page.error());
        for (const auto& row : page->items) rows.push_back(to_json(row));
        if (straight) {
            std::optional<Place> last;
            if (page->more && !rows.empty()) last = Place{nullptr, rows.back().at(listed.id)};
            return page_response(proto::Json(std::move(rows)), query, page->total, last);
        }
        if (!page->more || page->items.empty() || rows.size() >= kMostSorted) break;
        // By id, not by number: rows that come meanwhile would shift the parts.
        part.before = rows.back().at(listed.id).template get<std::int64_t>();
    }
    return list_response(std::move(rows), query, listed);
}

}  // namespace fieldwarden::supervisor::gateway
