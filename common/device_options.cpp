#include "common/device_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <vector>

#include "common/clock.h"

namespace fieldwarden {

namespace {

using Type = OptionSpec::Type;

constexpr OptionSpec integer(std::string_view name, std::int64_t least, std::int64_t most,
                             std::string_view fallback, std::string_view help) {
    return {.name = name,
            .type = Type::kInteger,
            .least = least,
            .most = most,
            .fallback = fallback,
            .help = help};
}
constexpr OptionSpec choice(std::string_view name, std::string_view choices, std::string_view fallback,
                            std::string_view help) {
    return {.name = name, .type = Type::kChoice, .choices = choices, .fallback = fallback, .help = help};
}
constexpr OptionSpec boolean(std::string_view name, std::string_view fallback, std::string_view help) {
    return {.name = name, .type = Type::kBoolean, .fallback = fallback, .help = help};
}
constexpr OptionSpec text(std::string_view name, std::string_view help) {
    return {.name = name, .help = help};
}

constexpr std::array kCommon{
    integer("timeout_ms", 10, 600'000, "1000", "longest wait for one answer"),
    integer("connect_timeout_ms", 10, 600'000, "3000", "longest wait for a connection"),
    integer("reconnect_min_ms", 10, 3'600'000, "500", "first delay before a new connection attempt"),
    integer("reconnect_max_ms", 10, 3'600'000, "30000", "longest delay before a new connection attempt"),
};

constexpr std::array kModbus{
    integer("unit_id", 0, 255, "1", "unit id of points that name none"),
    integer("max_gap", 0, 2000, "16", "registers or bits between two points that one read may bridge"),
    integer("max_registers", 1, 125, "125", "registers in one read (V1.1b3 allows 125)"),
    integer("max_bits", 1, 2000, "2000", "coils or discrete inputs in one read (V1.1b3 allows 2000)"),
    integer("inter_request_delay_ms", 0, 60'000, "0", "pause between two requests"),
    integer("illegal_retry_s", 1, 86'400, "60", "seconds until an address the device refused is tried again"),
};

constexpr std::array kSerial{
    integer("baud_rate", 300, 4'000'000, "9600", "bits per second"),
    choice("parity", "none|even|odd", "even", "parity"),
    integer("data_bits", 8, 8, "8", "data bits; RTU has always eight"),
    integer("stop_bits", 1, 2, "1", "stop bits"),
};

constexpr std::array kMc{
    choice("frame", "3E|4E|1E", "3E", "frame kind"),
    choice("encoding", "binary|ascii", "binary",
           "code of the frames; the same as the communication data code of the PLC's port"),
    choice("series", "auto|q|iqr|fx|a", "auto",
           "q: Q, L, QnU; iqr: device numbers of 32 bits; fx: X and Y octal (FX3 with 1E, FX5 with 3E); a: A "
           "series with 1E; auto: fx with 1E, otherwise q"),
    integer("network", 0, 255, "0", "network number of the route; 0: the PLC itself"),
    integer("pc", 0, 255, "255", "PC number of the route; 255: the PLC itself"),
    integer("module_io", 0, 65535, "1023",
            "module I/O number of the route; 1023 (03FFh): the CPU itself, 992 to 995: CPU 1 to 4"),
    integer("station", 0, 255, "0", "station number of the route behind a multidrop module"),
    integer("monitoring_timer_ms", 0, 16'000'000, "500",
            "how long the PLC's port waits for the CPU, in steps of 250; 0: for ever; less than timeout_ms"),
    integer("max_gap", 0, 960, "32", "words (bits: 16 times as many) between two points one read may bridge"),
    integer("max_words", 2, 960, "960", "words in one read; less where the frame or series allows less"),
    choice("random_read", "auto|off", "auto",
           "read scattered addresses together (command 0403) where cheaper"),
    choice("zr_base", "decimal|hexadecimal", "decimal", "base of ZR numbers in addresses"),
    integer("inter_request_delay_ms", 0, 60'000, "0", "pause between two requests"),
    integer("illegal_retry_s", 1, 86'400, "60", "seconds until an address the device refused is tried again"),
};

constexpr std::array kOpcUa{
    choice("security", "none|basic256sha256_sign|basic256sha256_sign_encrypt", "none",
           "security policy and mode"),
    text("username", "user name; empty: anonymous"),
    text("password", "password of the user"),
    // No word for a secret in its name: its value would be masked wherever it stands.
    boolean("allow_plain_sign_in", "false", "send the password unencrypted when the server wants it so"),
    choice("trust", "first_use|known", "first_use",
           "whether a server certificate that is not known yet is kept and trusted"),
    text("server_certificate_sha256", "fingerprint the server's certificate must have; empty: see trust"),
    choice("mode", "subscribe|poll", "subscribe", "how values are taken"),
    integer("publishing_interval_ms", 0, 3'600'000, "0",
            "how often the server sends what changed; 0: as the shortest period, from 50 to 1000"),
    integer("queue_size", 1, 10'000, "1", "changes of one point the server keeps between two messages"),
    boolean("server_deadband", "false", "let the server leave out changes smaller than the deadband"),
    integer("session_timeout_ms", 10'000, 3'600'000, "60000",
            "how long the server keeps the session of a connection that broke"),
    integer("illegal_retry_s", 1, 86'400, "60", "seconds until a node the server refused is tried again"),
};

constexpr std::array kMqtt{
    text("username", "user name"),
    text("password", "password of the user"),
    text("client_id", "client identifier; empty: derived from the device, always the same"),
    choice("version", "3.1.1|5", "3.1.1", "version of MQTT"),
    integer("qos", 0, 2, "1", "quality of service of the subscription"),
    boolean("clean_session", "false", "true: the broker keeps nothing for us while we are away"),
    integer("session_expiry_s", 0, 4'294'967'295, "86400", "how long an MQTT 5 broker keeps the session"),
    integer("keep_alive_s", 1, 65'535, "15", "longest silence on the connection before it is tested"),
    text("ca_file", "mqtts: certificates of the authorities that are trusted; empty: the system's"),
    text("cert_file", "mqtts: our certificate, where the broker wants one"),
    text("key_file", "mqtts: the private key of cert_file"),
    boolean("verify", "true", "mqtts: check the broker's certificate and host name"),
    text("subscribe", "topic filters separated by commas; empty: one subscription for each topic"),
    choice("retained", "use|trust|ignore", "use", "retained messages: as uncertain, as good, or not at all"),
    text("timestamp", "JSON pointer to the time in the payload; empty: the time of arrival"),
    integer("stale_after_ms", 0, 604'800'000, "0", "a point silent for longer becomes bad; 0: never"),
    integer("queue_size", 1, 1'000'000, "10000", "messages kept until they are processed"),
    integer("max_payload_bytes", 16, 16'777'216, "262144", "a larger payload is not decoded"),
    text("write_topic", "topic of writes; {topic} is the point's; empty: the point's topic"),
    choice("write_payload", "plain|value|member", "plain",
           "plain value, {\"value\": …}, or an object with the point's member"),
};

std::vector<OptionSpec> joined(std::initializer_list<std::span<const OptionSpec>> parts) {
    std::vector<OptionSpec> all;
    for (const auto part : parts) all.insert(all.end(), part.begin(), part.end());
    return all;
}

const OptionSpec* find_spec(std::span<const OptionSpec> specs, std::string_view name) {
    const auto found =
        std::find_if(specs.begin(), specs.end(), [&](const auto& spec) { return spec.name == name; });
    return found == specs.end() ? nullptr : &*found;
}

std::optional<std::int64_t> whole_number(std::string_view value) {
    std::int64_t number = 0;
    const auto [rest, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (value.empty() || error != std::errc{} || rest != value.data() + value.size()) return std::nullopt;
    return number;
}

bool among(std::string_view choices, std::string_view value) {
    while (!choices.empty()) {
        const auto bar = std::min(choices.find('|'), choices.size());
        if (choices.substr(0, bar) == value) return true;
        choices.remove_prefix(std::min(bar + 1, choices.size()));
    }
    return false;
}

}  // namespace

std::span<const OptionSpec> device_options(Protocol protocol) {
    static const auto modbus_tcp = joined({kCommon, kModbus});
    static const auto modbus_rtu = joined({kCommon, kModbus, kSerial});
    static const auto mc = joined({kCommon, kMc});
    static const auto opcua = joined({kCommon, kOpcUa});
    static const auto mqtt = joined({kCommon, kMqtt});
    switch (protocol) {
        case Protocol::kModbusTcp:
            return modbus_tcp;
        case Protocol::kModbusRtu:
            return modbus_rtu;
        case Protocol::kMitsubishiMc:
            return mc;
        case Protocol::kOpcUa:
            return opcua;
        case Protocol::kMqtt:
            return mqtt;
    }
    return {};
}

Status check_options(std::span<const OptionSpec> specs, std::string_view owner, const Options& options) {
    const auto refuse = [](std::string why) {
        return make_error(ErrorKind::kInvalidArgument, std::move(why));
    };
    for (const auto& [name, value] : options) {
        const auto* spec = find_spec(specs, name);
        if (spec == nullptr) {
            std::string known;
            for (const auto& other : specs)
                known += fmt::format("{}{}", known.empty() ? "" : ", ", other.name);
            return refuse(
                fmt::format("option '{}' is unknown for {}; known: {}", name.substr(0, 64), owner, known));
        }
        const auto got = fmt::format("option {}='{}'", name, value.substr(0, 64));
        switch (spec->type) {
            case Type::kInteger: {
                const auto number = whole_number(value);
                if (!number || *number < spec->least || *number > spec->most) {
                    return refuse(fmt::format("{}: a whole number from {} to {} is wanted ({})", got,
                                              spec->least, spec->most, spec->help));
                }
                break;
            }
            case Type::kDuration: {
                const auto duration = parse_duration(value);
                if (!duration || duration->count() < spec->least || duration->count() > spec->most) {
                    return refuse(fmt::format("{}: a duration from {} to {} is wanted, as in 30s ({})", got,
                                              format_duration(std::chrono::milliseconds{spec->least}),
                                              format_duration(std::chrono::milliseconds{spec->most}),
                                              spec->help));
                }
                break;
            }
            case Type::kChoice:
                if (!among(spec->choices, value)) {
                    return refuse(fmt::format("{}: use one of {}", got, spec->choices));
                }
                break;
            case Type::kBoolean:
                if (value != "true" && value != "false") {
                    return refuse(fmt::format("{}: use true or false", got));
                }
                break;
            case Type::kText:
                break;
        }
    }
    return {};
}

Status check_device_options(Protocol protocol, const Options& options) {
    return check_options(device_options(protocol), to_name(protocol), options);
}

std::string text_option(Protocol protocol, const Options& options, std::string_view name) {
    if (const auto given = options.find(name); given != options.end()) return given->second;
    const auto* spec = find_spec(device_options(protocol), name);
    return spec == nullptr ? std::string{} : std::string{spec->fallback};
}

std::int64_t integer_option(Protocol protocol, const Options& options, std::string_view name) {
    return whole_number(text_option(protocol, options, name)).value_or(0);
}

Result<HostPort> parse_host_port(std::string_view text, std::uint16_t default_port) {
    const auto refuse = [&](std::string_view why) {
        return make_error(ErrorKind::kInvalidArgument,
                          fmt::format("address '{}': {}; write host:port, as in 192.168.0.10:{}",
                                      text.substr(0, 128), why, default_port));
    };
    HostPort out{{}, default_port};
    std::string_view port;
    if (!text.empty() && text.front() == '[') {
        const auto close = text.find(']');
        if (close == std::string_view::npos) return refuse("the bracket of an IPv6 address is not closed");
        out.host = text.substr(1, close - 1);
        const auto rest = text.substr(close + 1);
        if (!rest.empty() && rest.front() != ':') return refuse("after ] comes :port");
        if (!rest.empty()) port = rest.substr(1);
        if (!rest.empty() && port.empty()) return refuse("the port is missing");
    } else {
        const auto colon = text.find(':');
        out.host = text.substr(0, colon);
        if (colon != std::string_view::npos) {
            port = text.substr(colon + 1);
            if (port.empty()) return refuse("the port is missing");
            if (port.find(':') != std::string_view::npos) return refuse("an IPv6 address stands in brackets");
        }
    }
    if (out.host.empty() || out.host.size() > 253) return refuse("the host is missing or too long");
    const bool plain = std::all_of(out.host.begin(), out.host.end(), [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' ||
               c == '-' || c == '_' || c == ':' || c == '%';
    });
    if (!plain) return refuse("the host holds a character that no host name has");
    if (!port.empty()) {
        const auto number = whole_number(port);
        if (!number || *number < 1 || *number > 65535) return refuse("the port is 1 to 65535");
        out.port = static_cast<std::uint16_t>(*number);
    }
    return out;
}

}  // namespace fieldwarden
