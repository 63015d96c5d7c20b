// Random secrets and what is kept of them. Thread safe.
#pragma once

#include <string>
#include <string_view>

#include "common/result.h"

namespace fieldwarden::supervisor {

// 256 random bits (getrandom) as 43 characters of base64url (RFC 4648, section 5).
Result<std::string> random_secret();
// 96 random bits as 16 characters a person can type.
Result<std::string> random_password();
// SHA-256, hex: enough for a secret of 256 random bits, which nobody can guess.
std::string hash_of_secret(std::string_view secret);

}  // namespace fieldwarden::supervisor
