#include "tests/simulator/modbus/frames.h"

namespace fieldwarden::simulator::modbus {

namespace {

using Bytes = std::span<const std::uint8_t>;

constexpr std::size_t kLongestPdu = 253;  // V1.1b3, section 4.1

std::uint16_t word(Bytes bytes, std::size_t at) {
    return static_cast<std::uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}

ModbusArea area_of(std::uint8_t function) {
    switch (function) {
        case 1:
        case 5:
        case 15:
            return ModbusArea::kCoil;
        case 2:
            return ModbusArea::kDiscreteInput;
        case 4:
            return ModbusArea::kInputRegister;
        default:
            return ModbusArea::kHoldingRegister;
    }
}

void parse_read(Bytes pdu, Request& request) {
    if (pdu.size() != 5) {
        request.exception = 3;
        return;
    }
    request.offset = word(pdu, 1);
    request.count = word(pdu, 3);
    const unsigned most = request.function <= 2 ? 2000 : 125;
    if (request.count == 0 || request.count > most) request.exception = 3;
}

void parse_single_write(Bytes pdu, Request& request) {
    if (pdu.size() != 5) {
        request.exception = 3;
        return;
    }
    request.offset = word(pdu, 1);
    request.count = 1;
    const auto value = word(pdu, 3);
    const bool coil = request.function == 5;
    if (coil && value != 0 && value != 0xFF00) request.exception = 3;
    request.values = {coil ? static_cast<std::uint16_t>(value != 0) : value};
    request.repeat.assign(pdu.begin(), pdu.end());
}

void parse_multiple_write(Bytes pdu, Request& request) {
    const bool coils = request.function == 15;
    if (pdu.size() < 6) {
        request.exception = 3;
        return;
    }
    request.offset = word(pdu, 1);
    request.count = word(pdu, 3);
    const std::size_t bytes = coils ? (request.count + 7U) / 8U : request.count * 2U;
    if (request.count == 0 || request.count > (coils ? 1968 : 123) || pdu[5] != bytes ||
        pdu.size() != 6 + bytes) {
        request.exception = 3;
        return;
    }
    for (unsigned i = 0; i < request.count; ++i) {
        request.values.push_back(coils ? static_cast<std::uint16_t>(pdu[6 + i / 8] >> (i % 8) & 1)
                                       : word(pdu, 6 + 2 * i));
    }
    request.repeat.assign(pdu.begin(), pdu.begin() + 5);
}

void parse_mask_write(Bytes pdu, Request& request) {
    if (pdu.size() != 7) {
        request.exception = 3;
        return;
    }
    request.offset = word(pdu, 1);
    request.count = 1;
    request.values = {word(pdu, 3), word(pdu, 5)};
    request.repeat.assign(pdu.begin(), pdu.end());
}

// Everything behind the unit id.
void parse_pdu(Bytes pdu, Request& request) {
    request.function = pdu[0];
    request.area = area_of(request.function);
    switch (request.function) {
        case 1:
        case 2:
        case 3:
        case 4:
            return parse_read(pdu, request);
        case 5:
        case 6:
            return parse_single_write(pdu, request);
        case 8:  // of serial lines alone
            if (request.framing == Framing::kRtu && pdu.size() == 5 && word(pdu, 1) == 0) {
                request.repeat.assign(pdu.begin(), pdu.end());
                return;
            }
            break;
        case 15:
        case 16:
            return parse_multiple_write(pdu, request);
        case 22:
            return parse_mask_write(pdu, request);
        default:
            break;
    }
    request.exception = 1;
}

Parsed parse_tcp(Bytes bytes) {
    Parsed parsed;
    if (bytes.size() < 6) return parsed;
    const std::size_t length = word(bytes, 4);  // unit and PDU
    if (word(bytes, 2) != 0 || length < 2 || length > kLongestPdu + 1) {
        parsed.kind = Parsed::Kind::kNotModbus;
        return parsed;
    }
    if (bytes.size() < 6 + length) return parsed;
    parsed.kind = Parsed::Kind::kRequest;
    parsed.consumed = 6 + length;
    parsed.request.transaction = word(bytes, 0);
    parsed.request.unit = bytes[6];
    parse_pdu(bytes.subspan(7, length - 1), parsed.request);
    return parsed;
}

// Length of the request frame that begins with `bytes`; 0: cannot be told (yet).
std::size_t rtu_length(Bytes bytes) {
    if (bytes.size() < 2) return 0;
    switch (bytes[1]) {
        case 15:
        case 16:
            return bytes.size() < 7 ? 0 : 9U + bytes[6];
        case 22:
            return 10;
        default:
            return 8;
    }
}

Parsed parse_rtu(Bytes bytes) {
    Parsed parsed;
    for (std::size_t at = 0; at < bytes.size(); ++at) {
        const auto length = rtu_length(bytes.subspan(at));
        if (length == 0 || bytes.size() - at < length) continue;
        const auto frame = bytes.subspan(at, length);
        const auto checksum = rtu_checksum(frame.first(length - 2));
        if (frame[length - 2] != (checksum & 0xFF) || frame[length - 1] != checksum >> 8) continue;
        parsed.kind = Parsed::Kind::kRequest;
        parsed.consumed = at + length;
        parsed.request.framing = Framing::kRtu;
        parsed.request.unit = frame[0];
        parse_pdu(frame.subspan(1, length - 3), parsed.request);
        return parsed;
    }
    return parsed;
}

void append_frame(const Request& request, std::initializer_list<Bytes> parts,
                  std::vector<std::uint8_t>& out) {
    std::size_t pdu = 0;
    for (const auto part : parts) pdu += part.size();
    const auto begin = out.size();
    if (request.framing == Framing::kTcp) {
        for (const std::size_t field : {std::size_t{request.transaction}, std::size_t{0}, pdu + 1}) {
            out.push_back(static_cast<std::uint8_t>(field >> 8));
            out.push_back(static_cast<std::uint8_t>(field));
        }
    }
    out.push_back(request.unit);
    for (const auto part : parts) out.insert(out.end(), part.begin(), part.end());
    if (request.framing == Framing::kRtu) {
        const auto checksum = rtu_checksum(Bytes{out}.subspan(begin));
        out.push_back(static_cast<std::uint8_t>(checksum));
        out.push_back(static_cast<std::uint8_t>(checksum >> 8));
    }
}

}  // namespace

// Bit by bit, as the Serial Line Guide V1.02, 6.2.2, tells it.
std::uint16_t rtu_checksum(Bytes bytes) {
    unsigned checksum = 0xFFFF;
    for (const auto byte : bytes) {
        checksum ^= byte;
        for (int bit = 0; bit < 8; ++bit) {
            const bool carry = (checksum & 1) != 0;
            checksum >>= 1;
            if (carry) checksum ^= 0xA001;
        }
    }
    return static_cast<std::uint16_t>(checksum);
}

Parsed parse_request(Bytes bytes, Framing framing) {
    return framing == Framing::kTcp ? parse_tcp(bytes) : parse_rtu(bytes);
}

void append_answer(const Request& request, Bytes data, std::vector<std::uint8_t>& out) {
    if (!request.repeat.empty()) return append_frame(request, {request.repeat}, out);
    const std::uint8_t head[] = {request.function, static_cast<std::uint8_t>(data.size())};
    append_frame(request, {head, data}, out);
}

void append_exception(const Request& request, std::uint8_t code, std::vector<std::uint8_t>& out) {
    const std::uint8_t pdu[] = {static_cast<std::uint8_t>(request.function | 0x80), code};
    append_frame(request, {pdu}, out);
}

}  // namespace fieldwarden::simulator::modbus
