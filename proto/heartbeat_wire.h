// The heartbeat's form on the wire (WIRE.md, type 3). Apart from the other messages because it is nearly all
// a supervisor hears: a thousand a second, read without a document in between.
#pragma once

#include "common/bytes.h"
#include "proto/wire.h"

namespace fieldwarden::proto {

Json write(const Heartbeat& beat);
// Reads the CBOR of one heartbeat; members it does not know are passed over. Throws std::exception with the
// reason when it is none. Safe on hostile bytes: memory is bounded by the payload's size.
Heartbeat read_heartbeat(ByteSpan payload);

}  // namespace fieldwarden::proto
