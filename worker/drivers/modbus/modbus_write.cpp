// ModbusDriver::write(): which function writes what, and what to do where a device lacks one.
#include <fmt/format.h>

#include <algorithm>

#include "worker/drivers/modbus/modbus_driver.h"
#include "worker/encode.h"

namespace fieldwarden::worker::modbus {

namespace {

constexpr std::uint8_t kIllegalFunction = 1;

std::uint32_t flag_of(Function function) {
    return 1U << static_cast<unsigned>(function);
}

Error refused(std::string why) {
    return make_error(ErrorKind::kInvalidArgument, std::move(why));
}

}  // namespace

std::string ModbusDriver::describe_write(const Place& place, std::size_t count) const {
    return fmt::format("modbus {} unit {}: write {} {}..{}", link_->name(), place.unit, area_text(place.area),
                       place.offset, place.offset + count - 1);
}

Status ModbusDriver::write(std::uint32_t point, const Value& raw) {
    const auto& place = places_[point];
    const auto& target = points_[point];
    const auto type = target.type;
    const auto order = target.order;
    const auto bit = target.bit;
    auto& unit =
        *std::find_if(units_.begin(), units_.end(), [&](const Unit& each) { return each.id == place.unit; });
    stats_.last_refusal.clear();
    const auto done = [&]() -> Status {
        switch (place.area) {
            case ModbusArea::kDiscreteInput:
            case ModbusArea::kInputRegister:
                return refused(fmt::format(
                    "{}: inputs cannot be written; only coils (co:) and holding registers (hr:) can",
                    describe_write(place, 1)));
            case ModbusArea::kCoil:
            case ModbusArea::kHoldingRegister:
                break;
        }
        if (place.area == ModbusArea::kCoil || bit) {
            const auto* on = std::get_if<bool>(&raw);
            if (on == nullptr) return refused(describe_write(place, 1) + ": the value is not true or false");
            if (!bit) return write_coil(unit, place, *on);
            // decode_words() counts the bits of a word whose bytes it has swapped.
            const bool swapped = order == ByteOrder::kBadc || order == ByteOrder::kDcba;
            return write_bit(unit, place, swapped ? *bit ^ 8U : *bit, *on);
        }
        std::vector<std::uint16_t> words;
        if (const auto encoded = encode_words(raw, type, order, words); !encoded)
            return refused(
                fmt::format("{}: {}", describe_write(place, words_of(type)), encoded.error().message));
        return write_registers(unit, place, words);
    }();
    count_link();
    if (!done && done.error().kind != ErrorKind::kInvalidArgument) failed_step_ = ConnectStep::kRead;
    return done;
}

// True: the device did it. False: it has no such function, which is remembered; only when there is another
// one to try (`last` is false). An error: the device refused, or the connection is no longer usable.
Result<bool> ModbusDriver::try_write(Unit& unit, const WriteCommand& command, const std::string& what,
                                     bool last) {
    if (!last && (unit.lacks & flag_of(command.function)) != 0) return false;
    const auto sent_before = link_->bytes_sent;
    const auto reply = ask(request_of(command));
    if (reply.outcome == Outcome::kAnswer) return true;
    if (reply.outcome == Outcome::kException) {
        if (!last && reply.exception == kIllegalFunction) {
            unit.lacks |= flag_of(command.function);
            return false;
        }
        stats_.last_refusal = fmt::format("{}: the device answers exception {} ({})", what, reply.exception,
                                          exception_text(reply.exception));
        return refused(stats_.last_refusal);
    }
    auto error = broken(reply, what);
    if (link_->bytes_sent != sent_before) error.message += "; whether the device took the value is not known";
    return error;
}

Status ModbusDriver::write_one(Unit& unit, const Place& place, Function single, Function several,
                               std::uint16_t value) {
    const auto what = describe_write(place, 1);
    WriteCommand command{
        .unit = place.unit, .function = single, .offset = place.offset, .values = std::span{&value, 1}};
    const auto done = try_write(unit, command, what, false);
    if (!done) return done.error();
    if (*done) return {};
    command.function = several;
    if (const auto other = try_write(unit, command, what, true); !other) return other.error();
    return {};
}

Status ModbusDriver::write_coil(Unit& unit, const Place& place, bool on) {
    return write_one(unit, place, Function::kWriteCoil, Function::kWriteCoils, on ? 1 : 0);
}

Status ModbusDriver::write_registers(Unit& unit, const Place& place, std::span<const std::uint16_t> words) {
    if (words.size() == 1)
        return write_one(unit, place, Function::kWriteRegister, Function::kWriteRegisters, words[0]);
    if (words.size() > kMostWrittenRegisters) {
        return refused(fmt::format("{}: one request writes at most {} registers",
                                   describe_write(place, words.size()), kMostWrittenRegisters));
    }
    const WriteCommand command{
        .unit = place.unit, .function = Function::kWriteRegisters, .offset = place.offset, .values = words};
    if (const auto done = try_write(unit, command, describe_write(place, words.size()), true); !done)
        return done.error();
    return {};
}

Status ModbusDriver::write_bit(Unit& unit, const Place& place, unsigned bit, bool on) {
    const auto what = fmt::format("{} bit {}", describe_write(place, 1), bit);
    const auto mask = static_cast<std::uint16_t>(1U << bit);
    // The device computes (register AND and_mask) OR (or_mask AND NOT and_mask): V1.1b3, 6.16.
    const std::array<std::uint16_t, 2> masks{static_cast<std::uint16_t>(~mask), on ? mask : std::uint16_t{0}};
    const WriteCommand command{
        .unit = place.unit, .function = Function::kMaskRegister, .offset = place.offset, .values = masks};
    const auto done = try_write(unit, command, what, false);
    if (!done) return done.error();
    if (*done) return {};

    const auto reply =
        ask(request_of(ReadCommand{.unit = place.unit, .area = place.area, .offset = place.offset}));
    if (reply.outcome == Outcome::kException) {
        stats_.last_refusal =
            fmt::format("{}: the register cannot be read before: the device answers exception {} ({})", what,
                        reply.exception, exception_text(reply.exception));
        return refused(stats_.last_refusal);
    }
    if (reply.outcome != Outcome::kAnswer) return broken(reply, what);
    const auto now = static_cast<std::uint16_t>(reply.data[0] << 8 | reply.data[1]);
    return write_one(unit, place, Function::kWriteRegister, Function::kWriteRegisters,
                     static_cast<std::uint16_t>((now & masks[0]) | masks[1]));
}

}  // namespace fieldwarden::worker::modbus
