#include "worker/drivers/mqtt/settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <set>

#include "common/device_options.h"
#include "worker/drivers/mqtt/topic.h"

namespace fieldwarden::worker::mqtt {

namespace {

using std::chrono::milliseconds;

std::uint64_t mixed(std::uint64_t hash, std::string_view text) {
    constexpr std::uint64_t kPrime = 0x100000001b3ULL;  // FNV-1a
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * kPrime;
    return hash * kPrime;
}

// A session nobody wants to find again.
std::string random_client_id() {
    std::random_device random;
    return fmt::format("fw{:08x}{:08x}", random(), random());
}

std::vector<std::string> split_filters(std::string_view text) {
    std::vector<std::string> filters;
    while (!text.empty()) {
        auto part = text.substr(0, text.find(','));
        text.remove_prefix(std::min(part.size() + 1, text.size()));
        while (part.starts_with(' ')) part.remove_prefix(1);
        while (part.ends_with(' ')) part.remove_suffix(1);
        filters.emplace_back(part);
    }
    return filters;
}

Status read_filters(const DeviceConfig& config, std::string_view given, Settings& settings) {
    if (given.empty()) {
        std::set<std::string> topics;
        for (const auto& point : settings.points) topics.insert(point.address.topic);
        settings.filters.assign(topics.begin(), topics.end());
        return {};
    }
    settings.filters_are_topics = false;
    settings.filters = split_filters(given);
    for (const auto& filter : settings.filters) {
        if (is_filter(filter)) continue;
        return make_error(ErrorKind::kInvalidArgument,
                          fmt::format("option subscribe: '{}' is no topic filter; write plant/# or "
                                      "plant/+/temp, several separated by commas",
                                      filter.substr(0, 100)));
    }
    for (std::size_t i = 0; i < settings.points.size(); ++i) {
        const auto& topic = settings.points[i].address.topic;
        const bool covered = std::any_of(settings.filters.begin(), settings.filters.end(),
                                         [&](const auto& filter) { return matches(filter, topic); });
        if (covered) continue;
        return make_error(
            ErrorKind::kInvalidArgument,
            fmt::format("point {}: no filter of option subscribe ({}) brings topic '{}'; add "
                        "one that does",
                        config.points[i].point_code, given.substr(0, 100), topic.substr(0, 100)));
    }
    return {};
}

}  // namespace

std::string derived_client_id(const DeviceConfig& config) {
    constexpr std::uint64_t kBasis = 0xcbf29ce484222325ULL;
    const auto lowest = std::min_element(config.points.begin(), config.points.end(),
                                         [](const auto& a, const auto& b) { return a.id < b.id; });
    auto hash = mixed(mixed(kBasis, config.site_code), config.device_code);
    if (lowest != config.points.end()) hash = mixed(hash, std::to_string(lowest->id));
    return fmt::format("fw{:016x}", hash);
}

Result<Settings> read_settings(const DeviceConfig& config) {
    const auto refuse = [&](std::string_view why) {
        return make_error(ErrorKind::kInvalidArgument, fmt::format("device {}: {}", config.device_code, why));
    };
    if (const auto fine = check_device_options(config.protocol, config.options); !fine)
        return refuse(fine.error().message);
    const auto text = [&](std::string_view name) {
        return text_option(config.protocol, config.options, name);
    };
    const auto whole = [&](std::string_view name) {
        return integer_option(config.protocol, config.options, name);
    };
    const auto flag = [&](std::string_view name) { return text(name) == "true"; };

    Settings settings;
    const auto broker = parse_mqtt_broker(config.address);
    if (!broker) return refuse(broker.error().message);
    settings.broker = *broker;
    settings.version5 = text("version") == "5";
    settings.username = text("username");
    settings.password = text("password");
    settings.clean_session = flag("clean_session");
    settings.client_id = text("client_id");
    if (settings.client_id.empty())
        settings.client_id = settings.clean_session ? random_client_id() : derived_client_id(config);
    settings.session_expiry_s = static_cast<std::uint32_t>(whole("session_expiry_s"));
    settings.keep_alive = std::chrono::seconds{whole("keep_alive_s")};
    settings.ca_file = text("ca_file");
    settings.cert_file = text("cert_file");
    settings.key_file = text("key_file");
    settings.verify = flag("verify");
    settings.qos = static_cast<int>(whole("qos"));
    if (settings.cert_file.empty() && !settings.key_file.empty())
        return refuse("option key_file is the key of cert_file, which is missing");
    if (!settings.username.empty() && settings.username.find('\0') != std::string::npos)
        return refuse("option username holds a zero byte");

    const auto retained = text("retained");
    settings.retained = retained == "ignore"  ? RetainedUse::kIgnore
                        : retained == "trust" ? RetainedUse::kTrust
                                              : RetainedUse::kUse;
    if (const auto pointer = text("timestamp"); !pointer.empty()) {
        auto parts = parse_json_pointer(pointer);
        if (!parts) return refuse(fmt::format("option timestamp: {}", parts.error().message));
        settings.timestamp = std::move(*parts);
    }
    settings.stale_after = milliseconds{whole("stale_after_ms")};
    settings.queue_size = static_cast<std::size_t>(whole("queue_size"));
    settings.max_payload_bytes = static_cast<std::size_t>(whole("max_payload_bytes"));
    settings.write_topic = text("write_topic");
    if (settings.write_topic.find_first_of("+#") != std::string::npos)
        return refuse("option write_topic holds a wildcard; nothing can be published there");
    const auto write_payload = text("write_payload");
    settings.write_payload = write_payload == "value"    ? WritePayload::kValue
                             : write_payload == "member" ? WritePayload::kMember
                                                         : WritePayload::kPlain;
    settings.timeout = milliseconds{whole("timeout_ms")};
    settings.connect_timeout = milliseconds{whole("connect_timeout_ms")};

    settings.points.reserve(config.points.size());
    for (const auto& point : config.points) {
        auto address = parse_mqtt_address(point.address);
        if (!address) return refuse(fmt::format("point {}: {}", point.point_code, address.error().message));
        settings.points.push_back({.id = point.id, .type = point.data_type, .address = std::move(*address)});
    }
    if (const auto status = read_filters(config, text("subscribe"), settings); !status)
        return refuse(status.error().message);
    return settings;
}

}  // namespace fieldwarden::worker::mqtt
