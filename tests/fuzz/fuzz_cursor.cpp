// Cursors of lists come back from clients: whatever they hold is refused or names a place, and a place stays
// the same on its way out and back.
#include <cstdlib>

#include "supervisor/gateway/api/paging.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace fieldwarden::supervisor::gateway;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto place = read_cursor(text, "");
    if (place) {
        const auto again = read_cursor(write_cursor("", *place), "");
        if (again && (before(*again, *place) || before(*place, *again))) std::abort();
        if (!again && write_cursor("", *place).size() <= 4096) std::abort();
    }
    // Any text may be what a list is sorted by.
    const Place made{sort_text(text), 7};
    const auto cursor = write_cursor("-name", made);
    if (!read_cursor(cursor, "-name") || read_cursor(cursor, "name")) std::abort();
    return 0;
}
