#include "worker/drivers/mqtt/callbacks.h"

namespace fieldwarden::worker::mqtt {

int Session::Paho::on_message(void* context, char* topic, int topic_length, MQTTAsync_message* message) {
    {
        const Visit self{context};
        Message out;
        out.topic = topic_length > 0 ? std::string(topic, static_cast<std::size_t>(topic_length))
                                     : std::string(topic);
        const auto size = message->payloadlen > 0 ? static_cast<std::size_t>(message->payloadlen) : 0;
        out.too_large = size > self->settings.max_payload_bytes;
        if (size > 0 && !out.too_large) out.payload.assign(static_cast<const char*>(message->payload), size);
        out.qos = message->qos;
        out.retained = message->retained != 0;
        out.duplicate = message->dup != 0;
        out.packet_id = message->msgid;
        out.arrived = system_clock().utc_now();
        out.arrived_mono = system_clock().mono_now();
        self->inbox.put(std::move(out));
        MQTTAsync_freeMessage(&message);
        MQTTAsync_free(topic);
    }
    return 1;
}

void Session::Paho::on_lost(void* context, char* cause) {
    const Visit self{context};
    self->inbox.lose(lost_text(cause));
}

void Session::Paho::on_disconnected(void* context, MQTTProperties*, enum MQTTReasonCodes reason) {
    const Visit self{context};
    self->inbox.lose(disconnected_text(reason));
}

}  // namespace fieldwarden::worker::mqtt
