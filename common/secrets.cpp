#include "common/secrets.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

namespace fieldwarden {

namespace {

constexpr std::array<std::string_view, 11> kSecretWords{
    "password", "passwd",      "passphrase", "token",         "secret",  "credential",
    "api_key",  "private_key", "access_key", "authorization", "key.pem",
};

bool names_a_secret(std::string_view name) {
    return std::ranges::any_of(
        kSecretWords, [&](std::string_view word) { return name.find(word) != std::string_view::npos; });
}

std::string without_escapes(std::string_view text) {
    std::string plain;
    for (std::size_t i = 0; i < text.size(); ++i) {
        unsigned byte = 0;
        if (text[i] == '%' && i + 2 < text.size() &&
            std::from_chars(text.data() + i + 1, text.data() + i + 3, byte, 16).ptr == text.data() + i + 3) {
            plain += static_cast<char>(byte);
            i += 2;
        } else {
            plain += text[i];
        }
    }
    return plain;
}

void collect(std::string_view value, std::vector<std::string>& secrets) {
    if (value.empty()) return;
    secrets.emplace_back(value);
    if (auto plain = without_escapes(value); plain != value) secrets.push_back(std::move(plain));
}

void collect_options(const Options& options, std::vector<std::string>& secrets) {
    for (const auto& [name, value] : options) {
        if (names_a_secret(name)) secrets.push_back(value);
    }
}

// scheme://user:HERE@host/path?token=HERE&…
void collect_url(std::string_view url, std::vector<std::string>& secrets) {
    const auto scheme = url.find("://");
    if (scheme == std::string_view::npos) return;
    const auto authority = url.substr(scheme + 3, url.find_first_of("/?#", scheme + 3) - scheme - 3);
    const auto at = authority.rfind('@');
    const auto colon = authority.find(':');
    if (at != std::string_view::npos && colon < at) {
        collect(authority.substr(colon + 1, at - colon - 1), secrets);
    }
    auto query = url.find('?', scheme);
    while (query != std::string_view::npos) {
        const auto begin = query + 1;
        const auto next = url.find_first_of("&#", begin);
        const auto pair = url.substr(begin, next - begin);
        const auto equals = pair.find('=');
        if (equals != std::string_view::npos && names_a_secret(pair.substr(0, equals))) {
            collect(pair.substr(equals + 1), secrets);
        }
        query = next != std::string_view::npos && url[next] == '&' ? next : std::string_view::npos;
    }
}

}  // namespace

std::vector<std::string> secrets_of(const DeviceConfig& device) {
    std::vector<std::string> secrets;
    collect_options(device.options, secrets);
    collect_url(device.address, secrets);
    return secrets;
}

std::vector<std::string> secrets_of(const SinkConfig& sink) {
    std::vector<std::string> secrets;
    collect_options(sink.options, secrets);
    collect_url(sink.url, secrets);
    return secrets;
}

std::vector<std::string> secrets_of(const TaskConfig& config) {
    std::vector<std::string> secrets;
    const auto add = [&](std::vector<std::string> more) {
        secrets.insert(secrets.end(), std::make_move_iterator(more.begin()),
                       std::make_move_iterator(more.end()));
    };
    for (const auto& device : config.devices) add(secrets_of(device));
    for (const auto& sink : config.sinks) add(secrets_of(sink));
    return secrets;
}

void SecretMask::add(std::vector<std::string> secrets) {
    for (auto& secret : secrets) {
        if (secret.size() < kLeastLength || secret.size() > kMostLength) continue;
        if (std::ranges::find(secrets_, secret) == secrets_.end()) secrets_.push_back(std::move(secret));
    }
    std::ranges::sort(secrets_, [](const auto& a, const auto& b) { return a.size() > b.size(); });
}

void SecretMask::apply(std::string& text) const {
    constexpr std::string_view kMask = "***";
    for (const auto& secret : secrets_) {
        for (auto at = text.find(secret); at != std::string::npos;
             at = text.find(secret, at + kMask.size())) {
            text.replace(at, secret.size(), kMask);
        }
    }
}

}  // namespace fieldwarden
