#include "worker/mqtt/handle.h"

#include <fmt/format.h>

#include <thread>

namespace fieldwarden::worker::mqtt {

Status Handle::create(const ConnectionSettings& settings) {
    MQTTAsync_createOptions options = MQTTAsync_createOptions_initializer;
    options.MQTTVersion = settings.version5 ? MQTTVERSION_5 : MQTTVERSION_3_1_1;
    const auto created =
        MQTTAsync_createWithOptions(&handle_, uri_of(settings.broker).c_str(), settings.client_id.c_str(),
                                    MQTTCLIENT_PERSISTENCE_NONE, nullptr, &options);
    if (created == MQTTASYNC_SUCCESS) return {};
    handle_ = nullptr;
    return broker_error(settings, ErrorKind::kInternal,
                        fmt::format("the MQTT library refuses to begin: {}", MQTTAsync_strerror(created)));
}

void Handle::destroy() {
    if (handle_ == nullptr) return;
    MQTTAsync_destroy(&handle_);
    while (inside_ != 0) std::this_thread::yield();
}

bool Handle::connected() const {
    return handle_ != nullptr && MQTTAsync_isConnected(handle_) != 0;
}

MQTTAsync_disconnectOptions disconnect_options(const ConnectionSettings& settings) {
    if (settings.version5) return MQTTAsync_disconnectOptions MQTTAsync_disconnectOptions_initializer5;
    return MQTTAsync_disconnectOptions MQTTAsync_disconnectOptions_initializer;
}

std::string lost_text(const char* cause) {
    if (cause == nullptr || *cause == '\0')
        return "the broker closed the connection, or stopped answering; another client with the same "
               "client_id "
               "has this effect too";
    return fmt::format("the connection is lost: {}", cause);
}

std::string disconnected_text(MQTTReasonCodes reason) {
    return fmt::format("the broker ended the connection: {}", reason_text(static_cast<int>(reason)));
}

}  // namespace fieldwarden::worker::mqtt
