// Small functions over text that a person typed: blanks, full-width forms, numbers, near misses.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "supervisor/workbook/language.h"

namespace fieldwarden::supervisor {

// Without leading and trailing blanks: ASCII, no-break and ideographic space, zero-width space and byte order
// mark.
std::string_view trimmed(std::string_view text);
// Full-width digits, letters and punctuation (１，．：；＝（） and the ideographic space) as their ASCII
// forms; the rest is kept. Text between ASCII double quotes is kept when `except_quoted`.
std::string half_width(std::string_view text, bool except_quoted = false);
bool has_full_width(std::string_view text);

bool valid_utf8(std::string_view text);
// The longest prefix of at most `most` bytes that does not cut a character, with "…" when something was left
// off.
std::string shortened(std::string_view text, std::size_t most);
// Code points in valid UTF-8.
std::size_t characters(std::string_view text);

// One code point; a half of a surrogate pair and anything beyond Unicode as U+FFFD.
void append_utf8(std::string& out, std::uint32_t code);

std::string lower_ascii(std::string_view text);

// The canonical text of a number: whole numbers below 1e15 as digits, others in the shortest form that reads
// back the same double. -0 is 0.
std::string number_text(double value);
// All of `text` as a finite decimal number; a leading + is allowed.
std::optional<double> parse_number(std::string_view text);

// "A, B" or "A、B".
std::string joined(std::span<const std::string> texts, Language language);

// The candidate with the fewest edits (case apart), if it is close enough to be what was meant; "" otherwise.
class NearestMatch {
  public:
    explicit NearestMatch(std::string_view text);
    void offer(std::string_view candidate);
    [[nodiscard]] const std::string& best() const { return best_; }

  private:
    std::string wanted_;
    std::string best_;
    std::size_t distance_;
};

}  // namespace fieldwarden::supervisor
