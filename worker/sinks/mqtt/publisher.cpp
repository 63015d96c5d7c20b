#include "worker/sinks/mqtt/publisher.h"

#include <fmt/format.h>

#include "worker/drivers/resolve.h"

namespace fieldwarden::worker::mqtt {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {
constexpr milliseconds kGoodbye{1000};
// Messages without an answer yet; with MQTT 5 fewer where the broker asks for that (section 3.2.2.3.3).
constexpr std::size_t kWindow = 100;
constexpr int kRefused = 0x80;
}  // namespace

void Publisher::finish(Slot& slot, bool ok, int reason) {
    const std::lock_guard lock{interrupt_.mutex};
    slot.done = true;
    slot.answer = {ok, reason};
    ++answered_;
    heard_ = steady_clock::now();
    // Nobody is woken for less than is waited for.
    if (answered_ >= wanted_) interrupt_.changed.notify_all();
}

void Publisher::lose(std::string why) {
    const std::lock_guard lock{interrupt_.mutex};
    if (!is_lost_) lost_ = std::move(why);
    is_lost_ = true;
    interrupt_.changed.notify_all();
}

Publisher::Publisher(const PublisherSettings& settings, Interrupt& interrupt)
    : settings_(settings), interrupt_(interrupt) {}

Publisher::~Publisher() {
    if (handle_.connected()) say_goodbye();
    handle_.destroy();
}

Error Publisher::error(ErrorKind kind, std::string_view why) const {
    return broker_error(settings_, kind, why);
}

// A DISCONNECT makes the broker forget the will (MQTT 5.0, section 3.14.4): its message is sent before.
void Publisher::say_goodbye() {
    const auto until = steady_clock::now() + kGoodbye;
    const auto wait = [&](const Slot& slot) {
        std::unique_lock lock{interrupt_.mutex};
        interrupt_.changed.wait_until(lock, until, [&] { return slot.done || is_lost_; });
    };
    if (!settings_.status_topic.empty()) {
        auto& slot = slots_.emplace_back();
        slot.owner = this;
        if (send({settings_.status_topic, "offline", 1, true}, slot)) wait(slot);
    }
    auto options = disconnect_options(settings_);
    disconnected_.owner = this;
    options.context = &disconnected_;
    if (settings_.version5) {
        options.onSuccess5 = [](void* context, MQTTAsync_successData5*) {
            auto& slot = *static_cast<Slot*>(context);
            const Handle::Visit visit{slot.owner->handle_};
            slot.owner->finish(slot, true, 0);
        };
    } else {
        options.onSuccess = [](void* context, MQTTAsync_successData*) {
            auto& slot = *static_cast<Slot*>(context);
            const Handle::Visit visit{slot.owner->handle_};
            slot.owner->finish(slot, true, 0);
        };
    }
    if (MQTTAsync_disconnect(handle_.get(), &options) == MQTTASYNC_SUCCESS) wait(disconnected_);
}

Status Publisher::connect() {
    const auto deadline = steady_clock::now() + settings_.connect_timeout;
    // paho would look the name up under a lock that all clients of the process share.
    const auto addresses = resolve(settings_.broker.peer, settings_.connect_timeout, [this] {
        const std::lock_guard lock{interrupt_.mutex};
        return interrupt_.set;
    });
    if (!addresses) return error(addresses.error().kind, addresses.error().message);
    if (auto created = handle_.create(settings_); !created) return created;
    // paho wants somebody to take messages, although nothing is subscribed to.
    MQTTAsync_setCallbacks(
        handle_.get(), this,
        [](void* context, char* cause) {
            auto& self = *static_cast<Publisher*>(context);
            const Handle::Visit visit{self.handle_};
            self.lose(lost_text(cause));
        },
        [](void*, char* topic, int, MQTTAsync_message* message) {
            MQTTAsync_freeMessage(&message);
            MQTTAsync_free(topic);
            return 1;
        },
        nullptr);
    MQTTAsync_setDisconnected(handle_.get(), this,
                              [](void* context, MQTTProperties*, enum MQTTReasonCodes reason) {
                                  auto& self = *static_cast<Publisher*>(context);
                                  const Handle::Visit visit{self.handle_};
                                  self.lose(disconnected_text(reason));
                              });
    MQTTAsync_connectOptions options = MQTTAsync_connectOptions_initializer;
    MQTTAsync_SSLOptions tls = MQTTAsync_SSLOptions_initializer;
    MQTTAsync_willOptions will = MQTTAsync_willOptions_initializer;
    connected_.owner = this;
    if (settings_.version5) {
        options = MQTTAsync_connectOptions MQTTAsync_connectOptions_initializer5;
        options.cleanstart = 1;
        options.onSuccess5 = [](void* context, MQTTAsync_successData5* data) {
            auto& self = *static_cast<Publisher*>(context);
            const Handle::Visit visit{self.handle_};
            const auto number = [&](MQTTPropertyCodes code) -> std::size_t {
                if (MQTTProperties_hasProperty(&data->properties, code) == 0) return 0;
                const auto value = MQTTProperties_getNumericValue(&data->properties, code);
                return value > 0 ? static_cast<std::size_t>(value) : 0;
            };
            const auto agreed = number(MQTTPROPERTY_CODE_RECEIVE_MAXIMUM);
            self.window_ = agreed == 0 ? kWindow : std::min(agreed, kWindow);
            self.largest_packet_ = number(MQTTPROPERTY_CODE_MAXIMUM_PACKET_SIZE);
            self.finish(self.connected_, true, 0);
        };
        options.onFailure5 = [](void* context, MQTTAsync_failureData5* data) {
            auto& self = *static_cast<Publisher*>(context);
            const Handle::Visit visit{self.handle_};
            const bool refused = data != nullptr && static_cast<int>(data->reasonCode) >= kRefused;
            if (data != nullptr && data->message != nullptr) self.connect_text_ = data->message;
            // A broker that answers in the older way leaves its code elsewhere.
            const int older = data != nullptr && data->code > 0 ? data->code : 0;
            self.finish(self.connected_, false, refused ? static_cast<int>(data->reasonCode) : older);
        };
    } else {
        options.cleansession = 1;
        options.onSuccess = [](void* context, MQTTAsync_successData*) {
            auto& self = *static_cast<Publisher*>(context);
            const Handle::Visit visit{self.handle_};
            self.window_ = kWindow;
            self.finish(self.connected_, true, 0);
        };
        options.onFailure = [](void* context, MQTTAsync_failureData* data) {
            auto& self = *static_cast<Publisher*>(context);
            const Handle::Visit visit{self.handle_};
            if (data != nullptr && data->message != nullptr) self.connect_text_ = data->message;
            self.finish(self.connected_, false, data != nullptr && data->code > 0 ? data->code : 0);
        };
    }
    options.context = this;
    fill_connect_options(settings_, options, tls);
    if (!settings_.status_topic.empty()) {
        will.topicName = settings_.status_topic.c_str();
        will.message = "offline";
        will.retained = 1;
        will.qos = 1;
        options.will = &will;
    }
    if (const auto asked = MQTTAsync_connect(handle_.get(), &options); asked != MQTTASYNC_SUCCESS) {
        return error(
            ErrorKind::kUnavailable,
            fmt::format("the connection cannot be begun: {}; check the options", MQTTAsync_strerror(asked)));
    }
    std::unique_lock lock{interrupt_.mutex};
    interrupt_.changed.wait_until(lock, deadline, [&] { return connected_.done || interrupt_.set; });
    if (!connected_.done && interrupt_.set) {
        return error(ErrorKind::kUnavailable, "connecting was interrupted");
    }
    if (!connected_.done) {
        return error(ErrorKind::kTimeout,
                     fmt::format("the broker did not answer within {} ms; check host, port and whether it "
                                 "speaks TLS there",
                                 settings_.connect_timeout.count()));
    }
    const auto answer = connected_.answer;
    if (answer.ok) return {};
    if (answer.reason > 0) {
        return error(ErrorKind::kUnavailable, fmt::format("the broker refuses the sign-in (code {}): {}",
                                                          answer.reason, connack_text(answer.reason)));
    }
    return error(
        ErrorKind::kUnavailable,
        fmt::format("no connection{}{}; check host and port{}", connect_text_.empty() ? "" : ": ",
                    connect_text_, settings_.broker.tls ? ", ca_file, and that the port speaks TLS" : ""));
}

bool Publisher::send(const Message& message, Slot& slot) {
    MQTTAsync_message out = MQTTAsync_message_initializer;
    out.payload = const_cast<char*>(message.payload.data());
    out.payloadlen = static_cast<int>(message.payload.size());
    out.qos = message.qos;
    out.retained = message.retain ? 1 : 0;
    MQTTAsync_responseOptions response = MQTTAsync_responseOptions_initializer;
    response.context = &slot;
    if (settings_.version5) {
        response.onSuccess5 = [](void* context, MQTTAsync_successData5*) {
            auto& done = *static_cast<Slot*>(context);
            const Handle::Visit visit{done.owner->handle_};
            done.owner->finish(done, true, 0);
        };
        response.onFailure5 = [](void* context, MQTTAsync_failureData5* data) {
            auto& done = *static_cast<Slot*>(context);
            const Handle::Visit visit{done.owner->handle_};
            const int reason = data == nullptr ? 0 : static_cast<int>(data->reasonCode);
            done.owner->finish(done, false, reason >= kRefused ? reason : 0);
        };
    } else {
        response.onSuccess = [](void* context, MQTTAsync_successData*) {
            auto& done = *static_cast<Slot*>(context);
            const Handle::Visit visit{done.owner->handle_};
            done.owner->finish(done, true, 0);
        };
        response.onFailure = [](void* context, MQTTAsync_failureData*) {
            auto& done = *static_cast<Slot*>(context);
            const Handle::Visit visit{done.owner->handle_};
            done.owner->finish(done, false, 0);
        };
    }
    const auto asked = MQTTAsync_sendMessage(handle_.get(), message.topic.c_str(), &out, &response);
    if (asked == MQTTASYNC_SUCCESS) return true;
    trouble_ = error(ErrorKind::kUnavailable,
                     fmt::format("publishing on '{}' failed: {}", message.topic, MQTTAsync_strerror(asked)));
    // A topic that is no UTF-8 will never be one.
    if (asked == MQTTASYNC_BAD_UTF8_STRING) {
        finish(slot, false, MQTTREASONCODE_TOPIC_NAME_INVALID);
        return true;
    }
    return false;
}

std::vector<Acknowledgement> Publisher::publish(const std::vector<Message>& messages) {
    {
        // All of the last call's are answered, or the connection is not used any more.
        const std::lock_guard lock{interrupt_.mutex};
        slots_.clear();
        slots_.resize(messages.size());
        for (auto& slot : slots_) slot.owner = this;
        answered_ = 0;
    }
    bool failed = false;
    std::size_t answered = 0;  // that are known of
    // Until `count` answers are there. False: nothing more will come.
    const auto wait = [&](std::size_t count) {
        std::unique_lock lock{interrupt_.mutex};
        heard_ = steady_clock::now();
        wanted_ = count;
        while (answered_ < count) {
            const auto silent = heard_ + settings_.timeout;
            const bool moved = interrupt_.changed.wait_until(
                lock, silent, [&] { return answered_ >= count || is_lost_ || interrupt_.set; });
            if (interrupt_.set) {
                trouble_ = error(ErrorKind::kUnavailable, "publishing was interrupted");
                return false;
            }
            if (is_lost_) {
                trouble_ = error(ErrorKind::kUnavailable, lost_);
                return false;
            }
            if (!moved && steady_clock::now() >= heard_ + settings_.timeout) {
                trouble_ = error(ErrorKind::kTimeout,
                                 fmt::format("the broker did not acknowledge a message within {} ms",
                                             settings_.timeout.count()));
                return false;
            }
        }
        answered = answered_;
        return true;
    };
    for (std::size_t i = 0; i < messages.size() && !failed; ++i) {
        // One answer makes room for one message. Waiting for more would stop both sides: what is sent carries
        // the kernel's own acknowledgement, without which a broker may hold back the answers that are to
        // come.
        failed = (i >= answered + window_ && !wait(i - window_ + 1)) || !send(messages[i], slots_[i]);
    }
    if (!failed) wait(messages.size());
    std::vector<Acknowledgement> answers(messages.size());
    const std::lock_guard lock{interrupt_.mutex};
    wanted_ = 0;
    for (std::size_t i = 0; i < slots_.size(); ++i) answers[i] = slots_[i].answer;
    return answers;
}

}  // namespace fieldwarden::worker::mqtt
