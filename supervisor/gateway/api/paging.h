// Walking through a list that changes meanwhile. A page by number is the rows that stand there at the moment:
// one row more or less before them and the next page repeats or skips some. `next` of a page is the place of
// its last row by the row's own key instead, and ?cursor= goes on behind it: a row that stays in the list and
// keeps its place comes exactly once, whatever comes and goes around it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/shapes.h"

namespace fieldwarden::supervisor::gateway {

// Where a row stands: by the member the list is sorted by, then by what is unique. Texts are ordered by their
// first kLongestSortText bytes.
struct Place {
    proto::Json value;  // null when the list has its own order
    proto::Json id;     // a number or a text
};
inline constexpr std::size_t kLongestSortText = 256;

// The member of a row as a Place has it: long texts are cut.
proto::Json sort_value(const proto::Json& member);
proto::Json sort_text(std::string_view text);

bool before(const Place& a, const Place& b);

// `order` names the list's order ("-started_at"; "" for its own): a cursor serves one order only.
std::string write_cursor(std::string_view order, const Place& place);
// nullopt when it is none, or one of another order.
std::optional<Place> read_cursor(std::string_view text, std::string_view order);

// Rows [begin, end) of a list are the page.
struct PageCut {
    std::size_t begin = 0;
    std::size_t end = 0;
};

// The page of `count` rows in order. `place_of(i)` is asked for a few rows only, when there is a cursor.
template <class PlaceOf>
PageCut cut_page(std::size_t count, std::uint32_t page, std::uint32_t page_size,
                 const std::optional<Place>& after, bool descending, PlaceOf place_of) {
    PageCut cut;
    if (after) {
        std::size_t end = count;
        while (cut.begin < end) {
            const auto middle = cut.begin + (end - cut.begin) / 2;
            const auto place = place_of(middle);
            const bool passed = descending ? !before(place, *after) : !before(*after, place);
            (passed ? cut.begin : end) = passed ? middle + 1 : middle;
        }
    } else {
        cut.begin = std::min<std::size_t>(count, std::size_t{page - 1} * page_size);
    }
    cut.end = std::min<std::size_t>(count, cut.begin + page_size);
    return cut;
}

}  // namespace fieldwarden::supervisor::gateway
