#include "worker/drivers/mc/mc_frame.h"

#include <fmt/format.h>

#include <optional>

namespace fieldwarden::worker::mc {

namespace {

constexpr std::uint16_t kRequest3e = 0x5000;
constexpr std::uint16_t kRequest4e = 0x5400;
constexpr std::uint16_t kAnswerMark = 0x8000;  // D000 and D400
constexpr std::uint8_t kCommunicationError1e = 0x5B;

struct Command {
    std::uint16_t command;
    std::uint16_t subcommand;
    std::uint8_t command_1e;
};

Command command_of(Operation operation) {
    switch (operation) {
        case Operation::kReadWords:
            return {0x0401, 0x0000, 0x01};
        case Operation::kReadBits:
            return {0x0401, 0x0001, 0x00};
        case Operation::kReadRandom:
            return {0x0403, 0x0000, 0};
        case Operation::kWriteWords:
            return {0x1401, 0x0000, 0x03};
        case Operation::kWriteBits:
            return {0x1401, 0x0001, 0x02};
    }
    return {0x0401, 0x0000, 0x01};
}

class Writer {
  public:
    explicit Writer(bool ascii) : ascii_(ascii) {}

    // `bytes` bytes, the low one first; in ASCII twice as many digits, the high one first.
    void number(std::uint32_t value, unsigned bytes) {
        if (ascii_) return text(fmt::format("{:0{}X}", value, 2 * bytes));
        for (unsigned i = 0; i < bytes; ++i) out_.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
    }
    // As written: 50 00, "5000".
    void subheader(std::uint16_t value) {
        if (ascii_) return number(value, 2);
        out_.push_back(static_cast<std::uint8_t>(value >> 8));
        out_.push_back(static_cast<std::uint8_t>(value));
    }
    void text(std::string_view characters) { out_.insert(out_.end(), characters.begin(), characters.end()); }
    void bits(std::span<const std::uint16_t> values, bool pad) {
        for (std::size_t i = 0; i < values.size(); ++i) {
            const bool on = values[i] != 0;
            if (ascii_) {
                out_.push_back(on ? '1' : '0');
            } else if (i % 2 == 0) {
                out_.push_back(on ? 0x10 : 0x00);
            } else if (on) {
                out_.back() |= 0x01;
            }
        }
        if (ascii_ && pad && values.size() % 2 != 0) out_.push_back('0');
    }
    std::vector<std::uint8_t> take() { return std::move(out_); }
    [[nodiscard]] std::size_t size() const { return out_.size(); }
    void append(const std::vector<std::uint8_t>& bytes) {
        out_.insert(out_.end(), bytes.begin(), bytes.end());
    }

  private:
    bool ascii_;
    std::vector<std::uint8_t> out_;
};

void put_device(Writer& out, const FrameFormat& format, const DeviceRef& place) {
    const auto& device = mc_device_info(place.device);
    const bool wide = format.dialect.series == McSeries::kIqr;
    if (!format.is_ascii()) {
        out.number(place.number, wide ? 4 : 3);
        out.number(device.code, wide ? 2 : 1);
        return;
    }
    // Four letters in iQ-R frames are the device's own name, two are what SH-080008 abbreviates it to.
    out.text(wide ? fmt::format("{:*<4}", device.name) : std::string{device.letters});
    const int digits = wide ? 8 : 6;
    out.text(device.base == 16 ? fmt::format("{:0{}X}", place.number, digits)
                               : fmt::format("{:0{}}", place.number, digits));
}

void put_write_data(Writer& out, const FrameFormat& format, const Request& request) {
    if (request.operation == Operation::kWriteBits) return out.bits(request.data, format.is_1e());
    for (const auto word : request.data) out.number(word, 2);
}

std::vector<std::uint8_t> encode_1e(const FrameFormat& format, const Request& request) {
    Writer out{format.is_ascii()};
    out.number(command_of(request.operation).command_1e, 1);
    out.number(format.pc, 1);
    out.number(format.timer, 2);
    const auto code = mc_device_info(request.head.device).code_1e;
    if (format.is_ascii()) {
        out.number(code, 2);
        out.number(request.head.number, 4);
    } else {
        out.number(request.head.number, 4);
        out.number(code, 2);
    }
    out.number(request.points & 0xFF, 1);  // 256 is written as 0
    out.number(0, 1);
    put_write_data(out, format, request);
    return out.take();
}

// The value of a field of `size` bytes at `at`; nullopt when ASCII holds no hexadecimal digits there.
std::optional<std::uint32_t> number_at(std::span<const std::uint8_t> bytes, std::size_t at, std::size_t size,
                                       bool ascii) {
    std::uint32_t value = 0;
    if (!ascii) {
        for (std::size_t i = size; i-- > 0;) value = value << 8 | bytes[at + i];
        return value;
    }
    for (std::size_t i = 0; i < size; ++i) {
        const auto c = bytes[at + i];
        unsigned digit = 0;
        if (c >= '0' && c <= '9') {
            digit = c - '0';
        } else if (c >= 'A' && c <= 'F') {
            digit = c - 'A' + 10U;
        } else if (c >= 'a' && c <= 'f') {
            digit = c - 'a' + 10U;
        } else {
            return std::nullopt;
        }
        value = value << 4 | digit;
    }
    return value;
}

// Walks over the fields of a header.
class Reader {
  public:
    Reader(std::span<const std::uint8_t> bytes, bool ascii) : bytes_(bytes), ascii_(ascii) {}
    // A field of `size` bytes in binary.
    std::uint32_t number(std::size_t size) {
        const auto width = ascii_ ? 2 * size : size;
        const auto value = number_at(bytes_, at_, width, ascii_);
        at_ += width;
        if (!value) bad_digit_ = true;
        return value.value_or(0);
    }
    std::uint32_t subheader() {
        const auto value = number(2);
        return ascii_ ? value : (value << 8 | value >> 8) & 0xFFFF;
    }
    [[nodiscard]] std::size_t at() const { return at_; }
    [[nodiscard]] bool bad_digit() const { return bad_digit_; }

