// What goes wrong with the simulated OPC UA server, and the line protocol of its control port
// (--opcua-control): JSON objects, one a line, each answered with one line.
//
//   {"unplugged":true}                             closes every connection and refuses new ones; false: back.
//                                                  Sessions and subscriptions live on, as in a cut cable
//   {"drop":true}                                  closes every connection once
//   {"forget_sessions":true}                       no session or subscription is known any more: a restart
//   {"delay_ms":50}                                answers come this much later
//   {"reply":"wrong_handle","times":3,"after":2}   spoils the next answers (times 0 or absent: all of them)
//                                                  after letting some pass
//   {"node":"Sine","status":2150891520}            this node has this bad status; null: its value again.
//   Names
//                                                  are those of ns=2;s=…
//   {"service_status":2148401152}                  every service answers with this fault; 0: no longer
//   {"pin":"Counter","values":[1,2,3]}             the node takes these values, and every one is reported
//   {"clear":true}                                 everything is well again
//   {}                                             nothing; the answer tells the counters
//
// Answer: {"ok":true,"requests":…,"accepted":…,"connections":…,"sessions":…,"subscriptions":…,
// "monitored_items":…,"notifications":…,"renewals":…} or {"ok":false,"error":"…"}.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/enum_table.h"
#include "common/result.h"
#include "tests/simulator/opcua/codec.h"

namespace fieldwarden::simulator::opcua {

enum class ReplyFault : std::uint8_t {
    kNone,
    kSilent,          // no answer, not even to Hello
    kDrop,            // closes instead of answering
    kTruncate,        // half an answer, then silence
    kHalfThenClose,   // half an answer, then closes
    kWrongHandle,     // the request handle + 1
    kWrongRequestId,  // the id in the sequence header + 1000
    kWrongChannel,    // the channel id + 1
    kBadSequence,     // sequence numbers are left out
    kOversizeLength,  // the chunk says it has 2 GiB
    kGarbage,         // the body is 0xFF throughout
};

struct Faults {
    bool unplugged = false;
    ReplyFault reply = ReplyFault::kNone;
    std::uint32_t after = 0;
    std::uint32_t times = 0;  // 0: until cleared
    std::chrono::milliseconds delay{0};
};

// Of what subscriptions send.
struct SubscriptionFaults {
    std::uint32_t lose_messages = 0;  // the next ones get their sequence number and are not sent
    bool keep_no_messages = false;    // for Republish
    bool refuse_transfers = false;
};

struct Command {
    bool clear = false;
    bool drop = false;
    bool forget_sessions = false;
    std::optional<bool> unplugged;
    std::optional<std::chrono::milliseconds> delay;
    std::optional<ReplyFault> reply;
    std::uint32_t after = 0;
    std::uint32_t times = 0;
    std::optional<StatusCode> service_status;
    std::string node;
    std::optional<StatusCode> node_status;
    std::string pin;
    std::vector<Scalar> values;

    void apply(Faults& faults) const;
};

// Refuses unknown members, wrong types and values out of range.
Result<Command> parse_command(std::string_view line);

}  // namespace fieldwarden::simulator::opcua

namespace fieldwarden {
template <>
struct EnumNames<simulator::opcua::ReplyFault> {
    using E = simulator::opcua::ReplyFault;
    static constexpr std::array<EnumName<E>, 11> table{{
        {E::kNone, "none"},
        {E::kSilent, "silent"},
        {E::kDrop, "drop"},
        {E::kTruncate, "truncate"},
        {E::kHalfThenClose, "half_then_close"},
        {E::kWrongHandle, "wrong_handle"},
        {E::kWrongRequestId, "wrong_request_id"},
        {E::kWrongChannel, "wrong_channel"},
        {E::kBadSequence, "bad_sequence"},
        {E::kOversizeLength, "oversize_length"},
        {E::kGarbage, "garbage"},
    }};
};
}  // namespace fieldwarden
