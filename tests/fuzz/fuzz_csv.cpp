// A .csv in any encoding, and validation of what it holds as each kind.
#include <array>

#include "supervisor/workbook/readers.h"
#include "supervisor/workbook/workbook.h"

using namespace fieldwarden;
using namespace fieldwarden::supervisor;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    constexpr std::array kProtocols{Protocol::kModbusTcp, Protocol::kModbusRtu, Protocol::kMitsubishiMc,
                                    Protocol::kOpcUa, Protocol::kMqtt};
    constexpr std::array<std::string_view, 2> kSinks{"history", "influxdb"};
    if (size == 0) return 0;
    const auto kind = kAllKinds[data[0] % kKindCount];
    const std::string_view bytes{reinterpret_cast<const char*>(data + 1), size - 1};
    const auto workbook = read_csv(bytes, std::string{schema_of(kind).sheet}, {});
    if (!workbook) return 0;
    for (const auto language : {Language::kEnglish, Language::kChinese}) {
        const auto validation = validate(*workbook, {}, {ImportMode::kMerge, language, kProtocols, kSinks});
        (void)to_json(diff({}, validation.proposed));
        (void)to_json(validation.problems.errors()).dump();
    }
    return 0;
}
