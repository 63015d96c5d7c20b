// How a simulated device answers wrongly, whatever its protocol. What a fault does to the bytes of one
// protocol is said in that protocol's faults.h.
#pragma once

#include <cstdint>
#include <vector>

#include "common/enum_table.h"

namespace fieldwarden::simulator {

enum class ReplyFault : std::uint8_t {
    kNone,
    kSilent,            // no answer
    kDrop,              // closes instead of answering
    kWrongTransaction,  // the number of another request
    kWrongUnit,         // from another unit or station
    kWrongFunction,     // to another function, data unchanged
    kWrongProtocol,     // of another protocol
    kTruncate,          // half an answer, then silence
    kHalfThenClose,     // half an answer, then closes
    kOversizeLength,    // the header announces 65535 bytes
    kOversizeCount,     // more data than was asked for
    kDuplicate,         // the answer twice
    kTrickle,           // one byte every 50 ms
};

// What is sent for the requests that came.
struct Answer {
    std::vector<std::uint8_t> bytes;
    bool close = false;    // after sending
    bool trickle = false;  // send byte by byte
};

// The fault of the answer being made; counts it. `faults` has members reply, after (answers that stay good
// first) and times (0: until cleared).
template <class Faults>
ReplyFault next_fault(Faults& faults) {
    if (faults.reply == ReplyFault::kNone) return ReplyFault::kNone;
    if (faults.after != 0) {
        --faults.after;
        return ReplyFault::kNone;
    }
    const auto fault = faults.reply;
    if (faults.times != 0 && --faults.times == 0) faults.reply = ReplyFault::kNone;
    return fault;
}

// Spoils the answer that starts at `begin` with a fault that is the same in every protocol; false: the fault
// is one of the others, and nothing is done.
bool spoil_any(ReplyFault fault, std::size_t begin, Answer& answer);

}  // namespace fieldwarden::simulator

namespace fieldwarden {
template <>
struct EnumNames<simulator::ReplyFault> {
    using E = simulator::ReplyFault;
    static constexpr std::array<EnumName<E>, 13> table{{
        {E::kNone, "none"},
        {E::kSilent, "silent"},
        {E::kDrop, "drop"},
        {E::kWrongTransaction, "wrong_transaction"},
        {E::kWrongUnit, "wrong_unit"},
        {E::kWrongFunction, "wrong_function"},
        {E::kWrongProtocol, "wrong_protocol"},
        {E::kTruncate, "truncate"},
        {E::kHalfThenClose, "half_then_close"},
        {E::kOversizeLength, "oversize_length"},
        {E::kOversizeCount, "oversize_count"},
        {E::kDuplicate, "duplicate"},
        {E::kTrickle, "trickle"},
    }};
};
}  // namespace fieldwarden
