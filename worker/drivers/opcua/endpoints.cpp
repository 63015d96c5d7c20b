#include "worker/drivers/opcua/endpoints.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace fieldwarden::worker::opcua {

namespace {

constexpr std::string_view kPolicyPrefix = "http://opcfoundation.org/UA/SecurityPolicy#";
constexpr std::string_view kOaepSha1 = "http://www.w3.org/2001/04/xmlenc#rsa-oaep";
constexpr std::string_view kOaepSha256 = "http://opcfoundation.org/UA/security/rsa-oaep-sha2-256";
constexpr std::string_view kBinaryTransport =
    "http://opcfoundation.org/UA-Profile/Transport/uatcp-uasc-uabinary";

std::string_view short_policy(std::string_view policy) {
    return policy.starts_with(kPolicyPrefix) ? policy.substr(kPolicyPrefix.size()) : policy;
}

std::string_view mode_name(std::uint32_t mode) {
    switch (mode) {
        case 1:
            return "None";
        case 2:
            return "Sign";
        case 3:
            return "SignAndEncrypt";
        default:
            return "an unknown mode";
    }
}

bool binary(const Endpoint& endpoint) {
    return endpoint.transport.empty() || endpoint.transport == kBinaryTransport;
}

// nullopt: a policy we do not encrypt with. Basic128Rsa15 is none of them: its padding can be broken.
std::optional<PasswordCipher> cipher_of(std::string_view policy) {
    const auto name = short_policy(policy);
    if (name == "None") return PasswordCipher{};
    if (name == "Basic256Sha256" || name == "Basic256" || name == "Aes128_Sha256_RsaOaep")
        return PasswordCipher{true, Oaep::kSha1, kOaepSha1};
    if (name == "Aes256_Sha256_RsaPss") return PasswordCipher{true, Oaep::kSha256, kOaepSha256};
    return std::nullopt;
}

}  // namespace

Result<Endpoint> choose_endpoint(const std::vector<Endpoint>& offered, SecurityMode mode) {
    const auto policy = mode == SecurityMode::kNone ? kPolicyNone : kPolicyBasic256Sha256;
    const Endpoint* best = nullptr;
    std::string offers;
    for (const auto& endpoint : offered) {
        if (!binary(endpoint)) continue;
        if (offers.size() < 300) {
            offers += fmt::format("{}{} {}", offers.empty() ? "" : ", ",
                                  short_policy(endpoint.policy).substr(0, 40), mode_name(endpoint.mode));
        }
        if (endpoint.policy != policy || endpoint.mode != static_cast<std::uint32_t>(mode)) continue;
        if (best == nullptr || endpoint.level > best->level) best = &endpoint;
    }
    if (best != nullptr) return *best;
    return make_error(
        ErrorKind::kConflict,
        fmt::format("the server has no endpoint with {} {}; it offers: {}; choose option security "
                    "accordingly",
                    short_policy(policy), mode_name(static_cast<std::uint32_t>(mode)),
                    offers.empty() ? "none over opc.tcp" : offers));
}

Result<ChosenToken> choose_token(const Endpoint& endpoint, const SignIn& sign_in) {
    const bool anonymous = sign_in.username.empty();
    const auto wanted = static_cast<std::uint32_t>(anonymous ? TokenType::kAnonymous : TokenType::kUserName);
    const bool private_channel = endpoint.mode == static_cast<std::uint32_t>(SecurityMode::kSignAndEncrypt);
    std::optional<ChosenToken> plain;
    bool unknown_cipher = false;
    for (const auto& token : endpoint.tokens) {
        if (token.type != wanted) continue;
        if (anonymous) return ChosenToken{token.id, {}};
        const auto cipher =
            cipher_of(token.security_policy.empty() ? endpoint.policy : token.security_policy);
        if (!cipher) {
            unknown_cipher = true;
        } else if (cipher->encrypted) {
            return ChosenToken{token.id, *cipher};
        } else if (!plain) {
            plain = ChosenToken{token.id, *cipher};
        }
    }
    if (plain && (private_channel || sign_in.allow_plain_sign_in)) return *plain;
    const auto refuse = [](const char* why) { return make_error(ErrorKind::kConflict, why); };
    if (plain) {
        return refuse(
            "the server wants the password unencrypted on a connection that is not encrypted either; choose "
            "option "
            "security=basic256sha256_sign_encrypt, or set allow_plain_sign_in=true when the network can be "
            "trusted");
    }
    if (unknown_cipher)
        return refuse("the server wants the password encrypted in a way that is not known or not safe");
    if (anonymous) return refuse("the server takes no anonymous users; give options username and password");
    return refuse(
        "the server takes no user names on this endpoint; leave options username and password empty");
}

Result<Buffer> seal_password(std::string_view password, View server_nonce, evp_pkey_st* server_key,
                             const PasswordCipher& cipher) {
    const View bytes{reinterpret_cast<const std::uint8_t*>(password.data()), password.size()};
    if (!cipher.encrypted) return Buffer{bytes.begin(), bytes.end()};
    Buffer secret;
    Encoder out{secret};
    out.put(static_cast<std::uint32_t>(bytes.size() + server_nonce.size()));
    out.raw(bytes);
    out.raw(server_nonce);
    return encrypt(server_key, secret, cipher.hash);
}

}  // namespace fieldwarden::worker::opcua