  private:
    std::span<const std::uint8_t> bytes_;
    bool ascii_;
    std::size_t at_ = 0;
    bool bad_digit_ = false;
};

Answer broken(std::string why) {
    Answer answer;
    answer.kind = Answer::Kind::kBroken;
    answer.why = std::move(why);
    return answer;
}

constexpr std::string_view kNoHexadecimal =
    "the answer holds characters that are no hexadecimal digits; check the option encoding against the "
    "communication data code of the PLC's port";

// Whether what came so far can still become `subheader`.
bool begins_with(std::span<const std::uint8_t> bytes, std::uint16_t subheader, bool ascii) {
    Writer expected{ascii};
    expected.subheader(subheader);
    const auto want = expected.take();
    const auto count = std::min(bytes.size(), want.size());
    return std::equal(want.begin(), want.begin() + static_cast<std::ptrdiff_t>(count), bytes.begin());
}

std::string first_bytes(std::span<const std::uint8_t> bytes) {
    std::string out;
    for (const auto byte : bytes.first(std::min<std::size_t>(bytes.size(), 4)))
        out += fmt::format("{}{:02X}", out.empty() ? "" : " ", byte);
    return out;
}

Answer split_1e(const FrameFormat& format, const Request& asked, std::span<const std::uint8_t> bytes) {
    const bool ascii = format.is_ascii();
    const std::size_t unit = ascii ? 2 : 1;
    if (bytes.size() < 2 * unit) return {};
    Reader in{bytes, ascii};
    const auto subheader = in.number(1);
    Answer answer;
    answer.end_code = static_cast<std::uint16_t>(in.number(1));
    if (in.bad_digit()) return broken(std::string{kNoHexadecimal});
    const auto want = command_of(asked.operation).command_1e | 0x80U;
    if (subheader != want) {
        return broken(fmt::format("the answer begins with {:02X}, an answer to this request with {:02X}",
                                  subheader, want));
    }
    std::size_t size = 0;
    if (answer.end_code == 0) size = answer_bytes(format, asked);
    if (answer.end_code == kCommunicationError1e) size = unit;
    if (bytes.size() < in.at() + size) return {};
    answer.kind = Answer::Kind::kFrame;
    answer.data = bytes.subspan(in.at(), size);
    answer.consumed = in.at() + size;
    if (answer.end_code == kCommunicationError1e) {
        answer.abnormal = static_cast<std::uint8_t>(in.number(1));
        if (in.bad_digit()) return broken(std::string{kNoHexadecimal});
        // FX modules send 00 behind it, others nothing.
        const auto rest = bytes.subspan(answer.consumed);
        const std::uint8_t zero = ascii ? '0' : 0;
        if (rest.size() >= unit && rest[0] == zero && rest[unit - 1] == zero) answer.consumed += unit;
    }
    return answer;
}

}  // namespace

std::vector<std::uint8_t> encode_request(const FrameFormat& format, const Request& request,
                                         std::uint16_t serial) {
    if (format.is_1e()) return encode_1e(format, request);
    const auto command = command_of(request.operation);
    const bool wide = format.dialect.series == McSeries::kIqr;
    Writer body{format.is_ascii()};
    body.number(format.timer, 2);
    body.number(command.command, 2);
    body.number(command.subcommand | (wide ? 2U : 0U), 2);
    if (request.operation == Operation::kReadRandom) {
        body.number(static_cast<std::uint32_t>(request.words.size()), 1);
        body.number(static_cast<std::uint32_t>(request.dwords.size()), 1);
        for (const auto& device : request.words) put_device(body, format, device);
        for (const auto& device : request.dwords) put_device(body, format, device);
    } else {
        put_device(body, format, request.head);
        body.number(request.points, 2);
        put_write_data(body, format, request);
    }

    Writer out{format.is_ascii()};
    const bool with_serial = format.dialect.frame == McFrame::k4e;
    out.subheader(with_serial ? kRequest4e : kRequest3e);
    if (with_serial) {
        out.number(serial, 2);
        out.number(0, 2);
    }
    out.number(format.network, 1);
    out.number(format.pc, 1);
    out.number(format.module_io, 2);
    out.number(format.station, 1);
    out.number(static_cast<std::uint32_t>(body.size()), 2);
    out.append(body.take());
    return out.take();
}

Answer split_answer(const FrameFormat& format, const Request& asked, std::span<const std::uint8_t> bytes) {
    if (format.is_1e()) return split_1e(format, asked, bytes);
    const bool ascii = format.is_ascii();
    const std::size_t unit = ascii ? 2 : 1;
    const bool with_serial = format.dialect.frame == McFrame::k4e;
    const std::uint16_t want = (with_serial ? kRequest4e : kRequest3e) | kAnswerMark;
    if (!begins_with(bytes, want, ascii)) {
        return broken(
            fmt::format("the answer begins with {}, one of a {}E frame in {} with {}{:04X}; check the "
                        "options frame and encoding",
                        first_bytes(bytes), with_serial ? 4 : 3, ascii ? "ASCII" : "binary",
                        ascii ? "the characters " : "", want));
    }
    const std::size_t header = (with_serial ? 13 : 9) * unit;
    if (bytes.size() < header) return {};
    Reader in{bytes, ascii};
    in.subheader();
    Answer answer;
    if (with_serial) {
        answer.serial = static_cast<std::uint16_t>(in.number(2));
        in.number(2);
    }
    const auto network = in.number(1);
    const auto pc = in.number(1);
    const auto module_io = in.number(2);
    const auto station = in.number(1);
    const std::size_t length = in.number(2);
    if (in.bad_digit()) return broken(std::string{kNoHexadecimal});
    if (network != format.network || pc != format.pc || module_io != format.module_io ||
        station != format.station) {
        return broken(fmt::format(
            "the answer comes over the route network {} PC {} module {:04X} station {}, asked was network {} "
            "PC "
            "{} module {:04X} station {}",
            network, pc, module_io, station, format.network, format.pc, format.module_io, format.station));
    }
    if (length < 2 * unit || length > kLongestAnswer) {
        return broken(fmt::format("the answer's header says {} bytes follow; an answer has {} to {}", length,
                                  2 * unit, kLongestAnswer));
    }
    if (bytes.size() < header + length) return {};
    answer.end_code = static_cast<std::uint16_t>(in.number(2));
    if (in.bad_digit()) return broken(std::string{kNoHexadecimal});
    answer.kind = Answer::Kind::kFrame;
    answer.data = bytes.subspan(in.at(), length - 2 * unit);
    answer.consumed = header + length;
    return answer;
}

std::size_t answer_bytes(const FrameFormat& format, const Request& asked) {
    const std::size_t unit = format.is_ascii() ? 2 : 1;
    switch (asked.operation) {
        case Operation::kReadWords:
            return asked.points * 2 * unit;
        case Operation::kReadBits:
            // 1E in ASCII sends a dummy character behind an odd number of bits (FX3U-ENET 9.3.2).
            if (format.is_ascii() && !format.is_1e()) return asked.points;
            return (asked.points + 1U) / 2U * unit;
        case Operation::kReadRandom:
            return (asked.words.size() * 2 + asked.dwords.size() * 4) * unit;
        case Operation::kWriteWords:
        case Operation::kWriteBits:
            return 0;
    }
    return 0;
}

bool decode_data(const FrameFormat& format, const Request& asked, std::span<const std::uint8_t> data,
                 std::vector<std::uint16_t>& words) {
    words.clear();
    if (data.size() != answer_bytes(format, asked)) return false;
    const bool ascii = format.is_ascii();
    if (asked.operation == Operation::kReadBits) {
        words.resize((asked.points + 15U) / 16U);
        for (std::size_t i = 0; i < asked.points; ++i) {
            unsigned value = 0;
            if (ascii) {
                value = data[i] - unsigned{'0'};
            } else {
                value = i % 2 == 0 ? data[i / 2] >> 4 : data[i / 2] & 0x0F;
            }
            if (value > 1) return false;
            words[i / 16] = static_cast<std::uint16_t>(words[i / 16] | value << (i % 16));
        }
        return true;
    }
    const std::size_t width = ascii ? 4 : 2;
    const bool random = asked.operation == Operation::kReadRandom;
    const auto singles = random ? asked.words.size() : data.size() / width;
    const auto word_at = [&](std::size_t at) {
        const auto value = number_at(data, at, width, ascii);
        words.push_back(static_cast<std::uint16_t>(value.value_or(0)));
        return value.has_value();
    };
    words.reserve(data.size() / width);
    for (std::size_t i = 0; i < singles; ++i) {
        if (!word_at(i * width)) return false;
    }
    for (std::size_t at = singles * width; at < data.size(); at += 2 * width) {
        // A double word in ASCII has its high word first.
        if (!word_at(ascii ? at + width : at) || !word_at(ascii ? at : at + width)) return false;
    }
    return true;
}

}  // namespace fieldwarden::worker::mc
