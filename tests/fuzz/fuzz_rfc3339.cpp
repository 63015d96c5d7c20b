// Times: what parses is formatted and reads back to the same millisecond.
#include <cstdlib>

#include "common/clock.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace fieldwarden;
    const auto time = parse_rfc3339({reinterpret_cast<const char*>(data), size});
    if (!time) return 0;
    // An offset may carry the first or the last day out of the years that the format has.
    const auto text = format_rfc3339(*time);
    const auto again = parse_rfc3339(text);
    if (!again || format_rfc3339(*again) != text) std::abort();
    return 0;
}
