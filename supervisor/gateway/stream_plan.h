// What a long-lived client (WebSocket or server-sent events) is to be sent. A handler makes the plan on the
// pool; the connection carries it out on the gateway's thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "supervisor/status/status_bus.h"

namespace fieldwarden::supervisor::gateway {

struct StreamMessage {
    std::string_view name;  // the SSE event name, a literal; unused on a WebSocket
    std::uint64_t id = 0;   // the SSE id: the bus's seq
    std::string text;       // one JSON text
};

struct StreamPlan {
    // Sent before anything else.
    std::vector<StreamMessage> first;
    // Topic prefixes subscribed from the start.
    std::vector<std::string> topics;
    // Send the last values of the topics before the changes.
    bool snapshot = false;
    // Events after this seq are taken from the journal before the live ones, so that nothing published
    // between the making of `first` and the subscription is lost.
    std::optional<std::uint64_t> resume_after;
    // Turns an event into messages when its turn to be sent has come; unset: the envelope as it is.
    std::function<std::vector<StreamMessage>(const Event&)> render;
    // `render` may block (it asks Control or Store) and runs on the pool.
    bool render_blocks = false;
    // Asked now and then while the stream lasts: whether the client may still have it. It ends when not: the
    // session or token behind it has ended, or the user may do less. Unset: for ever. On the gateway's
    // thread; never blocks.
    std::function<bool()> still_allowed;
    // The client may subscribe and unsubscribe (/ws).
    bool takes_commands = false;
};

}  // namespace fieldwarden::supervisor::gateway
