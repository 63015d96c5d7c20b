// What every user of paho's asynchronous client shares, driver and sink: the settings of a connection, how
// they become paho's options, and what a broker's codes mean. Pure but for what fill_connect_options() points
// into.
#pragma once

#include <MQTTAsync.h>

#include <chrono>
#include <string>
#include <string_view>

#include "common/mqtt_address.h"
#include "common/result.h"

namespace fieldwarden::worker::mqtt {

struct ConnectionSettings {
    MqttBroker broker;
    bool version5 = false;
    std::string username;
    std::string password;
    std::string client_id;
    std::chrono::seconds keep_alive{15};
    std::string ca_file;
    std::string cert_file;
    std::string key_file;
    bool verify = true;
    std::chrono::milliseconds timeout{1000};
    std::chrono::milliseconds connect_timeout{3000};
};

// As paho writes it: tcp://host:1883, ssl://[::1]:8883.
std::string uri_of(const MqttBroker& broker);
// Version, keep-alive, sign-in and TLS. `options` has the initializer of the version; both point into the
// settings afterwards, and `options` to `tls` where the broker wants it. Sessions, wills and callbacks are
// the caller's.
void fill_connect_options(const ConnectionSettings& settings, MQTTAsync_connectOptions& options,
                          MQTTAsync_SSLOptions& tls);

// "mqtt broker.local:1883: <why>".
Error broker_error(const ConnectionSettings& settings, ErrorKind kind, std::string_view why);
// What a CONNACK refused with: MQTT 3.1.1, section 3.2.2.3, and MQTT 5.0, section 3.2.2.2.
std::string_view connack_text(int code);
// A refused SUBSCRIBE, PUBLISH or a DISCONNECT of the broker: MQTT 5.0, section 2.4.
std::string_view reason_text(int code);

}  // namespace fieldwarden::worker::mqtt
