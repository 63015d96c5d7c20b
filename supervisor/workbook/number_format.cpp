#include "supervisor/workbook/number_format.h"

#include <fmt/format.h>

#include <chrono>
#include <cmath>

namespace fieldwarden::supervisor {

namespace {

constexpr double kDaysTo9999 = 2'958'465;  // serial of 9999-12-31 in the 1900 count

std::string calendar_text(std::int64_t serial, Epoch epoch) {
    using std::chrono::days;
    using std::chrono::sys_days;
    if (epoch == Epoch::k1900 && serial == 60) return "1900-02-29";
    const sys_days base = epoch == Epoch::k1904 ? sys_days{std::chrono::year{1904} / 1 / 1}
                          : serial < 60         ? sys_days{std::chrono::year{1899} / 12 / 31}
                                                : sys_days{std::chrono::year{1899} / 12 / 30};
    const std::chrono::year_month_day date{base + days{serial}};
    return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(date.year()),
                       static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
}

}  // namespace

CellFormat builtin_format(unsigned id) {
    const bool date =
        (id >= 14 && id <= 22) || (id >= 27 && id <= 36) || (id >= 45 && id <= 47) ||
        (id >= 50 && id <= 58);  // 27 to 36 and 50 to 58 are the dates of Chinese, Japanese and Korean
    return {date ? CellFormat::Kind::kDate : CellFormat::Kind::kPlain, 0};
}

CellFormat parse_format_code(std::string_view code) {
    if (code.starts_with("General") || code == "@") return {};
    std::size_t zeros = 0;
    bool only_zeros = true;
    for (std::size_t i = 0; i < code.size() && code[i] != ';'; ++i) {
        const char c = code[i];
        if (c == '"') {  // literal text
            const auto close = code.find('"', i + 1);
            i = close == std::string_view::npos ? code.size() - 1 : close;
            only_zeros = false;
            continue;
        }
        if (c == '\\' || c == '_' || c == '*') {  // one literal, blank or fill character
            ++i;
            only_zeros = false;
            continue;
        }
        if (c == '[') {  // colour, condition or locale; [h] [m] [s] count elapsed time
            const auto close = code.find(']', i + 1);
            if (close == std::string_view::npos) break;
            const auto inside = code.substr(i + 1, close - i - 1);
            if (!inside.empty() && inside.find_first_not_of("hHmMsS") == std::string_view::npos) {
                return {CellFormat::Kind::kDate, 0};
            }
            i = close;
            continue;
        }
        switch (c) {
            case 'y':
            case 'Y':
            case 'm':
            case 'M':
            case 'd':
            case 'D':
            case 'h':
            case 'H':
            case 's':
            case 'S':
                return {CellFormat::Kind::kDate, 0};
            case '0':
                ++zeros;
                break;
            default:
                only_zeros = false;
        }
    }
    if (only_zeros && zeros >= 2 && zeros <= 32) {
        return {CellFormat::Kind::kPadded, static_cast<std::uint8_t>(zeros)};
    }
    return {};
}

std::string date_text(double serial, Epoch epoch) {
    if (!(serial >= 0) || serial >= kDaysTo9999 + 1) return {};
    constexpr std::int64_t kSecondsPerDay = 86'400;
    const auto seconds =
        static_cast<std::int64_t>(std::llround(serial * static_cast<double>(kSecondsPerDay)));
    const auto day = seconds / kSecondsPerDay;
    const auto second = seconds % kSecondsPerDay;
    const auto time = fmt::format("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60);
    if (day == 0 && epoch == Epoch::k1900) return time;
    auto date = calendar_text(day, epoch);
    return second == 0 ? date : date + " " + time;
}

}  // namespace fieldwarden::supervisor
