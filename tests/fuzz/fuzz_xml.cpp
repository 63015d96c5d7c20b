// Our XML scanner against expat: the same events for the same bytes, whatever the size of the pieces they
// come in.
#include <cstdlib>

#include "tests/unit/workbook/xml_events.h"

using namespace fieldwarden::supervisor;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view document{reinterpret_cast<const char*>(data), size};
    const auto scanned = events_of(scan_xml, document, 1 << 16);
    if (events_of(scan_xml, document, 3) != scanned) std::abort();
    // Expat knows more of XML than the scanner wants to: names of other alphabets, versions, prefixes. What
    // it accepts the scanner may refuse, but what both accept must be the same, and nothing passes that expat
    // refuses.
    if (scanned != "refused" && scanned != events_of(parse_xml, document, 1 << 16)) std::abort();
    return 0;
}
