// Text for terminals: display width, cutting, and making text from outside safe to print.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace fieldwarden::supervisor::cli {

// Columns the text takes on a terminal: 2 for East Asian wide characters and emoji, 0 for combining marks.
std::size_t display_width(std::string_view utf8);

// Without anything that could drive the terminal: control characters (escape sequences begin with one) and
// overrides of the writing direction become '?', line breaks and tabs a blank, bytes that are no UTF-8
// U+FFFD.
std::string printable(std::string_view text);

// At most `width` columns, the last one '…' when something was cut off.
std::string cut_to_width(std::string_view utf8, std::size_t width);

// The text in lines of at most `width` columns (at least 2), broken at blanks where there are any.
std::vector<std::string> wrapped(std::string_view utf8, std::size_t width);

}  // namespace fieldwarden::supervisor::cli
