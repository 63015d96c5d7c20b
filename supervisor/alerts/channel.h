// AlertChannel: a way to tell somebody of an alert, as it is configured. The status bus is none: it says
// everything, always.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "common/device_options.h"
#include "common/options.h"
#include "supervisor/alerts/alert_rule.h"

namespace fieldwarden::supervisor {

enum class ChannelType : std::uint8_t { kLog, kWebhook, kEmail };

}  // namespace fieldwarden::supervisor

namespace fieldwarden {
template <>
struct EnumNames<supervisor::ChannelType> {
    using E = supervisor::ChannelType;
    static constexpr std::array<EnumName<E>, 3> table{{
        {E::kLog, "log"},
        {E::kWebhook, "webhook"},
        {E::kEmail, "email"},
    }};
};
}  // namespace fieldwarden

namespace fieldwarden::supervisor {

struct AlertChannel {
    std::int64_t id = 0;
    std::string code;  // unique, never changed
    std::string name;
    ChannelType type = ChannelType::kLog;
    bool enabled = true;
    bool built_in = false;
    Options options;  // those of channel_options(type); url, secret and password may be secrets

    bool operator==(const AlertChannel&) const = default;

    // The option, or the table's fallback.
    [[nodiscard]] std::string option(std::string_view wanted) const;
    [[nodiscard]] milliseconds timeout() const;
};

std::span<const OptionSpec> channel_options(ChannelType type);

// With secrets shown as kSecretMask; `plain` is for the store alone.
proto::Json to_json(const AlertChannel& channel, bool plain = false);
// As rule_from_json. Options that are left out stay; null takes one away. The mask stands for the stored
// secret, which is not handed to another address: a new url needs its secrets again.
AlertChannel channel_from_json(const proto::Json& body, const AlertChannel* stored,
                               std::vector<RuleProblem>& problems);
// "a@b.example, c@d.example" → the addresses.
std::vector<std::string> mail_addresses(std::string_view list);

std::vector<AlertChannel> built_in_channels();

}  // namespace fieldwarden::supervisor
