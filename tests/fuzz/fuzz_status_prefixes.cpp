// Messages of clients of the status channel, a line each: however they come and go, every one that came can
// go, and of the prefixes of a topic exactly one is the shortest.
#include <cstdlib>
#include <map>
#include <string>

#include "supervisor/status/status_prefixes.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace fieldwarden::supervisor;
    std::string_view rest(reinterpret_cast<const char*>(data), size);
    StatusPrefixes prefixes;
    std::map<std::string, int> counted;
    while (!rest.empty()) {
        const auto end = std::min(rest.find('\n'), rest.size());
        const auto [change, prefix] = prefixes.take(rest.substr(0, end));
        rest.remove_prefix(std::min(end + 1, rest.size()));
        const std::string name{prefix};
        switch (change) {
            case StatusPrefixes::Change::kNone:
                break;
            case StatusPrefixes::Change::kRefused:
                if (counted.count(name) != 0) std::abort();
                break;
            case StatusPrefixes::Change::kFirst:
                if (counted[name]++ != 0) std::abort();
                break;
            case StatusPrefixes::Change::kMore:
                if (counted[name]++ == 0) std::abort();
                break;
            case StatusPrefixes::Change::kLess:
                if (--counted[name] <= 0) std::abort();
                break;
            case StatusPrefixes::Change::kLast:
                if (--counted[name] != 0) std::abort();
                counted.erase(name);
                break;
        }
    }
    if (prefixes.size() != counted.size()) std::abort();
    for (const auto& topic : counted) {
        int shortest = 0;
        for (const auto& each : counted) {
            const bool matches = topic.first.compare(0, each.first.size(), each.first) == 0;
            if (matches && prefixes.is_shortest(each.first, topic.first)) ++shortest;
        }
        if (shortest != 1) std::abort();
        if (counted.size() > 64) break;  // each with each takes long
    }
    return 0;
}
