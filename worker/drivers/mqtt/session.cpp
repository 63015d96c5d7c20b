#include "worker/drivers/mqtt/session.h"

#include <fmt/format.h>

#include <algorithm>

#include "worker/decode.h"
#include "worker/drivers/mqtt/callbacks.h"
#include "worker/drivers/resolve.h"
#include "worker/drivers/tcp_stream.h"

namespace fieldwarden::worker::mqtt {

namespace {

using std::chrono::milliseconds;

constexpr std::size_t kFiltersPerPacket = 100;
constexpr milliseconds kGoodbye{1000};
constexpr milliseconds kDiagnosis{500};
constexpr int kRefusedSubscription = 0x80;  // MQTT 3.1.1, section 3.9.3
constexpr std::uint32_t kLargestPacket = 64U << 20;

MonoTime mono_now() {
    return system_clock().mono_now();
}

}  // namespace

Session::Session(const Settings& settings, Inbox& inbox, std::atomic<std::uint64_t>& activity)
    : settings_(settings), inbox_(inbox), paho_(std::make_unique<Paho>(settings, inbox, activity)) {}

Session::~Session() {
    auto& paho = *paho_;
    if (paho.handle.connected()) {
        auto options = disconnect_options(settings_);
        options.context = &paho;
        options.timeout = 0;
        if (settings_.version5) {
            options.onSuccess5 = [](void* context, MQTTAsync_successData5*) {
                const Paho::Visit self{context};
                self->succeed(self->disconnected);
            };
            options.onFailure5 = [](void* context, MQTTAsync_failureData5* data) {
                const Paho::Visit self{context};
                self->fail(self->disconnected, data);
            };
        } else {
            options.onSuccess = [](void* context, MQTTAsync_successData*) {
                const Paho::Visit self{context};
                self->succeed(self->disconnected);
            };
            options.onFailure = [](void* context, MQTTAsync_failureData* data) {
                const Paho::Visit self{context};
                self->fail(self->disconnected, data);
            };
        }
        if (MQTTAsync_disconnect(paho.handle.get(), &options) == MQTTASYNC_SUCCESS) {
            // Waits through an interrupt as well: the broker is to know that this client went on purpose.
            inbox_.wait_for(
                mono_now() + kGoodbye, [&] { return paho.disconnected.done; }, false);
        }
    }
    paho.handle.destroy();
}

Status Session::fail(ConnectStep step, ErrorKind kind, const std::string& why) {
    failed_step_ = step;
    return broker_error(settings_, kind, why);
}

Error Session::timed_out(std::string_view what) const {
    return broker_error(
        settings_, ErrorKind::kTimeout,
        fmt::format("the broker did not answer {} within {} ms", what, settings_.timeout.count()));
}

Error Session::gone(std::string_view what) const {
    if (inbox_.interrupted())
        return broker_error(settings_, ErrorKind::kUnavailable, fmt::format("{} was interrupted", what));
    return broker_error(settings_, ErrorKind::kUnavailable,
                        fmt::format("{} failed: {}", what, inbox_.lost().value_or("not connected")));
}

Status Session::connect() {
    auto& paho = *paho_;
    const auto deadline = mono_now() + settings_.connect_timeout;
    // paho would look the name up under a lock that all devices of the process share.
    const auto addresses =
        resolve(settings_.broker.peer, settings_.connect_timeout, [this] { return inbox_.interrupted(); });
    if (!addresses) return fail(ConnectStep::kResolve, addresses.error().kind, addresses.error().message);

    if (const auto created = paho.handle.create(settings_); !created) {
        failed_step_ = ConnectStep::kConnect;
        return created;
    }
    MQTTAsync_setCallbacks(paho.handle.get(), &paho, Paho::on_lost, Paho::on_message, nullptr);
    MQTTAsync_setDisconnected(paho.handle.get(), &paho, Paho::on_disconnected);

    MQTTAsync_connectOptions options = MQTTAsync_connectOptions_initializer;
    MQTTAsync_SSLOptions tls = MQTTAsync_SSLOptions_initializer;
    MQTTProperties properties = MQTTProperties_initializer;
    if (settings_.version5) {
        options = MQTTAsync_connectOptions MQTTAsync_connectOptions_initializer5;
        options.cleanstart = settings_.clean_session ? 1 : 0;
        MQTTProperty property;
        property.identifier = MQTTPROPERTY_CODE_SESSION_EXPIRY_INTERVAL;
        property.value.integer4 = settings_.clean_session ? 0 : settings_.session_expiry_s;
        MQTTProperties_add(&properties, &property);
        property.identifier = MQTTPROPERTY_CODE_MAXIMUM_PACKET_SIZE;
        property.value.integer4 = kLargestPacket;
        MQTTProperties_add(&properties, &property);
        options.connectProperties = &properties;
        options.onSuccess5 = [](void* context, MQTTAsync_successData5* data) {
            const Paho::Visit self{context};
            self->finish(self->connected, [&](Outcome& o) {
                o.ok = true;
                o.session_present = data->alt.connect.sessionPresent != 0;
            });
        };
        options.onFailure5 = [](void* context, MQTTAsync_failureData5* data) {
            const Paho::Visit self{context};
            self->fail(self->connected, data);
        };
    } else {
        options.cleansession = settings_.clean_session ? 1 : 0;
        options.onSuccess = [](void* context, MQTTAsync_successData* data) {
            const Paho::Visit self{context};
            self->finish(self->connected, [&](Outcome& o) {
                o.ok = true;
                o.session_present = data->alt.connect.sessionPresent != 0;
            });
        };
        options.onFailure = [](void* context, MQTTAsync_failureData* data) {
            const Paho::Visit self{context};
            self->fail(self->connected, data);
        };
    }
    options.context = &paho;
    fill_connect_options(settings_, options, tls);
    if (settings_.broker.tls) {
        tls.ssl_error_context = &paho;
        tls.ssl_error_cb = [](const char* text, std::size_t size, void* context) {
            const Paho::Visit self{context};
            self->inbox.notify([&] {
                constexpr std::size_t kMost = 1000;
                if (self->tls_trouble.size() < kMost) self->tls_trouble += std::string_view{text, size};
            });
            return 1;
        };
    }
    const auto asked = MQTTAsync_connect(paho.handle.get(), &options);
    MQTTProperties_free(&properties);
    if (asked != MQTTASYNC_SUCCESS) {
        return fail(
            settings_.broker.tls ? ConnectStep::kHandshake : ConnectStep::kConnect, ErrorKind::kUnavailable,
            fmt::format("the connection cannot be begun: {}; check the options", MQTTAsync_strerror(asked)));
    }
    const bool done = inbox_.wait_for(deadline, [&] { return paho.connected.done; });
    if (!done && inbox_.interrupted()) {
        return fail(ConnectStep::kConnect, ErrorKind::kUnavailable, "connecting was interrupted");
    }
    if (!done || !paho.connected.ok) {
        Outcome outcome;
        inbox_.notify([&] { outcome = paho.connected; });
        return explain_failure(outcome.done ? outcome.code : 0, outcome.text);
    }
    was_present_ = paho.connected.session_present && !settings_.clean_session;
    return {};
}

// paho tells a refusal by its code and everything else by one word, so a second connection finds out how far
// one gets.
Status Session::explain_failure(int code, const std::string& text) {
    if (code > 0) {
        return fail(ConnectStep::kSignIn, ErrorKind::kUnavailable,
                    fmt::format("the broker refuses the sign-in (code {}): {}", code, connack_text(code)));
    }
    TcpStream stream{settings_.broker.tls ? "mqtts" : "mqtt", settings_.broker.peer};
    const auto reached = stream.connect(std::min(settings_.connect_timeout, kDiagnosis));
    if (!reached) {
        failed_step_ = stream.failed_step();
        return reached;
    }
    const auto detail = text.empty() ? std::string{} : fmt::format(" ({})", text);
    if (settings_.broker.tls) {
        std::string trouble;
        inbox_.notify([&] { trouble = paho_->tls_trouble; });
        while (!trouble.empty() && (trouble.back() == '\n' || trouble.back() == ' ')) trouble.pop_back();
        return fail(
            ConnectStep::kHandshake, ErrorKind::kUnavailable,
            fmt::format("the TLS handshake or the sign-in failed{}: {}; check that the port speaks TLS, "
                        "ca_file, and that the certificate is made out to this host",
                        detail, trouble.empty() ? "the broker gave no reason" : sanitize_utf8(trouble)));
    }
    return fail(
        ConnectStep::kHandshake, code == 0 ? ErrorKind::kTimeout : ErrorKind::kUnavailable,
        fmt::format("the port is open, but nobody answered the MQTT sign-in within {} ms{}; check that "
                    "it is a broker's port, and whether it wants mqtts://",
                    settings_.connect_timeout.count(), detail));
}

Status Session::subscribe(std::span<const std::string> filters, std::vector<std::string>& refused) {
    refused.assign(filters.size(), {});
    for (std::size_t at = 0; at < filters.size(); at += kFiltersPerPacket) {
        const auto count = std::min(kFiltersPerPacket, filters.size() - at);
        if (const auto status =
                subscribe_some(filters.subspan(at, count), std::span{refused}.subspan(at, count));
            !status)
            return status;
    }
    return {};
}

Status Session::subscribe_some(std::span<const std::string> filters, std::span<std::string> refused) {
    auto& paho = *paho_;
    const auto deadline = mono_now() + settings_.timeout;
    std::vector<char*> names;
    for (const auto& filter : filters) names.push_back(const_cast<char*>(filter.c_str()));
    const std::vector<int> qos(filters.size(), settings_.qos);
    MQTTAsync_responseOptions response = MQTTAsync_responseOptions_initializer;
    response.context = &paho;
    MQTTSubscribe_options how = MQTTSubscribe_options_initializer;
    std::vector<MQTTSubscribe_options> hows;
    paho.begin(paho.subscribed);
    paho.filters_asked = filters.size();
    if (settings_.version5) {
        // MQTT 5.0, section 3.8.3.1: what the resumed session has already brought is not sent again.
        how.retainHandling = settings_.retained == RetainedUse::kIgnore ? 2 : was_present_ ? 1 : 0;
        hows.assign(filters.size(), how);
        response.subscribeOptions = how;
        response.subscribeOptionsList = hows.data();
        response.subscribeOptionsCount = static_cast<int>(hows.size());
        response.onSuccess5 = [](void* context, MQTTAsync_successData5* data) {
            const Paho::Visit self{context};
            self->finish(self->subscribed, [&](Outcome& o) {
                o.ok = true;
                // paho fills the list only when there was more than one filter.
                if (self->filters_asked == 1) {
                    o.codes.push_back(data->reasonCode);
                } else {
                    const auto codes = data->alt.sub;
                    o.codes.assign(codes.reasonCodes, codes.reasonCodes + codes.reasonCodeCount);
                }
            });
        };
        response.onFailure5 = [](void* context, MQTTAsync_failureData5* data) {
            const Paho::Visit self{context};
            self->fail(self->subscribed, data);
        };
    } else {
        response.onSuccess = [](void* context, MQTTAsync_successData* data) {
            const Paho::Visit self{context};
            self->finish(self->subscribed, [&](Outcome& o) {
                o.ok = true;
                if (self->filters_asked == 1) {
                    o.codes.push_back(data->alt.qos);
                } else if (data->alt.qosList != nullptr) {
                    o.codes.assign(data->alt.qosList, data->alt.qosList + self->filters_asked);
                }
            });
        };
        response.onFailure = [](void* context, MQTTAsync_failureData* data) {
            const Paho::Visit self{context};
            self->fail(self->subscribed, data);
        };
    }
    const auto asked = MQTTAsync_subscribeMany(paho.handle.get(), static_cast<int>(filters.size()),
                                               names.data(), qos.data(), &response);
    if (asked != MQTTASYNC_SUCCESS) {
        return broker_error(settings_, ErrorKind::kUnavailable,
                            fmt::format("subscribing failed: {}", MQTTAsync_strerror(asked)));
    }
    const bool done = inbox_.wait_for(deadline, [&] { return paho.subscribed.done; });
    if (!done)
        return inbox_.interrupted() || inbox_.lost() ? gone("subscribing") : timed_out("a subscription");
    Outcome outcome;
    inbox_.notify([&] { outcome = paho.subscribed; });
    if (!outcome.ok && outcome.code < kRefusedSubscription) return gone("subscribing");
    if (!outcome.ok) outcome.codes.assign(filters.size(), outcome.code);
    for (std::size_t i = 0; i < filters.size() && i < outcome.codes.size(); ++i) {
        if (outcome.codes[i] < kRefusedSubscription) continue;
        refused[i] = settings_.version5 ? std::string{reason_text(outcome.codes[i])}
                                        : std::string{"no reason given; check the broker's access list"};
    }
    return {};
}

Status Session::publish(const std::string& topic, const std::string& payload) {
    auto& paho = *paho_;
    const auto deadline = mono_now() + settings_.timeout;
    MQTTAsync_message message = MQTTAsync_message_initializer;
    message.payload = const_cast<char*>(payload.data());
    message.payloadlen = static_cast<int>(payload.size());
    message.qos = 1;
    MQTTAsync_responseOptions response = MQTTAsync_responseOptions_initializer;
    response.context = &paho;
    paho.begin(paho.published);
    if (settings_.version5) {
        response.onSuccess5 = [](void* context, MQTTAsync_successData5*) {
            const Paho::Visit self{context};
            self->succeed(self->published);
        };
        response.onFailure5 = [](void* context, MQTTAsync_failureData5* data) {
            const Paho::Visit self{context};
            self->fail(self->published, data);
        };
    } else {
        response.onSuccess = [](void* context, MQTTAsync_successData*) {
            const Paho::Visit self{context};
            self->succeed(self->published);
        };
        response.onFailure = [](void* context, MQTTAsync_failureData* data) {
            const Paho::Visit self{context};
            self->fail(self->published, data);
        };
    }
    const auto asked = MQTTAsync_sendMessage(paho.handle.get(), topic.c_str(), &message, &response);
    if (asked == MQTTASYNC_BAD_UTF8_STRING) {
        return broker_error(settings_, ErrorKind::kInvalidArgument,
                            fmt::format("topic '{}' is no valid UTF-8", sanitize_utf8(topic)));
    }
    if (asked != MQTTASYNC_SUCCESS) {
        return broker_error(settings_, ErrorKind::kUnavailable,
                            fmt::format("publishing failed: {}", MQTTAsync_strerror(asked)));
    }
    const bool done = inbox_.wait_for(deadline, [&] { return paho.published.done; });
    if (!done) return inbox_.interrupted() || inbox_.lost() ? gone("publishing") : timed_out("a message");
    Outcome outcome;
    inbox_.notify([&] { outcome = paho.published; });
    if (outcome.ok) return {};
    if (outcome.code >= kRefusedSubscription) {
        return broker_error(
            settings_, ErrorKind::kInvalidArgument,
            fmt::format("the broker refuses a message on '{}': {}", topic, reason_text(outcome.code)));
    }
    return gone("publishing");
}

void Session::unsubscribe(const std::string& topic) {
    MQTTAsync_responseOptions response = MQTTAsync_responseOptions_initializer;
    // A broker that does not hear it sends on; nothing depends on the answer.
    (void)MQTTAsync_unsubscribe(paho_->handle.get(), topic.c_str(), &response);
}

}  // namespace fieldwarden::worker::mqtt
