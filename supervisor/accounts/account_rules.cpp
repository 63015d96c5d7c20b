#include "supervisor/accounts/account_rules.h"

#include <fmt/format.h>

#include <algorithm>

#include "supervisor/accounts/passwords.h"
#include "supervisor/accounts/signed_in.h"

namespace fieldwarden::supervisor {

namespace {

constexpr std::size_t kLongestName = 64;

bool is_control(char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

// Of UTF-8: every byte that does not continue a character.
std::size_t characters(std::string_view text) {
    return static_cast<std::size_t>(
        std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

}  // namespace

std::optional<std::string> wrong_username(std::string_view name) {
    if (name.empty() || name.size() > kLongestName) {
        return fmt::format("a user name has 1 to {} bytes", kLongestName);
    }
    if (std::ranges::any_of(name, [](char c) { return is_control(c) || c == ' ' || c == '/' || c == ':'; })) {
        return "a user name has no spaces, control characters, '/' or ':'";
    }
    // In a path it would be taken for somebody's id.
    if (std::ranges::all_of(name, [](char c) { return c >= '0' && c <= '9'; })) {
        return "a user name is not a number";
    }
    // Else the audit trail would not tell the two apart.
    const auto small = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
    if (std::ranges::equal(name, kAdminTokenName, {}, small)) {
        return fmt::format("'{}' stands for whoever has the token in that file; choose another name",
                           kAdminTokenName);
    }
    return std::nullopt;
}

std::optional<std::string> wrong_password(std::string_view password) {
    if (characters(password) < kShortestPassword) {
        return fmt::format("a password has at least {} characters", kShortestPassword);
    }
    if (password.size() > Passwords::kLongest) {
        return fmt::format("a password has at most {} bytes", Passwords::kLongest);
    }
    return std::nullopt;
}

std::optional<std::string> wrong_token_name(std::string_view name) {
    if (name.empty() || name.size() > kLongestName || std::ranges::any_of(name, is_control)) {
        return fmt::format("a token's name has 1 to {} bytes and no control characters", kLongestName);
    }
    return std::nullopt;
}

}  // namespace fieldwarden::supervisor
