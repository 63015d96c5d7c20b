#include "supervisor/workbook/secrets.h"

#include <algorithm>
#include <array>
#include <functional>
#include <vector>

#include "common/options.h"
#include "supervisor/workbook/text.h"
#include "supervisor/workbook/workbook.h"

namespace fieldwarden::supervisor {

namespace {

bool mentions_secret(std::string_view text) {
    const auto lower = lower_ascii(text);
    constexpr std::array<std::string_view, 4> kWords{"pass", "token", "secret", "key"};
    return std::any_of(kWords.begin(), kWords.end(),
                       [&](std::string_view word) { return lower.find(word) != std::string::npos; });
}

// The secret parts of a URL as positions: scheme://user:HERE@host/path?token=HERE&…
struct UrlSecret {
    std::string name;  // "" for the password of the user
    std::size_t begin = 0;
    std::size_t end = 0;
};

std::vector<UrlSecret> secrets_of(std::string_view url) {
    std::vector<UrlSecret> found;
    const auto scheme = url.find("://");
    const std::size_t start = scheme == std::string_view::npos ? 0 : scheme + 3;
    // A password may hold an unescaped '@' or '/': the last '@' before the query counts.
    const auto query = std::min(url.find('?', start), url.size());
    const auto sign = url.substr(0, query).rfind('@');
    if (sign != std::string_view::npos && sign >= start) {
        const auto colon = url.find(':', start);
        if (colon < sign) found.push_back({"", colon + 1, sign});
    }
    for (auto at = query; at < url.size();) {
        const auto begin = at + 1;
        at = std::min(url.find_first_of("&;#", begin), url.size());
        const auto equals = url.find('=', begin);
        if (equals < at && is_secret_option(lower_ascii(url.substr(begin, equals - begin)))) {
            found.push_back({lower_ascii(url.substr(begin, equals - begin)), equals + 1, at});
        }
    }
    return found;
}

// The URL with every secret replaced by what `put` gives for it.
std::string with_secrets(std::string_view url, const std::function<std::string_view(const UrlSecret&)>& put) {
    std::string out;
    std::size_t done = 0;
    for (const auto& secret : secrets_of(url)) {
        out += url.substr(done, secret.begin - done);
        out += put(secret);
        done = secret.end;
    }
    out += url.substr(done);
    return out;
}

}  // namespace

std::string masked_options(std::string_view text) {
    auto options = parse_options(text);
    if (!options) return std::string{mentions_secret(text) ? kSecretMask : text};
    bool any = false;
    for (auto& [name, value] : *options) {
        if (!is_secret_option(name) || value.empty()) continue;
        value = kSecretMask;
        any = true;
    }
    return any ? format_options(*options) : std::string{text};
}

std::string masked_url(std::string_view url) {
    return with_secrets(url, [](const UrlSecret& secret) {
        return secret.begin == secret.end ? std::string_view{} : kSecretMask;
    });
}

std::optional<std::string> unmasked_options(std::string_view text, std::string_view stored) {
    if (text.find(kSecretMask) == std::string_view::npos) return std::string{text};
    auto options = parse_options(text);
    if (!options) return std::string{text};
    const auto known = parse_options(stored);
    for (auto& [name, value] : *options) {
        if (!is_secret_option(name) || value != kSecretMask) continue;
        if (!known || !known->contains(name)) return std::nullopt;
        value = known->find(name)->second;
    }
    return format_options(*options);
}

std::optional<std::string> unmasked_url(std::string_view url, std::string_view stored) {
    const auto known = secrets_of(stored);
    bool lost = false;
    auto out = with_secrets(url, [&](const UrlSecret& secret) {
        const auto given = url.substr(secret.begin, secret.end - secret.begin);
        if (given != kSecretMask) return given;
        const auto found = std::find_if(known.begin(), known.end(),
                                        [&](const UrlSecret& other) { return other.name == secret.name; });
        lost = lost || found == known.end();
        return found == known.end() ? given : stored.substr(found->begin, found->end - found->begin);
    });
    if (lost) return std::nullopt;
    return out;
}

std::string masked_cell(const Field& field, std::string_view text) {
    switch (field.type) {
        case FieldType::kOptions:
            return masked_options(text);
        case FieldType::kUrl:
            return masked_url(text);
        case FieldType::kCode:
        case FieldType::kText:
        case FieldType::kInteger:
        case FieldType::kNumber:
        case FieldType::kBoolean:
        case FieldType::kDate:
        case FieldType::kChoice:
        case FieldType::kDataType:
        case FieldType::kAddress:
        case FieldType::kReference:
        case FieldType::kCodeList:
        case FieldType::kSchedule:
        case FieldType::kRunLimit:
        case FieldType::kPointField:
        case FieldType::kStateMap:
            return std::string{text};
    }
    return std::string{text};
}

void put_back_secrets(Kind kind, const Record* stored, std::vector<std::string>& cells, Language language,
                      Findings& findings) {
    const auto fields = schema_of(kind).fields;
    for (std::size_t i = 0; i < fields.size(); ++i) {
        if (fields[i].type != FieldType::kOptions && fields[i].type != FieldType::kUrl) continue;
        auto& cell = cells[i];
        if (cell.find(kSecretMask) == std::string::npos) continue;
        const std::string_view known =
            stored != nullptr && i < stored->cells.size() ? stored->cells[i] : std::string_view{};
        auto put_back =
            fields[i].type == FieldType::kUrl ? unmasked_url(cell, known) : unmasked_options(cell, known);
        if (put_back) {
            cell = std::move(*put_back);
        } else {
            findings.push_back(
                {i, ProblemCode::kMaskedSecret,
                 say(language, "{} stands for a stored secret, but none is stored; type the secret itself",
                     "{} 代表已保存的密钥，但尚未保存任何密钥，请直接填写", kSecretMask),
                 std::string{kSecretMask}});
        }
    }
}

}  // namespace fieldwarden::supervisor
