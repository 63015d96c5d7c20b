#include "tests/simulator/mc/frames.h"

#include <cstdlib>
#include <string_view>

#include "tests/simulator/mc/memory.h"

namespace fieldwarden::simulator::mc {

namespace {

constexpr std::uint16_t kBadAscii = 0xC050;
constexpr std::uint16_t kBadCommand = 0xC059;
constexpr std::uint16_t kBadDevice = 0xC05B;
constexpr std::uint16_t kBadBits = 0xC060;
constexpr std::uint16_t kBadLength = 0xC061;
constexpr std::uint16_t kBadCommand1e = 0x50;
constexpr std::uint16_t kBadAscii1e = 0x54;
constexpr std::uint16_t kBadDevice1e = 0x56;
constexpr std::size_t kLongestText = 16 * 1024;

// The manuals want capital letters; PLCs take the others as well.
int digit_of(std::uint8_t c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

// Fields of a message in turn. Past the end and where there is no digit every field is zero, and the walk
// remembers it.
class Fields {
  public:
    Fields(std::span<const std::uint8_t> bytes, bool ascii) : rest_(bytes), ascii_(ascii) {}

    std::uint32_t number(std::size_t bytes) {
        const auto taken = take(ascii_ ? bytes * 2 : bytes);
        std::uint32_t value = 0;
        if (ascii_) {
            for (const auto c : taken) {
                const int digit = digit_of(c);
                if (digit < 0) bad_digit = true;
                value = value * 16 + static_cast<std::uint32_t>(digit < 0 ? 0 : digit);
            }
        } else {
            for (std::size_t i = 0; i < taken.size(); ++i)
                value += static_cast<std::uint32_t>(taken[i]) << (8 * i);
        }
        return value;
    }
    // Digits of an ASCII device number in base 10 or 16; leading blanks count as zeros.
    std::uint32_t digits(std::size_t count, unsigned base) {
        std::uint32_t value = 0;
        bool begun = false;
        for (const auto c : take(count)) {
            if (c == ' ' && !begun) continue;
            begun = true;
            const int digit = digit_of(c);
            if (digit < 0 || digit >= static_cast<int>(base)) bad_digit = true;
            value = value * base + static_cast<std::uint32_t>(digit < 0 ? 0 : digit);
        }
        return value;
    }
    std::string_view letters(std::size_t count) {
        const auto taken = take(count);
        return {reinterpret_cast<const char*>(taken.data()), taken.size()};
    }
    std::vector<std::uint16_t> bits(std::uint32_t count) {
        std::vector<std::uint16_t> out;
        const auto taken = take(ascii_ ? count : (count + 1) / 2);
        for (std::uint32_t i = 0; i < count; ++i) {
            const std::size_t at = ascii_ ? i : i / 2;
            if (at >= taken.size()) break;
            unsigned value = 0;
            if (ascii_) {
                value = taken[at] - unsigned{'0'};
            } else {
                value = i % 2 == 0 ? taken[at] >> 4 : taken[at] & 15;
            }
            if (value > 1) bad_bit = true;
            out.push_back(static_cast<std::uint16_t>(value & 1));
        }
        return out;
    }
    [[nodiscard]] bool at_end() const { return rest_.empty(); }

    bool too_short = false;
    bool bad_digit = false;
    bool bad_bit = false;

  private:
    std::span<const std::uint8_t> take(std::size_t count) {
        if (count > rest_.size()) {
            too_short = true;
            count = rest_.size();
        }
        const auto taken = rest_.first(count);
        rest_ = rest_.subspan(count);
        return taken;
    }
    std::span<const std::uint8_t> rest_;
    bool ascii_;
};

bool same_letters(std::string_view given, std::string_view known) {
    if (given.size() != known.size()) return false;
    for (std::size_t i = 0; i < given.size(); ++i) {
        // A blank is as good as an asterisk.
        if (given[i] != known[i] && !(given[i] == ' ' && known[i] == '*')) return false;
    }
    return true;
}

Place take_place(Fields& fields, Request& request) {
    const bool wide = (request.subcommand & 2) != 0;
    Place place;
    if (!request.ascii) {
        place.number = fields.number(wide ? 4 : 3);
        const auto code = fields.number(wide ? 2 : 1);
        place.code = static_cast<std::uint8_t>(code);
        if (code > 0xFF || kind_of(place.code) == nullptr) request.error = kBadDevice;
        return place;
    }
    const auto letters = fields.letters(wide ? 4 : 2);
    const DeviceKind* found = nullptr;
    for (const auto& kind : device_kinds()) {
        if (same_letters(letters, wide ? kind.four : kind.two)) found = &kind;
    }
    place.number = fields.digits(wide ? 8 : 6, found != nullptr && found->hexadecimal ? 16 : 10);
    if (found == nullptr) {
        request.error = kBadDevice;
    } else {
        place.code = found->code;
    }
    return place;
}

Task task_of(std::uint16_t command, std::uint16_t subcommand) {
    const auto plain = subcommand & ~2;  // 0002 and 0003 are the iQ-R forms
    if (subcommand > 3) return Task::kNone;
    if (command == 0x0401) return plain == 0 ? Task::kReadWords : Task::kReadBits;
    if (command == 0x1401) return plain == 0 ? Task::kWriteWords : Task::kWriteBits;
    if (command == 0x0403 && plain == 0) return Task::kReadRandom;
    return Task::kNone;
}

// What follows the timer.
void parse_text(Fields& fields, Request& request) {
    request.command = static_cast<std::uint16_t>(fields.number(2));
    request.subcommand = static_cast<std::uint16_t>(fields.number(2));
    request.task = task_of(request.command, request.subcommand);
    if (request.task == Task::kNone) {
        request.error = kBadCommand;
        return;
    }
    if (request.task == Task::kReadRandom) {
        const auto words = fields.number(1);
        const auto dwords = fields.number(1);
        for (std::uint32_t i = 0; i < words && !fields.too_short; ++i)
            request.words.push_back(take_place(fields, request));
        for (std::uint32_t i = 0; i < dwords && !fields.too_short; ++i)
            request.dwords.push_back(take_place(fields, request));
        request.points = words + dwords;
    } else {
        request.head = take_place(fields, request);
        request.points = fields.number(2);
        if (request.task == Task::kWriteBits) request.data = fields.bits(request.points);
        if (request.task == Task::kWriteWords) {
            for (std::uint32_t i = 0; i < request.points && !fields.too_short; ++i)
                request.data.push_back(static_cast<std::uint16_t>(fields.number(2)));
        }
    }
    if (fields.bad_bit) request.error = kBadBits;
    if (fields.too_short || !fields.at_end()) request.error = kBadLength;
    if (fields.bad_digit) request.error = kBadAscii;
}

Parsed parse_3e(std::span<const std::uint8_t> bytes) {
    Parsed parsed;
    auto& request = parsed.request;
    if (bytes.empty()) return parsed;
    request.ascii = bytes[0] == '5';
    const std::size_t width = request.ascii ? 2 : 1;
    if (bytes.size() < 2 * width) return parsed;
    const std::string_view mark{reinterpret_cast<const char*>(bytes.data()), 2 * width};
    using namespace std::string_view_literals;
    if (mark == (request.ascii ? "5000"sv : "\x50\0"sv)) {
        request.frame = Frame::k3e;
    } else if (mark == (request.ascii ? "5400"sv : "\x54\0"sv)) {
        request.frame = Frame::k4e;
    } else {
        parsed.kind = Parsed::Kind::kNotMc;
        return parsed;
    }
    const std::size_t header = (request.frame == Frame::k4e ? 13 : 9) * width;
    if (bytes.size() < header) return parsed;
    Fields fields{bytes.subspan(2 * width), request.ascii};
    if (request.frame == Frame::k4e) {
        request.serial = static_cast<std::uint16_t>(fields.number(2));
        fields.number(2);
    }
    request.route[0] = static_cast<std::uint8_t>(fields.number(1));
    request.route[1] = static_cast<std::uint8_t>(fields.number(1));
    const auto module = fields.number(2);
    request.route[2] = static_cast<std::uint8_t>(module);
    request.route[3] = static_cast<std::uint8_t>(module >> 8);
    request.route[4] = static_cast<std::uint8_t>(fields.number(1));
    const std::size_t length = fields.number(2);
    // Timer, command and subcommand are the least.
    if (fields.bad_digit || length < 6 * width || length > kLongestText) {
        parsed.kind = Parsed::Kind::kNotMc;
        return parsed;
    }
    if (bytes.size() < header + length) return parsed;
    parsed.kind = Parsed::Kind::kRequest;
    parsed.consumed = header + length;
    Fields text{bytes.subspan(header, length), request.ascii};
    text.number(2);
    parse_text(text, request);
    return parsed;
}

Parsed parse_1e(std::span<const std::uint8_t> bytes) {
    Parsed parsed;
    auto& request = parsed.request;
    request.frame = Frame::k1e;
    if (bytes.empty()) return parsed;
    request.ascii = bytes[0] >= '0' && bytes[0] <= '9';
    const std::size_t width = request.ascii ? 2 : 1;
    const std::size_t head = 12 * width;
    if (bytes.size() < head) return parsed;
    Fields fields{bytes, request.ascii};
    request.command_1e = static_cast<std::uint8_t>(fields.number(1));
    fields.number(1);  // PC number
    fields.number(2);  // timer
    std::uint32_t code = 0;
    if (request.ascii) code = fields.number(2);
    request.head.number = fields.number(4);
    if (!request.ascii) code = fields.number(2);
    request.points = fields.number(1);
    fields.number(1);
    if (request.points == 0) request.points = 256;
    constexpr Task kTasks[] = {Task::kReadBits, Task::kReadWords, Task::kWriteBits, Task::kWriteWords};
    parsed.kind = Parsed::Kind::kRequest;
    if (request.command_1e > 0x3C) {
        parsed.kind = Parsed::Kind::kNotMc;
        return parsed;
    }
    if (request.command_1e >= std::size(kTasks)) {
        // How long it is, only its own rules would tell.
        parsed.consumed = bytes.size();
        request.error = kBadCommand1e;
        return parsed;
    }
    request.task = kTasks[request.command_1e];
    std::size_t data = 0;
    if (request.task == Task::kWriteBits) data = (request.points + 1) / 2 * width;
    if (request.task == Task::kWriteWords) data = request.points * 2 * width;
    if (bytes.size() < head + data) {
        parsed.kind = Parsed::Kind::kIncomplete;
        return parsed;
    }
    parsed.consumed = head + data;
    if (request.task == Task::kWriteBits) request.data = fields.bits(request.points);
    if (request.task == Task::kWriteWords) {
        for (std::uint32_t i = 0; i < request.points; ++i)
            request.data.push_back(static_cast<std::uint16_t>(fields.number(2)));
    }
    request.error = kBadDevice1e;
    for (const auto& kind : device_kinds()) {
        if (kind.one_e == 0 || kind.one_e != code) continue;
        request.head.code = kind.code;
        request.error = 0;
    }
    if (fields.bad_digit || fields.bad_bit) request.error = kBadAscii1e;
    return parsed;
}

class Message {
  public:
    Message(std::vector<std::uint8_t>& out, bool ascii) : out_(out), ascii_(ascii) {}
    void number(std::uint32_t value, std::size_t bytes) {
        for (std::size_t i = 0; i < bytes; ++i) {
            const auto shift = 8 * (ascii_ ? bytes - 1 - i : i);
            byte(static_cast<std::uint8_t>(value >> shift));
        }
    }
    void byte(std::uint8_t value) {
        if (!ascii_) {
            out_.push_back(value);
            return;
        }
        constexpr std::string_view kDigits = "0123456789ABCDEF";
        out_.push_back(static_cast<std::uint8_t>(kDigits[value >> 4]));
        out_.push_back(static_cast<std::uint8_t>(kDigits[value & 15]));
    }
    void bit_row(std::span<const std::uint16_t> bits, bool fill_up) {
        if (ascii_) {
            for (const auto bit : bits) out_.push_back(bit != 0 ? '1' : '0');
            if (fill_up && bits.size() % 2 == 1) out_.push_back('0');
            return;
        }
        for (std::size_t i = 0; i < bits.size(); i += 2) {
            const unsigned second = i + 1 < bits.size() && bits[i + 1] != 0 ? 1 : 0;
            out_.push_back(static_cast<std::uint8_t>((bits[i] != 0 ? 16U : 0U) + second));
        }
    }

  private:
    std::vector<std::uint8_t>& out_;
    bool ascii_;
};

// Subheader and route; the length counts from the end code on.
void append_head(const Request& request, std::size_t length, Message& out) {
    out.byte(request.frame == Frame::k4e ? 0xD4 : 0xD0);
    out.byte(0);
    if (request.frame == Frame::k4e) {
        out.number(request.serial, 2);
        out.number(0, 2);
    }
    out.byte(request.route[0]);
    out.byte(request.route[1]);
    out.number(static_cast<std::uint32_t>(request.route[2] + request.route[3] * 256), 2);
    out.byte(request.route[4]);
    out.number(static_cast<std::uint32_t>(length), 2);
}

}  // namespace

Parsed parse_request(std::span<const std::uint8_t> bytes, bool port_1e) {
    return port_1e ? parse_1e(bytes) : parse_3e(bytes);
}

void append_answer(const Request& request, std::span<const std::uint16_t> values,
                   std::vector<std::uint8_t>& out) {
    std::vector<std::uint8_t> data;
    Message body{data, request.ascii};
    if (request.task == Task::kReadBits) {
        body.bit_row(values, request.frame == Frame::k1e);
    } else if (request.task == Task::kReadRandom) {
        std::size_t at = 0;
        for (; at < request.words.size(); ++at) body.number(values[at], 2);
        for (; at + 1 < values.size(); at += 2)
            body.number(values[at] + (static_cast<std::uint32_t>(values[at + 1]) << 16), 4);
    } else {
        for (const auto value : values) body.number(value, 2);
    }
    Message message{out, request.ascii};
    if (request.frame == Frame::k1e) {
        message.byte(static_cast<std::uint8_t>(request.command_1e + 0x80));
        message.byte(0);
    } else {
        append_head(request, data.size() + (request.ascii ? 4 : 2), message);
        message.number(0, 2);
    }
    out.insert(out.end(), data.begin(), data.end());
}

void append_error(const Request& request, std::uint16_t code, std::vector<std::uint8_t>& out) {
    Message message{out, request.ascii};
    if (request.frame == Frame::k1e) {
        message.byte(static_cast<std::uint8_t>(request.command_1e + 0x80));
        message.byte(static_cast<std::uint8_t>(code));
        if (static_cast<std::uint8_t>(code) == 0x5B) {
            message.byte(static_cast<std::uint8_t>(code >> 8));  // the abnormal code
            message.byte(0);
        }
        return;
    }
    // The end code, then who refused what: route, command and subcommand.
    append_head(request, 11U * (request.ascii ? 2U : 1U), message);
    message.number(code, 2);
    message.byte(request.route[0]);
    message.byte(request.route[1]);
    message.number(static_cast<std::uint32_t>(request.route[2] + request.route[3] * 256), 2);
    message.byte(request.route[4]);
    message.number(request.command, 2);
    message.number(request.subcommand, 2);
}

}  // namespace fieldwarden::simulator::mc
