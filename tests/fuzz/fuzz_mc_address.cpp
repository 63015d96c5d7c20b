// Any text is either refused or an address that survives being written out and read again, in every dialect.
#include <cstdint>
#include <cstdlib>

#include "common/mc_address.h"

using namespace fieldwarden;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    static const McDialect kDialects[] = {
        {},
        {.series = McSeries::kIqr},
        {.series = McSeries::kFx},
        {.frame = McFrame::k1e, .series = McSeries::kFx},
        {.frame = McFrame::k1e, .series = McSeries::kA},
        {.zr_hexadecimal = true},
    };
    for (const auto& dialect : kDialects) {
        const auto address = parse_mc_address(text, dialect);
        if (!address) continue;
        const auto again = parse_mc_address(format_mc_address(*address, dialect), dialect);
        if (!again || !(*again == *address)) std::abort();
        for (const auto type : {DataType{BaseType::kFloat64, 0}, DataType{BaseType::kBool, 0},
                                DataType{BaseType::kString, 250}}) {
            const auto fits = check_mc_type(*address, type, dialect);
            const auto last = std::uint64_t{address->number} + mc_numbers_of(*address, type, dialect) - 1;
            if (fits && last > mc_last_number(address->device, dialect)) std::abort();
        }
    }
    return 0;
}
