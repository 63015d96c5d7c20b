// The simulated PLC takes any bytes from its clients and control port: it parses them, and what it answers is
// an answer of the frame kind that was asked in. The first byte of the input chooses the kind of port.
#include <cstdint>
#include <cstdlib>

#include "tests/simulator/mc/device_model.h"

using namespace fieldwarden::simulator;
using namespace fieldwarden::simulator::mc;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const bool port_1e = data[0] % 2 != 0;
    DeviceModel device{65536, false};
    std::span<const std::uint8_t> rest{data + 1, size - 1};
    for (;;) {
        const auto parsed = parse_request(rest, port_1e);
        if (parsed.kind != Parsed::Kind::kRequest) break;
        if (parsed.consumed == 0 || parsed.consumed > rest.size()) std::abort();
        Answer answer;
        device.handle(parsed.request, 1.5, answer);
        const auto& bytes = answer.bytes;
        const std::size_t width = parsed.request.ascii ? 2 : 1;
        if (bytes.size() < 2 * width || bytes.size() > 8192) std::abort();
        if (!port_1e && !parsed.request.ascii) {
            const std::size_t header = parsed.request.frame == Frame::k4e ? 13 : 9;
            const std::size_t length = bytes[header - 2] + bytes[header - 1] * std::size_t{256};
            if (bytes.size() != header + length) std::abort();
        }
        rest = rest.subspan(parsed.consumed);
    }
    Faults faults;
    if (const auto command = parse_command({reinterpret_cast<const char*>(data), size}))
        command->apply(faults);
    return 0;
}
