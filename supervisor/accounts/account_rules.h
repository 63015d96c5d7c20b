// What a user name, a password and a token's name may be. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace fieldwarden::supervisor {

inline constexpr std::size_t kShortestPassword = 10;  // characters

// A sentence that says what is wrong; nullopt when it will do.
std::optional<std::string> wrong_username(std::string_view name);
std::optional<std::string> wrong_password(std::string_view password);
std::optional<std::string> wrong_token_name(std::string_view name);

}  // namespace fieldwarden::supervisor
