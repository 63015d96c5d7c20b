#include "supervisor/accounts/secrets.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <sys/random.h>

#include <array>
#include <cerrno>

namespace fieldwarden::supervisor {

namespace {

template <std::size_t N>
Result<std::array<unsigned char, N>> random_bytes() {
    std::array<unsigned char, N> bytes{};
    if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
        return make_error(ErrorKind::kIo,
                          fmt::format("the system gives no random bytes: {}", errno_text(errno)));
    }
    return bytes;
}

template <std::size_t N>
std::string base64url(const std::array<unsigned char, N>& bytes) {
    constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    std::string text;
    unsigned pending = 0;
    unsigned bits = 0;
    for (const auto byte : bytes) {
        pending = (pending << 8) | byte;
        bits += 8;
        while (bits >= 6) {
            bits -= 6;
            text.push_back(kDigits[(pending >> bits) & 0x3f]);
        }
    }
    if (bits > 0) text.push_back(kDigits[(pending << (6 - bits)) & 0x3f]);
    return text;
}

}  // namespace

Result<std::string> random_secret() {
    const auto bytes = random_bytes<32>();
    if (!bytes) return bytes.error();
    return base64url(*bytes);
}

Result<std::string> random_password() {
    const auto bytes = random_bytes<12>();
    if (!bytes) return bytes.error();
    // A dash or an underscore at the edge of what is printed is easily lost; any letter does as well.
    auto text = base64url(*bytes);
    for (auto& c : text) c = c == '-' ? 'x' : c == '_' ? 'y' : c;
    return text;
}

std::string hash_of_secret(std::string_view secret) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    if (::EVP_Digest(secret.data(), secret.size(), digest.data(), &size, ::EVP_sha256(), nullptr) != 1)
        return {};
    std::string hex;
    for (unsigned i = 0; i < size; ++i) hex += fmt::format("{:02x}", digest.at(i));
    return hex;
}

}  // namespace fieldwarden::supervisor
