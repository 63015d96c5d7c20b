// How a spreadsheet cell shows a number: what tells a date or a zero-padded code from a plain number.
// Source: ECMA-376 Part 1, 18.8.30 (numFmt) and 18.17.4.1 (dates); [MS-XLS] 2.4.126 uses the same codes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace fieldwarden::supervisor {

struct CellFormat {
    enum class Kind : std::uint8_t { kPlain, kDate, kPadded };
    Kind kind = Kind::kPlain;
    std::uint8_t digits = 0;  // kPadded: "0000" shows 7 as 0007
};

// Of a built-in format id; kPlain for the ids above 163, which a workbook defines itself.
CellFormat builtin_format(unsigned id);
// Of a format code such as `yyyy"年"m"月"d"日"`, `[$-409]d-mmm-yy;@` or `00000`.
CellFormat parse_format_code(std::string_view code);

// The two day counts: 1900 with the leap day that never was (serial 60), and 1904.
enum class Epoch : std::uint8_t { k1900, k1904 };

// "YYYY-MM-DD", with " HH:MM:SS" when there is a time, "HH:MM:SS" below one day; "" when it is no date Excel
// knows.
std::string date_text(double serial, Epoch epoch);

}  // namespace fieldwarden::supervisor
