// The callbacks of one paho handle: messages and outcomes, put into the inbox. Only for session.cpp.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include "worker/drivers/mqtt/session.h"
#include "worker/mqtt/handle.h"

namespace fieldwarden::worker::mqtt {

// The outcome of one request; filled by paho's threads with the inbox's lock held.
struct Outcome {
    bool done = false;
    bool ok = false;
    int code = 0;
    std::string text;
    bool session_present = false;
    std::vector<int> codes;  // of a SUBACK
};

// What paho's callbacks see. Lives as long as the handle.
struct Session::Paho {
    Paho(const Settings& session_settings, Inbox& session_inbox, std::atomic<std::uint64_t>& moved)
        : settings(session_settings), inbox(session_inbox), activity(moved) {}

    const Settings& settings;
    Inbox& inbox;
    std::atomic<std::uint64_t>& activity;
    Handle handle;
    Outcome connected;
    Outcome subscribed;
    Outcome published;
    Outcome disconnected;
    std::string tls_trouble;
    std::size_t filters_asked = 0;

    // What every callback begins with.
    class Visit {
      public:
        explicit Visit(void* context) : paho_(*static_cast<Paho*>(context)), visit_(paho_.handle) {
            paho_.activity.fetch_add(1, std::memory_order_relaxed);
        }
        Paho* operator->() const { return &paho_; }

      private:
        Paho& paho_;
        Handle::Visit visit_;
    };

    void finish(Outcome& outcome, const std::function<void(Outcome&)>& fill) {
        inbox.notify([&] {
            fill(outcome);
            outcome.done = true;
        });
    }
    void succeed(Outcome& outcome) {
        finish(outcome, [](Outcome& o) { o.ok = true; });
    }
    void fail(Outcome& outcome, int code, const char* text) {
        finish(outcome, [&](Outcome& o) {
            o.code = code;
            o.text = text == nullptr ? "" : text;
        });
    }
    void fail(Outcome& outcome, const MQTTAsync_failureData* data) {
        fail(outcome, data == nullptr ? MQTTASYNC_FAILURE : data->code,
             data == nullptr ? nullptr : data->message);
    }
    void fail(Outcome& outcome, const MQTTAsync_failureData5* data) {
        if (data == nullptr) return fail(outcome, MQTTASYNC_FAILURE, nullptr);
        const bool refused = data->reasonCode >= MQTTREASONCODE_UNSPECIFIED_ERROR;
        fail(outcome, refused ? static_cast<int>(data->reasonCode) : data->code, data->message);
    }
    // Forgets the last request of this kind.
    void begin(Outcome& outcome) {
        inbox.notify([&] { outcome = {}; });
    }

    static int on_message(void* context, char* topic, int topic_length, MQTTAsync_message* message);
    static void on_lost(void* context, char* cause);
    static void on_disconnected(void* context, MQTTProperties*, enum MQTTReasonCodes reason);
};

}  // namespace fieldwarden::worker::mqtt
