// A whole file of any kind: zip, compound file or text.
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>

#include "supervisor/workbook/workbook.h"

using namespace fieldwarden;
using namespace fieldwarden::supervisor;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const int file = ::memfd_create("workbook", MFD_CLOEXEC);
    if (file < 0 || ::write(file, data, size) != static_cast<ssize_t>(size)) return -1;
    const auto workbook =
        read_workbook(fmt::format("/proc/self/fd/{}", file), "points.csv", Language::kEnglish);
    if (workbook) {
        constexpr std::array kProtocols{Protocol::kModbusTcp};
        constexpr std::array<std::string_view, 1> kSinks{"history"};
        (void)validate(*workbook, {}, {.protocols = kProtocols, .sink_types = kSinks}).ok();
    }
    ::close(file);
    return 0;
}
