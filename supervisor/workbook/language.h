// The language of messages to a person: every message of the workbook part exists in English and Chinese.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "common/enum_table.h"

namespace fieldwarden::supervisor {

enum class Language : std::uint8_t { kEnglish, kChinese };

// The first of en and zh that an Accept-Language header (or a locale such as zh_CN.UTF-8) names; English
// otherwise.
Language language_of(std::string_view accept_language);

// The message in the language asked for. Both texts take the same arguments, in the same order or by
// position.
template <class... Args>
std::string say(Language language, fmt::format_string<const Args&...> english,
                fmt::format_string<const Args&...> chinese, const Args&... args) {
    return fmt::format(language == Language::kChinese ? chinese : english, args...);
}

}  // namespace fieldwarden::supervisor

namespace fieldwarden {
template <>
struct EnumNames<supervisor::Language> {
    static constexpr std::array<EnumName<supervisor::Language>, 2> table{{
        {supervisor::Language::kEnglish, "en"},
        {supervisor::Language::kChinese, "zh"},
    }};
};
}  // namespace fieldwarden
