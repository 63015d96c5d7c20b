#include "tests/simulator/modbus/device_model.h"

#include <algorithm>
#include <utility>

#include "tests/simulator/modbus/signals.h"

namespace fieldwarden::simulator::modbus {

namespace {

bool is_input(ModbusArea area) {
    return area == ModbusArea::kInputRegister || area == ModbusArea::kDiscreteInput;
}
bool is_bits(ModbusArea area) {
    return area == ModbusArea::kCoil || area == ModbusArea::kDiscreteInput;
}

bool contains(const std::vector<std::uint8_t>& list, std::uint8_t value) {
    return std::find(list.begin(), list.end(), value) != list.end();
}

}  // namespace

void DeviceModel::pin(ModbusArea area, std::uint16_t offset, const std::vector<std::uint16_t>& values) {
    for (std::size_t i = 0; i < values.size() && offset + i <= 65535; ++i)
        pinned_[{area, static_cast<std::uint16_t>(offset + i)}] = values[i];
    image_.clear();
}

// The exception the device answers with, 0 for none.
std::uint8_t DeviceModel::refusal(const Request& request) const {
    if (!units_.empty() && !contains(units_, request.unit)) return 11;
    if (faults.exception != 0) return faults.exception;
    if (request.exception) return *request.exception;
    if (faults.max_quantity != 0 && request.count > faults.max_quantity) return 3;
    const std::uint32_t end = std::uint32_t{request.offset} + request.count;
    if (end > size_) return 2;
    const bool illegal = std::any_of(faults.illegal.begin(), faults.illegal.end(), [&](const auto& range) {
        return range.area == request.area && range.first < end && range.last >= request.offset;
    });
    return illegal ? 2 : 0;
}

std::uint16_t DeviceModel::register_at(const Request& request, std::uint16_t offset, double seconds,
                                       std::uint32_t count) const {
    if (!pinned_.empty()) {
        const auto pinned = pinned_.find({request.area, offset});
        if (pinned != pinned_.end()) return pinned->second;
    }
    if (offset == 0) return static_cast<std::uint16_t>(count >> 16);
    if (offset == 1) return static_cast<std::uint16_t>(count);
    return register_value(is_input(request.area), request.unit, offset, seconds);
}

// The data of a normal answer → data_.
void DeviceModel::collect(const Request& request, double seconds) {
    data_.clear();
    if (is_bits(request.area)) {
        data_.resize((request.count + 7U) / 8U);
        for (unsigned i = 0; i < request.count; ++i) {
            const auto offset = static_cast<std::uint16_t>(request.offset + i);
            const auto pinned = pinned_.find({request.area, offset});
            const bool on = pinned != pinned_.end()
                                ? pinned->second != 0
                                : bit_value(is_input(request.area), request.unit, offset, seconds);
            if (on) data_[i / 8] = static_cast<std::uint8_t>(data_[i / 8] | 1U << (i % 8));
        }
        return;
    }
    if (static_) {
        auto& image = image_[{request.area, request.unit}];
        if (image.empty()) {
            image.reserve(2 * std::size_t{size_});
            for (std::uint32_t offset = 0; offset < size_; ++offset) {
                const auto word = register_at(request, static_cast<std::uint16_t>(offset), 0, 1);
                image.push_back(static_cast<std::uint8_t>(word >> 8));
                image.push_back(static_cast<std::uint8_t>(word));
            }
        }
        const auto from = image.begin() + 2 * request.offset;
        data_.assign(from, from + 2 * request.count);
        return;
    }
    auto& count = reads_[{request.area, request.unit}];
    if (request.offset == 0 && request.count >= kCounterWords) ++count;
    data_.reserve(request.count * 2U);
    for (unsigned i = 0; i < request.count; ++i) {
        const auto word =
            register_at(request, static_cast<std::uint16_t>(request.offset + i), seconds, count);
        data_.push_back(static_cast<std::uint8_t>(word >> 8));
        data_.push_back(static_cast<std::uint8_t>(word));
    }
}

void DeviceModel::handle(const Request& request, double seconds, Answer& answer) {
    if (contains(faults.silent_units, request.unit)) return;
    const auto begin = answer.bytes.size();
    if (const auto code = refusal(request); code != 0) {
        append_exception(request, code, answer.bytes);
    } else {
        collect(request, seconds);
        append_answer(request, data_, answer.bytes);
    }
    spoil(next_fault(faults), request, begin, answer);
}

// Turns the good answer that starts at `begin` into a bad one.
void DeviceModel::spoil(ReplyFault fault, const Request& request, std::size_t begin, Answer& answer) {
    if (spoil_any(fault, begin, answer)) return;
    auto& bytes = answer.bytes;
    switch (fault) {
        case ReplyFault::kWrongTransaction:
            bytes[begin + 1] = static_cast<std::uint8_t>(request.transaction + 1);
            return;
        case ReplyFault::kWrongUnit:
            bytes[begin + 6] = static_cast<std::uint8_t>(request.unit + 1);
            return;
        case ReplyFault::kWrongFunction:
            bytes[begin + 7] = static_cast<std::uint8_t>(bytes[begin + 7] % 4 + 1);
            return;
        case ReplyFault::kWrongProtocol:
            bytes[begin + 3] = 1;
            return;
        case ReplyFault::kOversizeLength:
            bytes[begin + 4] = 0xFF;
            bytes[begin + 5] = 0xFF;
            return;
        case ReplyFault::kOversizeCount:
            bytes[begin + 8] = 0xFF;
            return;
        case ReplyFault::kNone:
        case ReplyFault::kSilent:
        case ReplyFault::kDrop:
        case ReplyFault::kTruncate:
        case ReplyFault::kHalfThenClose:
        case ReplyFault::kDuplicate:
        case ReplyFault::kTrickle:
            return;
    }
}

}  // namespace fieldwarden::simulator::modbus
