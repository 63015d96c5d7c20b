#include "common/device_options.h"

#include <array>

namespace fieldwarden {

namespace {

constexpr auto integer = OptionSpec::integer;
constexpr auto choice = OptionSpec::choice;
constexpr auto boolean = OptionSpec::boolean;
constexpr OptionSpec text(std::string_view name, std::string_view help) {
    return OptionSpec::text(name, help);
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

Status check_device_options(Protocol protocol, const Options& options) {
    return check_options(device_options(protocol), to_name(protocol), options);
}

std::string text_option(Protocol protocol, const Options& options, std::string_view name) {
    return text_option(device_options(protocol), options, name);
}

std::int64_t integer_option(Protocol protocol, const Options& options, std::string_view name) {
    return integer_option(device_options(protocol), options, name);
}

}  // namespace fieldwarden
