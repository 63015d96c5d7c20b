#include "tests/simulator/modbus/frames.h"

namespace fieldwarden::simulator::modbus {

namespace {

constexpr std::size_t kLongestPdu = 253;  // V1.1b3, section 4.1

void append_header(const Request& request, std::size_t pdu, std::vector<std::uint8_t>& out) {
    const auto length = pdu + 1;
    for (const auto byte :
         {request.transaction >> 8, request.transaction & 0xFF, 0, 0, static_cast<int>(length >> 8),
          static_cast<int>(length & 0xFF), static_cast<int>(request.unit)})
        out.push_back(static_cast<std::uint8_t>(byte));
}

ModbusArea area_of(std::uint8_t function) {
    switch (function) {
        case 1:
            return ModbusArea::kCoil;
        case 2:
            return ModbusArea::kDiscreteInput;
        case 4:
            return ModbusArea::kInputRegister;
        default:
            return ModbusArea::kHoldingRegister;
    }
}

}  // namespace

Parsed parse_request(std::span<const std::uint8_t> bytes) {
    const auto word = [&](std::size_t at) {
        return static_cast<std::uint16_t>(bytes[at] << 8 | bytes[at + 1]);
    };
    Parsed parsed;
    if (bytes.size() < 6) return parsed;
    const std::size_t length = word(4);  // unit and PDU
    if (word(2) != 0 || length < 2 || length > kLongestPdu + 1) {
        parsed.kind = Parsed::Kind::kNotModbus;
        return parsed;
    }
    if (bytes.size() < 6 + length) return parsed;
    parsed.kind = Parsed::Kind::kRequest;
    parsed.consumed = 6 + length;
    auto& request = parsed.request;
    request.transaction = word(0);
    request.unit = bytes[6];
    request.function = bytes[7];
    if (request.function < 1 || request.function > 4) {
        request.exception = 1;
        return parsed;
    }
    request.area = area_of(request.function);
    if (length != 6) {
        request.exception = 3;
        return parsed;
    }
    request.offset = word(8);
    request.count = word(10);
    const unsigned most = request.function <= 2 ? 2000 : 125;
    if (request.count == 0 || request.count > most) request.exception = 3;
    return parsed;
}

void append_answer(const Request& request, std::span<const std::uint8_t> data,
                   std::vector<std::uint8_t>& out) {
    append_header(request, data.size() + 2, out);
    out.push_back(request.function);
    out.push_back(static_cast<std::uint8_t>(data.size()));
    out.insert(out.end(), data.begin(), data.end());
}

void append_exception(const Request& request, std::uint8_t code, std::vector<std::uint8_t>& out) {
    append_header(request, 2, out);
    out.push_back(static_cast<std::uint8_t>(request.function | 0x80));
    out.push_back(code);
}

}  // namespace fieldwarden::simulator::modbus
