// Whatever a line delivers, in whatever pieces: bounded, and only what check_answer() accepts is an answer.
#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "worker/drivers/modbus/rtu_frame.h"

using namespace fieldwarden;
using namespace fieldwarden::worker::modbus;

namespace {

Request request_from(std::uint8_t kind) {
    static constexpr std::uint16_t kValues[] = {1, 2};
    const std::span<const std::uint16_t> two{kValues};
    switch (kind % 8) {
        case 0:
            return request_of(ReadCommand{.unit = 1, .area = ModbusArea::kCoil, .offset = 3, .count = 10});
        case 1:
            return request_of(ReadCommand{.unit = 1, .offset = 3, .count = 125});
        case 2:
            return request_of(WriteCommand{1, Function::kWriteCoil, 3, two.first(1)});
        case 3:
            return request_of(WriteCommand{1, Function::kWriteRegister, 3, two.first(1)});
        case 4:
            return request_of(WriteCommand{1, Function::kWriteRegisters, 3, two});
        case 5:
            return request_of(WriteCommand{1, Function::kMaskRegister, 3, two});
        case 6:
            return echo_request(1, 7);
        default:
            return request_of(ReadCommand{.unit = 1, .offset = 3, .count = 1});
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    const auto request = request_from(data[0]);
    const std::size_t piece = 1U + data[1];
    std::span<const std::uint8_t> rest{data + 2, size - 2};
    RtuReceiver receiver{request};
    while (!rest.empty()) {
        const auto space = receiver.space();
        if (space.empty()) std::abort();
        const auto count = std::min({space.size(), rest.size(), piece});
        std::copy_n(rest.begin(), count, space.begin());
        receiver.took(count);
        rest = rest.subspan(count);
        for (;;) {
            const auto found = receiver.look();
            if (found == RtuReceiver::Found::kAnswer) {
                const auto reply = check_answer(request, receiver.pdu());
                if (reply.outcome != Outcome::kAnswer && reply.outcome != Outcome::kException) std::abort();
                if (reply.data.size() > kLongestPdu) std::abort();
            }
            if (found != RtuReceiver::Found::kStray && found != RtuReceiver::Found::kAnswer) break;
        }
    }
    return 0;
}
