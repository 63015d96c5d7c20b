#include "supervisor/alerts/channel.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "supervisor/alerts/member_reader.h"
#include "supervisor/plant/plant.h"
#include "supervisor/plant/schema.h"
#include "supervisor/workbook/secrets.h"

namespace fieldwarden::supervisor {

using proto::Json;
using Type = OptionSpec::Type;

namespace {

constexpr OptionSpec attempt_time(std::string_view fallback) {
    return {.name = "timeout",
            .type = Type::kDuration,
            .least = 100,
            .most = 60'000,
            .fallback = fallback,
            .help = "longest time for one attempt"};
}
constexpr OptionSpec kVerifyTls{.name = "verify_tls",
                                .type = Type::kBoolean,
                                .fallback = "true",
                                .help = "whether the server's certificate must be good"};
constexpr OptionSpec kCaFile{.name = "ca_file",
                             .help = "PEM file of the authorities to trust; empty: the system's"};

constexpr std::array kWebhookOptions{
    OptionSpec{.name = "url", .help = "http:// or https:// address that takes the alert by POST"},
    OptionSpec{.name = "secret", .help = "key of the signature; empty: not signed"},
    attempt_time("10s"),
    kVerifyTls,
    kCaFile,
};
constexpr std::array kEmailOptions{
    OptionSpec{.name = "url", .help = "smtp://host:port or smtps://host:port"},
    OptionSpec{.name = "starttls",
               .type = Type::kChoice,
               .choices = "none|optional|required",
               .fallback = "required",
               .help = "encryption of smtp://"},
    OptionSpec{.name = "username", .help = "empty: no sign-in"},
    OptionSpec{.name = "password", .help = "of the user"},
    OptionSpec{.name = "from", .help = "address of the sender"},
    OptionSpec{.name = "to", .help = "addresses of the receivers, separated by commas"},
    OptionSpec{.name = "subject_prefix", .fallback = "Fieldwarden", .help = "stands before every subject"},
    attempt_time("15s"),
    kVerifyTls,
    kCaFile,
};

constexpr std::size_t kLongestOption = 2000;
constexpr std::size_t kMostReceivers = 100;

bool is_printable(std::string_view text) {
    return std::ranges::none_of(text, [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte < 0x20 || byte == 0x7f;
    });
}

bool is_mail_address(std::string_view text) {
    const auto at = text.find('@');
    if (at == 0 || at == std::string_view::npos || at + 1 == text.size() || text.size() > 254) return false;
    return std::ranges::none_of(text, [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte <= 0x20 || byte >= 0x7f ||
               std::string_view{"<>()[],;:\\\""}.find(c) != std::string_view::npos;
    });
}

bool has_scheme(std::string_view url, std::initializer_list<std::string_view> schemes) {
    return std::ranges::any_of(schemes, [&](std::string_view scheme) {
        return url.starts_with(scheme) && url.size() > scheme.size() && url[scheme.size()] != '/';
    });
}

void check_url(const AlertChannel& channel, MemberReader& reader) {
    const auto url = channel.option("url");
    if (url.empty()) return reader.problem("url", "missing_value", "url is needed");
    const bool fits = channel.type == ChannelType::kWebhook ? has_scheme(url, {"http://", "https://"})
                                                            : has_scheme(url, {"smtp://", "smtps://"});
    const bool blank = url.find(' ') != std::string::npos;
    if (!fits || blank) {
        reader.problem("url", "bad_value",
                       channel.type == ChannelType::kWebhook
                           ? "url begins with http:// or https:// and a host"
                           : "url begins with smtp:// or smtps:// and a host");
    }
}

void check_addresses(const AlertChannel& channel, MemberReader& reader) {
    if (!is_mail_address(channel.option("from"))) {
        reader.problem("from", channel.option("from").empty() ? "missing_value" : "bad_value",
                       "from is one mail address");
    }
    const auto to = mail_addresses(channel.option("to"));
    if (to.empty() || to.size() > kMostReceivers || !std::ranges::all_of(to, is_mail_address)) {
        reader.problem("to", to.empty() ? "missing_value" : "bad_value",
                       fmt::format("to is 1 to {} mail addresses, separated by commas", kMostReceivers));
    }
}

void read_option(const std::string& name, const Json& value, const AlertChannel* stored,
                 AlertChannel& channel, MemberReader& reader) {
    if (value.is_null()) {
        channel.options.erase(name);
        return;
    }
    std::string text;
    if (value.is_string()) {
        text = value.get<std::string>();
    } else if (value.is_number() || value.is_boolean()) {
        text = value.dump();
    } else {
        return reader.problem(name, "bad_value", "an option is a text, a number or true or false");
    }
    if (text.size() > kLongestOption || !is_printable(text)) {
        return reader.problem(name, "bad_value",
                              fmt::format("at most {} bytes without control characters", kLongestOption));
    }
    const auto known = stored == nullptr ? std::string{} : stored->option(name);
    if (is_secret_option(name) && text == kSecretMask) {
        if (known.empty()) return reader.problem(name, "bad_value", "the mask stands for nothing stored");
        text = known;
    }
    if (name == "url") {
        const auto unmasked = unmasked_url(text, known);
        if (!unmasked) return reader.problem(name, "bad_value", "the mask stands for nothing stored");
        text = *unmasked;
    }
    if (const auto fits =
            check_options(channel_options(channel.type),
                          fmt::format("a channel of type {}", to_name(channel.type)), Options{{name, text}});
        !fits) {
        return reader.problem(name, "bad_value", fits.error().message);
    }
    channel.options[name] = std::move(text);
}

// A secret that was stored for one address does not go to another one unseen.
void check_secrets_belong(const Json& options, const AlertChannel& channel, const AlertChannel& stored,
                          MemberReader& reader) {
    if (channel.option("url") == stored.option("url")) return;
    const auto given = [&](const char* name) {
        const auto found = options.find(name);
        return found != options.end() && !(found->is_string() && *found == std::string{kSecretMask});
    };
    for (const auto* name : {"password", "secret"}) {
        if (!channel.option(name).empty() && !given(name)) {
            reader.problem(name, "missing_value",
                           fmt::format("the url is another one: give {} again, or null for none", name));
        }
    }
    if (const auto url = options.find("url");
        url != options.end() && url->is_string() &&
        url->get_ref<const std::string&>().find(kSecretMask) != std::string::npos) {
        reader.problem("url", "missing_value", "the url is another one: give the password in it again");
    }
}

}  // namespace

std::span<const OptionSpec> channel_options(ChannelType type) {
    switch (type) {
        case ChannelType::kLog:
            return {};
        case ChannelType::kWebhook:
            return kWebhookOptions;
        case ChannelType::kEmail:
            return kEmailOptions;
    }
    return {};
}

std::string AlertChannel::option(std::string_view wanted) const {
    if (const auto given = options.find(wanted); given != options.end()) return given->second;
    for (const auto& spec : channel_options(type)) {
        if (spec.name == wanted) return std::string{spec.fallback};
    }
    return {};
}

milliseconds AlertChannel::timeout() const {
    const auto given = parse_duration(option("timeout"));
    return given ? *given : milliseconds{10'000};
}

Json to_json(const AlertChannel& channel, bool plain) {
    Json options = Json::object();
    for (const auto& [name, value] : channel.options) {
        if (plain) {
            options[name] = value;
        } else if (name == "url") {
            options[name] = masked_url(value);
        } else {
            options[name] = is_secret_option(name) && !value.empty() ? std::string{kSecretMask} : value;
        }
    }
    return {{"id", channel.id},
            {"code", channel.code},
            {"name", channel.name},
            {"type", to_name(channel.type)},
            {"enabled", channel.enabled},
            {"built_in", channel.built_in},
            {"options", std::move(options)}};
}

AlertChannel channel_from_json(const Json& body, const AlertChannel* stored,
                               std::vector<RuleProblem>& problems) {
    AlertChannel channel = stored != nullptr ? *stored : AlertChannel{};
    MemberReader members{body, problems};
    (void)members.take("id");
    (void)members.take("built_in");
    members.code("code", channel.code);
    members.choice("type", channel.type);
    if (stored == nullptr) {
        if (!body.contains("code")) members.problem("code", "missing_value", "code is needed");
        if (!body.contains("type")) {
            members.problem("type", "missing_value", "type is one of " + all_names<ChannelType>());
        }
    } else {
        if (channel.code != stored->code)
            members.problem("code", "bad_value", "a channel's code is never changed");
        if (channel.type != stored->type) {
            members.problem("type", "bad_value", "a channel's type is never changed; make another one");
            channel.type = stored->type;
        }
    }
    members.text("name", channel.name, kLongestAlertText);
    members.flag("enabled", channel.enabled);
    MemberReader options{body, problems, "options."};
    if (const auto* given = members.take("options"); given != nullptr && !given->is_object()) {
        members.problem("options", "bad_value", "options is an object");
    } else if (given != nullptr) {
        for (const auto& [name, value] : given->items()) read_option(name, value, stored, channel, options);
        if (stored != nullptr) check_secrets_belong(*given, channel, *stored, options);
    }
    members.finish();
    if (!problems.empty()) return channel;
    if (channel.type != ChannelType::kLog) check_url(channel, options);
    if (channel.type == ChannelType::kEmail) check_addresses(channel, options);
    return channel;
}

std::vector<std::string> mail_addresses(std::string_view list) {
    const auto parts = split_codes(list);
    return {parts.begin(), parts.end()};
}

std::vector<AlertChannel> built_in_channels() {
    AlertChannel log;
    log.code = "log";
    log.name = "The supervisor's own log";
    log.type = ChannelType::kLog;
    log.built_in = true;
    return {log};
}

}  // namespace fieldwarden::supervisor
