#include "worker/sinks/postgres/copy_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "worker/decode.h"

namespace fieldwarden::worker::postgres {

namespace {

using std::chrono::sys_days;
using std::chrono::year;

constexpr UtcTime kEpoch{sys_days{year{2000} / 1 / 1}};
constexpr UtcTime kFirst{sys_days{year{-4713} / 11 / 24}};

constexpr std::int16_t kFields = 7;

template <class T>
void put(std::string& out, T value) {
    const auto bits = std::bit_cast<std::array<char, sizeof(T)>>(value);
    out.append(bits.rbegin(), bits.rend());
}

// NUL is the one character that text cannot hold.
std::string storable(std::string_view text) {
    auto valid = sanitize_utf8(text);
    for (auto at = valid.find('\0'); at != std::string::npos; at = valid.find('\0', at))
        valid.replace(at, 1, "\xEF\xBF\xBD");
    return valid;
}

void put_text(std::string& out, std::string_view text) {
    const auto stored = storable(text);
    put(out, static_cast<std::int32_t>(stored.size()));
    out += stored;
}

void put_null(std::string& out) {
    put(out, std::int32_t{-1});
}

void put_double(std::string& out, double number) {
    put(out, std::int32_t{sizeof number});
    put(out, number);
}

// The fields `value` and `text_value`.
struct PutValue {
    std::string& out;
    void operator()(std::monostate) const {
        put_null(out);
        put_null(out);
    }
    void operator()(double number) const {
        put_double(out, number);
        put_null(out);
    }
    void operator()(bool flag) const { (*this)(flag ? 1.0 : 0.0); }
    void operator()(std::int64_t number) const {
        const bool exact = number >= -kExact && number <= kExact;
        whole(static_cast<double>(number), exact, number);
    }
    void operator()(std::uint64_t number) const {
        whole(static_cast<double>(number), number <= static_cast<std::uint64_t>(kExact), number);
    }
    void operator()(const std::string& text) const {
        put_null(out);
        put_text(out, text);
    }
    // Up to here a double holds every whole number.
    static constexpr std::int64_t kExact = std::int64_t{1} << 53;
    template <class T>
    void whole(double rounded, bool exact, T number) const {
        put_double(out, rounded);
        if (exact) {
            put_null(out);
        } else {
            put_text(out, fmt::format("{}", number));
        }
    }
};

}  // namespace

bool fits_timestamptz(UtcTime time) {
    return time >= kFirst;
}

void append_copy_header(std::string& out) {
    constexpr std::string_view kSignature{"PGCOPY\n\xFF\r\n\0", 11};
    out += kSignature;
    put(out, std::int32_t{0});  // flags
    put(out, std::int32_t{0});  // length of the header's extension
}

void append_copy_row(std::string& out, const PointIdentity& point, const Sample& sample) {
    put(out, kFields);
    put(out, std::int32_t{sizeof(std::int64_t)});
    put(out, std::int64_t{(sample.time - kEpoch).count()});
    put_text(out, point.site_code);
    put_text(out, point.device_code);
    put_text(out, point.point_code);
    std::visit(PutValue{out}, sample.value);
    put(out, std::int32_t{sizeof(std::int16_t)});
    put(out, static_cast<std::int16_t>(sample.quality));
}

void append_copy_trailer(std::string& out) {
    put(out, std::int16_t{-1});
}

}  // namespace fieldwarden::worker::postgres
