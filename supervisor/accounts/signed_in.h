#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/clock.h"
#include "supervisor/accounts/account_store.h"

namespace fieldwarden::supervisor {

// The name in the audit trail and the access log of whoever has the token of <data-dir>/admin.token. No user
// is called so, not even in other letters.
inline constexpr std::string_view kAdminTokenName = "admin.token";

// Who is behind a request, and with what rights now.
struct SignedIn {
    enum class By : std::uint8_t { kSession, kToken };
    std::int64_t user_id = 0;  // 0: the administrator of <data-dir>/admin.token, who has no password
    std::string username;      // of 0: kAdminTokenName
    Role role = Role::kViewer;
    By by = By::kToken;
    bool must_change_password = false;
    std::string csrf_token;   // of a session
    std::string secret_hash;  // of the session or token
    std::optional<UtcTime> expires_at;
};

}  // namespace fieldwarden::supervisor
