// Any text is either refused or an OPC UA address that survives being written out and read again.
#include <cstdint>
#include <cstdlib>

#include "common/node_id.h"

using namespace fieldwarden;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    if (const auto address = parse_opcua_address(text)) {
        const auto written = format_opcua_address(*address);
        const auto again = parse_opcua_address(written);
        // Escapes may make it longer than an address can be.
        if (written.size() <= kLongestNodeIdText && (!again || !(*again == *address))) std::abort();
    }
    if (const auto bytes = decode_base64(text)) {
        if (decode_base64(encode_base64(*bytes)) != *bytes) std::abort();
    }
    return 0;
}
