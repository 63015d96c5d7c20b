// A compound file with a BIFF8 workbook.
#include "supervisor/workbook/readers.h"

using namespace fieldwarden::supervisor;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    (void)read_xls({reinterpret_cast<const char*>(data), size}, {}).has_value();
    return 0;
}
