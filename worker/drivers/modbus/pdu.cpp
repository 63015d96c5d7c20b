#include "worker/drivers/modbus/pdu.h"

#include <fmt/format.h>

#include <algorithm>

namespace fieldwarden::worker::modbus {

namespace {

Function function_of(ModbusArea area) {
    switch (area) {
        case ModbusArea::kCoil:
            return Function::kReadCoils;
        case ModbusArea::kDiscreteInput:
            return Function::kReadDiscreteInputs;
        case ModbusArea::kInputRegister:
            return Function::kReadInputRegisters;
        case ModbusArea::kHoldingRegister:
            return Function::kReadHoldingRegisters;
    }
    return Function::kReadHoldingRegisters;
}

void put(Request& request, std::uint8_t byte) {
    request.bytes[request.size++] = byte;
}

void put_word(Request& request, std::uint16_t word) {
    put(request, static_cast<std::uint8_t>(word >> 8));
    put(request, static_cast<std::uint8_t>(word));
}

// Function, address and one word more: what most requests begin with.
Request begin(std::uint8_t unit, Function function, std::uint16_t first, std::uint16_t second) {
    Request request;
    request.unit = unit;
    put(request, static_cast<std::uint8_t>(function));
    put_word(request, first);
    put_word(request, second);
    return request;
}

// Bytes of the request that a normal answer repeats; 0: it is a read.
std::size_t repeated(const Request& request) {
    switch (static_cast<Function>(request.function())) {
        case Function::kReadCoils:
        case Function::kReadDiscreteInputs:
        case Function::kReadHoldingRegisters:
        case Function::kReadInputRegisters:
            return 0;
        case Function::kWriteCoil:
        case Function::kWriteRegister:
        case Function::kDiagnostics:
        case Function::kWriteCoils:
        case Function::kWriteRegisters:
            return 5;
        case Function::kMaskRegister:
            return 7;
    }
    return 0;
}

}  // namespace

Request request_of(const ReadCommand& command) {
    auto request = begin(command.unit, function_of(command.area), command.offset, command.count);
    const bool bits = command.area == ModbusArea::kCoil || command.area == ModbusArea::kDiscreteInput;
    const unsigned data = bits ? (command.count + 7U) / 8U : command.count * 2U;
    request.answer_size = static_cast<std::uint16_t>(2 + data);
    return request;
}

Request request_of(const WriteCommand& command) {
    const auto& values = command.values;
    const auto count = static_cast<std::uint16_t>(values.size());
    Request request;
    switch (command.function) {
        case Function::kWriteCoil:
            request = begin(command.unit, command.function, command.offset, values[0] != 0 ? 0xFF00 : 0);
            break;
        case Function::kWriteCoils:
            request = begin(command.unit, command.function, command.offset, count);
            put(request, static_cast<std::uint8_t>((count + 7U) / 8U));
            for (std::size_t i = 0; i < values.size(); ++i) {
                if (i % 8 == 0) put(request, 0);
                auto& byte = request.bytes[request.size - 1U];
                byte = static_cast<std::uint8_t>(byte | (values[i] != 0 ? 1U : 0U) << (i % 8));
            }
            break;
        case Function::kWriteRegisters:
            request = begin(command.unit, command.function, command.offset, count);
            put(request, static_cast<std::uint8_t>(2U * count));
            for (const auto word : values) put_word(request, word);
            break;
        case Function::kMaskRegister:
            request = begin(command.unit, command.function, command.offset, values[0]);
            put_word(request, values[1]);
            break;
        case Function::kReadCoils:
        case Function::kReadDiscreteInputs:
        case Function::kReadHoldingRegisters:
        case Function::kReadInputRegisters:
        case Function::kDiagnostics:
        case Function::kWriteRegister:
            request = begin(command.unit, Function::kWriteRegister, command.offset, values[0]);
            break;
    }
    request.answer_size = static_cast<std::uint16_t>(repeated(request));
    return request;
}

Request echo_request(std::uint8_t unit, std::uint16_t token) {
    constexpr std::uint16_t kReturnQueryData = 0;
    auto request = begin(unit, Function::kDiagnostics, kReturnQueryData, token);
    request.answer_size = static_cast<std::uint16_t>(repeated(request));
    return request;
}

Reply reply_of(Outcome outcome, std::string why) {
    Reply reply;
    reply.outcome = outcome;
    reply.why = std::move(why);
    return reply;
}

Reply check_answer(const Request& request, std::span<const std::uint8_t> pdu) {
    constexpr std::uint8_t kExceptionBit = 0x80;
    const auto function = request.function();
    if (pdu[0] == (function | kExceptionBit)) {
        if (pdu.size() != 2) return reply_of(Outcome::kGarbled, "an exception with more bytes");
        auto reply = reply_of(Outcome::kException);
        reply.exception = pdu[1];
        return reply;
    }
    if (pdu[0] != function) {
        return reply_of(Outcome::kGarbled,
                        fmt::format("the answer is to function {}, asked was {}", pdu[0], function));
    }
    const auto same = repeated(request);
    if (same == 0) {
        const std::size_t wanted = request.answer_size - 2U;
        if (pdu[1] != wanted || pdu.size() != request.answer_size) {
            return reply_of(Outcome::kGarbled,
                            fmt::format("the answer says {} bytes and carries {}, asked were {}", pdu[1],
                                        pdu.size() - 2, wanted));
        }
        auto reply = reply_of(Outcome::kAnswer);
        reply.data = pdu.subspan(2);
        return reply;
    }
    if (pdu.size() != same || !std::equal(pdu.begin(), pdu.end(), request.bytes.begin())) {
        return reply_of(Outcome::kGarbled, "the answer does not repeat what was asked");
    }
    return reply_of(Outcome::kAnswer);
}

}  // namespace fieldwarden::worker::modbus
