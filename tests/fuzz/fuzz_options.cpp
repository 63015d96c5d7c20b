// Options cells: what parses is formatted and reads back the same.
#include <cstdlib>

#include "common/options.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace fieldwarden;
    const auto options = parse_options({reinterpret_cast<const char*>(data), size});
    if (!options) return 0;
    const auto again = parse_options(format_options(*options));
    if (!again || *again != *options) std::abort();
    return 0;
}
