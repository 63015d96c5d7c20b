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

std::optional<std::uint16_t> DeviceModel::pinned(ModbusArea area, std::uint16_t offset) const {
    const auto found = pinned_.find({area, offset});
    return found == pinned_.end() ? std::nullopt : std::optional{found->second};
}

bool DeviceModel::is_slow(std::uint8_t unit) const {
    return faults.delay.count() != 0 && (faults.slow_units.empty() || contains(faults.slow_units, unit));
}

// What is written is pinned, in all units.
void DeviceModel::store(const Request& request, double seconds) {
    if (request.function != 22) return pin(request.area, request.offset, request.values);
    const unsigned now = register_at(request, request.offset, seconds, 0);
    const unsigned keep = request.values[0];
    const unsigned set = request.values[1];
    pin(request.area, request.offset, {static_cast<std::uint16_t>((now & keep) | (set & ~keep))});
}

// The exception the device answers with, 0 for none.
std::uint8_t DeviceModel::refusal(const Request& request) const {
    if (!units_.empty() && !contains(units_, request.unit)) return 11;
    if (contains(faults.no_functions, request.function)) return 1;
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
    if (contains(faults.silent_functions, request.function)) return;
    // On a line a device is deaf to other units' requests, and nobody answers what goes to all.
    if (request.framing == Framing::kRtu &&
        (request.unit == 0 || (!units_.empty() && !contains(units_, request.unit))))
        return;
    const auto begin = answer.bytes.size();
    if (const auto code = refusal(request); code != 0) {
        append_exception(request, code, answer.bytes);
    } else {
        data_.clear();
        if (!request.values.empty()) {
            store(request, seconds);
        } else if (request.repeat.empty()) {
            collect(request, seconds);
        }
        append_answer(request, data_, answer.bytes);
    }
    if (faults.reply == ReplyFault::kNone) return;
    if (faults.after != 0) {
        --faults.after;
        return;
    }
    spoil(request, begin, answer);
    if (faults.times != 0 && --faults.times == 0) faults.reply = ReplyFault::kNone;
}

// Turns the good answer that starts at `begin` into a bad one.
void DeviceModel::spoil(const Request& request, std::size_t begin, Answer& answer) {
    auto& bytes = answer.bytes;
    const bool rtu = request.framing == Framing::kRtu;
    const auto half = begin + (bytes.size() - begin) / 2;
    const auto unit_at = begin + (rtu ? 0 : 6);
    const auto spoil_checksum = [&] { bytes.back() = static_cast<std::uint8_t>(~bytes.back()); };
    const auto mend_checksum = [&] {
        if (!rtu) return;
        const auto checksum = rtu_checksum(std::span{bytes}.subspan(begin, bytes.size() - begin - 2));
        bytes[bytes.size() - 2] = static_cast<std::uint8_t>(checksum);
        bytes[bytes.size() - 1] = static_cast<std::uint8_t>(checksum >> 8);
    };
    switch (faults.reply) {
        case ReplyFault::kNone:
            return;
        case ReplyFault::kSilent:
            bytes.resize(begin);
            return;
        case ReplyFault::kDrop:
            bytes.resize(begin);
            answer.close = true;
            return;
        case ReplyFault::kWrongTransaction:
            if (rtu) return spoil_checksum();
            bytes[begin + 1] = static_cast<std::uint8_t>(request.transaction + 1);
            return;
        case ReplyFault::kWrongUnit:
            bytes[unit_at] = static_cast<std::uint8_t>(request.unit + 1);
            return mend_checksum();
        case ReplyFault::kWrongFunction:
            bytes[unit_at + 1] = static_cast<std::uint8_t>(bytes[unit_at + 1] % 4 + 1);
            return mend_checksum();
        case ReplyFault::kWrongProtocol:
            if (rtu) return spoil_checksum();
            bytes[begin + 3] = 1;
            return;
        case ReplyFault::kTruncate:
            bytes.resize(half);
            return;
        case ReplyFault::kHalfThenClose:
            bytes.resize(half);
            answer.close = true;
            return;
        case ReplyFault::kOversizeLength:
            if (rtu) return spoil_checksum();
            bytes[begin + 4] = 0xFF;
            bytes[begin + 5] = 0xFF;
            return;
        case ReplyFault::kOversizeCount:
            bytes[unit_at + 2] = 0xFF;
            return mend_checksum();
        case ReplyFault::kDuplicate: {
            const std::vector<std::uint8_t> again(bytes.begin() + static_cast<std::ptrdiff_t>(begin),
                                                  bytes.end());
            bytes.insert(bytes.end(), again.begin(), again.end());
            return;
        }
        case ReplyFault::kTrickle:
            answer.trickle = true;
            return;
        case ReplyFault::kWrongCrc:
            return spoil_checksum();
        case ReplyFault::kNoise: {
            constexpr std::uint8_t kCrackle[] = {0x00, 0xFF, 0x81, 0x03};
            bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(begin), std::begin(kCrackle),
                         std::end(kCrackle));
            return;
        }
    }
}

}  // namespace fieldwarden::simulator::modbus
