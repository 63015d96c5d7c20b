// Any text is either refused or an address that survives being written out and read again.
#include <cstdint>
#include <cstdlib>

#include "common/modbus_address.h"

using namespace fieldwarden;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    const auto address = parse_modbus_address(text);
    if (!address) return 0;
    const auto again = parse_modbus_address(format_modbus_address(*address));
    if (!again || !(*again == *address)) std::abort();
    (void)check_modbus_type(*address, {BaseType::kFloat64, 0});
    return 0;
}
