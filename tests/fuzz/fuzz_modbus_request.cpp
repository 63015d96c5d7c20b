// The simulator takes any bytes from its clients and control port: it parses them, and whatever it answers to
// a request is one frame whose header tells its own length.
#include <cstdint>
#include <cstdlib>

#include "tests/simulator/modbus/device_model.h"

using namespace fieldwarden::simulator::modbus;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static DeviceModel device{{}, 65536, false};
    std::span<const std::uint8_t> rest{data, size};
    for (;;) {
        const auto parsed = parse_request(rest);
        if (parsed.kind != Parsed::Kind::kRequest) break;
        if (parsed.consumed == 0 || parsed.consumed > rest.size()) std::abort();
        Answer answer;
        device.handle(parsed.request, 1.5, answer);
        const auto& bytes = answer.bytes;
        if (bytes.size() < 9 || bytes.size() > 260) std::abort();
        if ((bytes[4] << 8 | bytes[5]) != static_cast<int>(bytes.size() - 6)) std::abort();
        rest = rest.subspan(parsed.consumed);
    }
    rest = {data, size};
    for (;;) {
        const auto parsed = parse_request(rest, Framing::kRtu);
        if (parsed.kind != Parsed::Kind::kRequest) break;
        if (parsed.consumed == 0 || parsed.consumed > rest.size()) std::abort();
        Answer answer;
        device.handle(parsed.request, 1.5, answer);
        if (answer.bytes.size() == 1 || answer.bytes.size() > 256) std::abort();
        rest = rest.subspan(parsed.consumed);
    }
    Faults faults;
    if (const auto command = parse_command({reinterpret_cast<const char*>(data), size}))
        command->apply(faults);
    return 0;
}
