// State maps: what parses has a text that parses to the same, and every value has at most one state of the
// map.
#include <algorithm>
#include <cstdlib>

#include "supervisor/plant/state_map.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace fieldwarden;
    using supervisor::StateMap;
    const std::string text{reinterpret_cast<const char*>(data), size};
    const auto parsed = StateMap::parse(text);
    const auto* map = std::get_if<StateMap>(&parsed);
    if (map == nullptr) return 0;
    const auto parsed_again = StateMap::parse(map->text());
    const auto* again = std::get_if<StateMap>(&parsed_again);
    // Quotes that a canonical text gains may take it over the limit.
    if (again == nullptr && map->text().size() <= supervisor::kLongestStateMap) std::abort();
    if (again == nullptr) return 0;
    if (again->text() != map->text() || again->states() != map->states()) std::abort();
    for (const Value& value :
         {Value{}, Value{true}, Value{std::int64_t{-1}}, Value{std::uint64_t{2}}, Value{0.5}, Value{text},
          Value{text.substr(std::min<std::size_t>(text.size(), 2))}}) {
        const auto state = map->state_of(value);
        if (state != again->state_of(value)) std::abort();
        if (state && std::ranges::find(map->states(), *state) == map->states().end()) std::abort();
    }
    return 0;
}
