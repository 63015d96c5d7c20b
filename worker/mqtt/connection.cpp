#include "worker/mqtt/connection.h"

#include <fmt/format.h>

namespace fieldwarden::worker::mqtt {

namespace {
// paho counts its own time-out in whole seconds; ours is the one that counts.
constexpr std::chrono::milliseconds kPahoSlack{500};

const char* or_null(const std::string& text) {
    return text.empty() ? nullptr : text.c_str();
}
}  // namespace

std::string uri_of(const MqttBroker& broker) {
    const auto& peer = broker.peer;
    const bool is_v6 = peer.host.find(':') != std::string::npos;
    return fmt::format("{}://{}{}{}:{}", broker.tls ? "ssl" : "tcp", is_v6 ? "[" : "", peer.host,
                       is_v6 ? "]" : "", peer.port);
}

void fill_connect_options(const ConnectionSettings& settings, MQTTAsync_connectOptions& options,
                          MQTTAsync_SSLOptions& tls) {
    if (!settings.version5) options.MQTTVersion = MQTTVERSION_3_1_1;
    options.keepAliveInterval = static_cast<int>(settings.keep_alive.count());
    options.connectTimeout = static_cast<int>(
        std::chrono::ceil<std::chrono::seconds>(settings.connect_timeout + kPahoSlack).count());
    options.automaticReconnect = 0;
    options.username = or_null(settings.username);
    if (!settings.password.empty()) {
        options.binarypwd.data = settings.password.data();
        options.binarypwd.len = static_cast<int>(settings.password.size());
    }
    if (!settings.broker.tls) return;
    tls.trustStore = or_null(settings.ca_file);
    tls.keyStore = or_null(settings.cert_file);
    tls.privateKey = or_null(settings.key_file);
    tls.enableServerCertAuth = settings.verify ? 1 : 0;
    tls.verify = settings.verify ? 1 : 0;
    options.ssl = &tls;
}

}  // namespace fieldwarden::worker::mqtt
