#include "tests/simulator/mc/device_model.h"

#include <algorithm>

namespace fieldwarden::simulator::mc {

namespace {

constexpr std::uint16_t kPoints = 0xC051;
constexpr std::uint16_t kPastEnd = 0xC056;
constexpr std::uint16_t kNoCommand = 0xC059;
constexpr std::uint16_t kNotThisDevice = 0xC05B;
constexpr std::uint16_t kBitsOfWords = 0xC05C;
constexpr std::uint16_t kNoSuchNumber = 0x4031;
constexpr std::uint16_t kPoints1e = 0x57;
constexpr std::uint16_t kHead1e = 0x58;

bool is_word(std::uint8_t code) {
    const auto* kind = kind_of(code);
    return kind != nullptr && kind->word;
}

bool is_contact(std::uint8_t code) {
    return code == 0xC1 || code == 0xC0 || code == 0xC7 || code == 0xC6 || code == 0xC4 || code == 0xC3;
}

bool is_wide(const Request& request) {
    return request.frame == Frame::k1e && request.head.code == kCn &&
           request.head.number >= kFirstWideCounter;
}

// Device numbers that `words` words cover.
std::uint32_t numbers(const Place& place, std::uint32_t words) {
    return is_word(place.code) ? words : words * 16;
}

void spoil(ReplyFault fault, const Request& request, std::size_t begin, Answer& answer) {
    if (spoil_any(fault, begin, answer)) return;
    auto& bytes = answer.bytes;
    const bool one_e = request.frame == Frame::k1e;
    const std::size_t width = request.ascii ? 2 : 1;
    // Where fields begin, in bytes of a binary frame.
    const std::size_t station = begin + width * (request.frame == Frame::k4e ? 10 : 6);
    const std::size_t length = station + width;
    // The last digit, or the byte, changed to another of its kind.
    const auto bump = [&](std::size_t at) {
        auto& byte = bytes[at + width - 1];
        byte = static_cast<std::uint8_t>(request.ascii && byte == '9' ? '0' : byte + 1);
    };
    switch (fault) {
        case ReplyFault::kWrongTransaction:
            if (request.frame == Frame::k4e) bump(begin + (request.ascii ? 6 : 2));
            return;
        case ReplyFault::kWrongUnit:
            if (!one_e) bump(station);
            return;
        case ReplyFault::kWrongFunction: {
            auto& byte = bytes[begin + width - 1];
            byte = static_cast<std::uint8_t>(one_e ? byte ^ 1 : byte ^ 4);
            return;
        }
        case ReplyFault::kWrongProtocol:
            bytes[begin] = 'Z';
            return;
        case ReplyFault::kOversizeLength:
            if (one_e) return;
            for (std::size_t i = 0; i < 2 * width; ++i) bytes[length + i] = request.ascii ? 'F' : 0xFF;
            return;
        case ReplyFault::kOversizeCount: {
            for (std::size_t i = 0; i < 2 * width; ++i) bytes.push_back(request.ascii ? '0' : 0);
            if (one_e) return;
            const auto total = bytes.size() - length - 2 * width;
            for (std::size_t i = 0; i < 2 * width; ++i) {
                if (request.ascii) {
                    const auto digit = total >> (4 * (3 - i)) & 15;
                    bytes[length + i] =
                        static_cast<std::uint8_t>(digit < 10 ? '0' + digit : 'A' + digit - 10);
                } else {
                    bytes[length + i] = static_cast<std::uint8_t>(total >> (8 * i));
                }
            }
            return;
        }
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

}  // namespace

bool DeviceModel::outside(const Place& place, std::uint32_t count) const {
    return std::uint64_t{place.number} + count > memory.size_of(place.code);
}

bool DeviceModel::illegal(const Place& place, std::uint32_t count) const {
    return std::any_of(faults.illegal.begin(), faults.illegal.end(), [&](const DeviceRange& range) {
        return range.code == place.code && range.first < std::uint64_t{place.number} + count &&
               range.last >= place.number;
    });
}

std::uint16_t DeviceModel::refusal_3e(const Request& request) const {
    if (faults.max_points != 0 && request.points > faults.max_points) return kPoints;
    if (request.points == 0) return kPoints;
    switch (request.task) {
        case Task::kReadRandom: {
            if (faults.no_random) return kNoCommand;
            if (request.points > ((request.subcommand & 2) != 0 ? 96U : 192U)) return kPoints;
            const auto check = [&](const std::vector<Place>& places, std::uint32_t words) -> std::uint16_t {
                for (const auto& place : places) {
                    if (is_contact(place.code)) return kNotThisDevice;
                    if (outside(place, numbers(place, words))) return kPastEnd;
                    if (illegal(place, numbers(place, words))) return kNoSuchNumber;
                }
                return 0;
            };
            const auto code = check(request.words, 1);
            return code != 0 ? code : check(request.dwords, 2);
        }
        case Task::kReadWords:
        case Task::kWriteWords:
            if (request.points > 960) return kPoints;
            if (is_contact(request.head.code)) return kNotThisDevice;
            if (outside(request.head, numbers(request.head, request.points))) return kPastEnd;
            return illegal(request.head, numbers(request.head, request.points)) ? kNoSuchNumber : 0;
        case Task::kReadBits:
        case Task::kWriteBits:
            if (is_word(request.head.code)) return kBitsOfWords;
            if (request.points > (request.ascii ? 3584U : 7168U)) return kPoints;
            if (outside(request.head, request.points)) return kPastEnd;
            return illegal(request.head, request.points) ? kNoSuchNumber : 0;
        case Task::kNone:
            return kNoCommand;
    }
    return kNoCommand;
}

std::uint16_t DeviceModel::refusal_1e(const Request& request) const {
    const bool words = request.task == Task::kReadWords || request.task == Task::kWriteWords;
    const bool writes = request.task == Task::kWriteWords || request.task == Task::kWriteBits;
    const bool of_words = is_word(request.head.code);
    if (!words && of_words) return kHead1e;
    std::uint32_t most = 64;
    if (words && !of_words) most = writes ? 10 : 32;
    if (!words) most = writes ? 160 : 256;
    if (faults.max_points != 0) most = std::min(most, faults.max_points);
    if (request.points > most) return kPoints1e;
    if (words && !of_words && request.head.number % 16 != 0) return kHead1e;
    std::uint32_t count = request.points;
    if (words) count = numbers(request.head, request.points);
    if (is_wide(request)) {
        if (request.points % 2 != 0) return kPoints1e;
        count = request.points / 2;
    } else if (request.head.code == kCn && request.head.number + count > kFirstWideCounter) {
        return kPoints1e;
    }
    return outside(request.head, count) || illegal(request.head, count) ? kPoints1e : 0;
}

// The end code the PLC answers with, 0 for none.
std::uint16_t DeviceModel::refusal(const Request& request) const {
    if (faults.end_code != 0) return faults.end_code;
    if (request.error != 0) return request.error;
    return request.frame == Frame::k1e ? refusal_1e(request) : refusal_3e(request);
}

// The index-th word from `place` on.
std::uint16_t DeviceModel::word_at(const Place& place, std::uint32_t index, double seconds) const {
    if (is_word(place.code)) return memory.word(place.code, place.number + index, seconds);
    std::uint16_t word = 0;
    for (std::uint32_t bit = 0; bit < 16; ++bit) {
        if (memory.bit(place.code, place.number + 16 * index + bit, seconds))
            word = static_cast<std::uint16_t>(word + (1U << bit));
    }
    return word;
}

void DeviceModel::read(const Request& request, double seconds) {
    values_.clear();
    const auto covers_counter = [](const Place& place) { return place.code == kD && place.number == 0; };
    switch (request.task) {
        case Task::kReadWords:
            if (covers_counter(request.head) && request.points >= 2) memory.count_read();
            for (std::uint32_t i = 0; i < request.points; ++i) {
                values_.push_back(is_wide(request)
                                      ? memory.wide_counter(request.head.number + i / 2, i % 2 != 0, seconds)
                                      : word_at(request.head, i, seconds));
            }
            return;
        case Task::kReadBits:
            for (std::uint32_t i = 0; i < request.points; ++i)
                values_.push_back(memory.bit(request.head.code, request.head.number + i, seconds) ? 1 : 0);
            return;
        case Task::kReadRandom:
            if (std::any_of(request.dwords.begin(), request.dwords.end(), covers_counter))
                memory.count_read();
            for (const auto& place : request.words) values_.push_back(word_at(place, 0, seconds));
            for (const auto& place : request.dwords) {
                values_.push_back(word_at(place, 0, seconds));
                values_.push_back(word_at(place, 1, seconds));
            }
            return;
        case Task::kWriteWords:
        case Task::kWriteBits:
        case Task::kNone:
            return;
    }
}

void DeviceModel::write(const Request& request) {
    const auto& head = request.head;
    for (std::uint32_t i = 0; i < request.data.size(); ++i) {
        const auto value = request.data[i];
        if (request.task == Task::kWriteBits) {
            memory.set_bit(head.code, head.number + i, value != 0);
        } else if (is_wide(request)) {
            memory.set_wide_counter(head.number + i / 2, i % 2 != 0, value);
        } else if (is_word(head.code)) {
            memory.set_word(head.code, head.number + i, value);
        } else {
            for (std::uint32_t bit = 0; bit < 16; ++bit)
                memory.set_bit(head.code, head.number + 16 * i + bit, (value >> bit & 1) != 0);
        }
    }
}

void DeviceModel::handle(const Request& request, double seconds, Answer& answer) {
    const auto begin = answer.bytes.size();
    if (const auto code = refusal(request); code != 0) {
        append_error(request, code, answer.bytes);
    } else {
        if (request.task == Task::kWriteWords || request.task == Task::kWriteBits) write(request);
        read(request, seconds);
        append_answer(request, values_, answer.bytes);
    }
    spoil(next_fault(faults), request, begin, answer);
}

}  // namespace fieldwarden::simulator::mc
