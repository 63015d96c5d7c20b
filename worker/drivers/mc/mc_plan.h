// Which requests to send for the points of a Mitsubishi device, and where their values lie in the answers.
// Pure: no clock, no socket.
//
// Points of one device (D, M, …) form a lane. plan_reads() makes batch reads of a lane; combine() puts small
// ones of all lanes into random reads (0403) where that is cheaper.
//
// Bits. A lane of bits is read in words of 16, from a multiple of 16 on: fewer bytes than bit units, more
// points a request, and 1E frames want it so. Such a read covers up to 30 bits nobody asked for, and a device
// may refuse because of one of those. From the first refusal on the lane is read in bit units, which name
// exactly the bits wanted (`exact`). Contacts and coils of timers and counters are read so from the start:
// not every CPU hands them out in words.
//
// Costs, in words of an answer. A PLC serves a request at the end of a program scan (1 to 20 ms), moves a
// word of a batch in about 10 µs, and looks up each device of a random read by itself:
//   batch read    kRoundTrip + words
//   random read   kRoundTrip + kLookup × devices (a device is one word or two)
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "worker/drivers/mc/mc_frame.h"
#include "worker/drivers/read_plan.h"

namespace fieldwarden::worker::mc {

inline constexpr std::uint32_t kRoundTrip = 100;
inline constexpr std::uint32_t kLookup = 4;

// What one request may ask for. Sources: SH-080008 appendix 5 (R/Q/L over Ethernet), FX5 SLMP manual 4.2,
// FX3U-ENET 9.3.1.
struct FrameLimits {
    std::uint32_t words = 960;      // of word devices
    std::uint32_t bit_words = 960;  // words of 16 bits
    std::uint32_t bits = 7168;      // in bit units
    std::uint32_t random = 192;     // words and double words together; 0: no random reads
    std::uint32_t written_words = 960;
    std::uint32_t written_bits = 7168;

    bool operator==(const FrameLimits&) const = default;
};
FrameLimits frame_limits(const FrameFormat& format);

// ReadPoint::area of a lane: the device, or that of the 32-bit counters of FX, of which two words stand for
// one number.
inline constexpr std::uint8_t kWideCounters = 0x80 | static_cast<std::uint8_t>(McDevice::kCn);
std::uint8_t area_of(const McAddress& address, const McDialect& dialect);
McDevice device_of(std::uint8_t area);

// Where a point lies in its lane. Words; bits of a bit device.
ReadPoint place_of(const McAddress& address, DataType type, const McDialect& dialect, std::uint32_t index,
                   std::chrono::milliseconds period);
ReadLimits lane_limits(const FrameLimits& limits, std::uint32_t max_words, std::uint32_t max_gap, bool exact);
// Contacts and coils.
bool always_exact(std::uint8_t area);

// One request for the wire, and where the words of each batch read it was made of lie in its answer.
struct Wire {
    struct Part {
        std::uint32_t first = 0;  // offset of the lane that stands in its first word (bit 0 of it)
        std::uint32_t words = 0;
        bool split = false;  // the first word stands at `head`, apart from the others
        std::size_t head = 0;
        std::size_t rest = 0;
    };
    Request request;
    std::vector<Part> parts;  // one per batch read
};
// The words of one part, put together.
void gather(const Wire::Part& part, std::span<const std::uint16_t> answer, std::vector<std::uint16_t>& out);
Wire batch_wire(const ReadRequest& read, bool exact);
Wire random_wire(std::span<const ReadRequest* const> reads);

// A batch read as combine() sees it.
struct Load {
    std::uint32_t words = 0;  // of its answer
    bool may_combine = true;  // its device may stand in a random read
};
Load load_of(const ReadRequest& read, bool exact);

// One request: a single batch read, or a random read of several. Indices into the loads.
struct Step {
    bool random = false;
    std::vector<std::size_t> reads;

    bool operator==(const Step&) const = default;
};
// Every load in exactly one step; the order of the loads is kept within and between steps of one kind, batch
// reads first. `most_devices` 0: batch reads only.
std::vector<Step> combine(std::span<const Load> loads, std::uint32_t most_devices);

}  // namespace fieldwarden::worker::mc
