#include "worker/drivers/mc/mc_plan.h"

#include <algorithm>

namespace fieldwarden::worker::mc {

namespace {

constexpr std::uint8_t kWideFlag = 0x80;
constexpr std::uint32_t kBitsOfWord = 16;

// Devices of a random read that carry `words` words.
std::uint32_t devices_of(std::uint32_t words) {
    return words / 2 + words % 2;
}

// First offset and words of the read when it is sent in words.
struct Extent {
    std::uint32_t first;
    std::uint32_t words;
};
Extent extent_of(const ReadRequest& read) {
    const bool bits = read.points.front().is_bit;
    if (!bits) return {read.span.begin, read.span.end - read.span.begin};
    const auto first = read.span.begin / kBitsOfWord * kBitsOfWord;
    return {first, (read.span.end - first + kBitsOfWord - 1) / kBitsOfWord};
}

DeviceRef device_at(const ReadRequest& read, std::uint32_t offset) {
    const auto area = read.span.area;
    return {device_of(area), area == kWideCounters ? offset / 2 : offset};
}

}  // namespace

FrameLimits frame_limits(const FrameFormat& format) {
    const bool ascii = format.is_ascii();
    if (format.is_1e()) {
        return {
            .words = 64, .bit_words = 32, .bits = 256, .random = 0, .written_words = 64, .written_bits = 160};
    }
    switch (format.dialect.series) {
        case McSeries::kQ:
        case McSeries::kA:
        case McSeries::kIqr: {
            FrameLimits limits;
            limits.bits = limits.written_bits = ascii ? 3584 : 7168;
            if (format.dialect.series == McSeries::kIqr) limits.random = 96;
            return limits;
        }
        case McSeries::kFx: {
            FrameLimits limits;
            limits.words = limits.bit_words = limits.written_words = ascii ? 480 : 960;
            limits.bits = limits.written_bits = ascii ? 1792 : 3584;
            limits.random = ascii ? 96 : 192;
            return limits;
        }
    }
    return {};
}

std::uint8_t area_of(const McAddress& address, const McDialect& dialect) {
    const bool wide =
        dialect.wide_counters() && address.device == McDevice::kCn && address.number >= kFirstWideCounter;
    return wide ? kWideCounters : static_cast<std::uint8_t>(address.device);
}

McDevice device_of(std::uint8_t area) {
    return static_cast<McDevice>(area & ~kWideFlag);
}

ReadPoint place_of(const McAddress& address, DataType type, const McDialect& dialect, std::uint32_t index,
                   std::chrono::milliseconds period) {
    const auto area = area_of(address, dialect);
    const std::uint32_t width = area == kWideCounters ? 2 : 1;
    return {.index = index,
            .unit = 0,
            .area = area,
            .is_bit = !mc_device_info(address.device).is_word,
            .offset = address.number * width,
            .count = mc_numbers_of(address, type, dialect) * width,
            .period = period};
}

ReadLimits lane_limits(const FrameLimits& limits, std::uint32_t max_words, std::uint32_t max_gap,
                       bool exact) {
    // The first bit may stand anywhere in its word: 15 bits less fit.
    const auto bits = std::min(max_words, limits.bit_words) * kBitsOfWord - (kBitsOfWord - 1);
    return {.max_words = std::min(max_words, limits.words),
            .max_bits = exact ? std::min(limits.bits, max_words * kBitsOfWord) : bits,
            .max_gap = max_gap};
}

bool always_exact(std::uint8_t area) {
    return mc_is_contact(device_of(area));
}

void gather(const Wire::Part& part, std::span<const std::uint16_t> answer, std::vector<std::uint16_t>& out) {
    out.clear();
    std::uint32_t left = part.words;
    if (part.split) {
        out.push_back(answer[part.head]);
        --left;
    }
    const auto rest = answer.subspan(part.rest, left);
    out.insert(out.end(), rest.begin(), rest.end());
}

Wire batch_wire(const ReadRequest& read, bool exact) {
    Wire wire;
    if (exact && read.points.front().is_bit) {
        const auto bits = read.span.end - read.span.begin;
        wire.request.operation = Operation::kReadBits;
        wire.request.head = device_at(read, read.span.begin);
        wire.request.points = bits;
        wire.parts.push_back({.first = read.span.begin, .words = (bits + kBitsOfWord - 1) / kBitsOfWord});
        return wire;
    }
    const auto extent = extent_of(read);
    wire.request.operation = Operation::kReadWords;
    wire.request.head = device_at(read, extent.first);
    wire.request.points = extent.words;
    wire.parts.push_back({.first = extent.first, .words = extent.words});
    return wire;
}

Wire random_wire(std::span<const ReadRequest* const> reads) {
    Wire wire;
    wire.request.operation = Operation::kReadRandom;
    auto& request = wire.request;
    // The words of the answer come before the double words: the first word of an odd number of words is asked
    // for as a word, the others as double words.
    for (const auto* read : reads) {
        const auto extent = extent_of(*read);
        const bool split = extent.words % 2 != 0;
        wire.parts.push_back(
            {.first = extent.first, .words = extent.words, .split = split, .head = request.words.size()});
        if (split) request.words.push_back(device_at(*read, extent.first));
    }
    for (std::size_t i = 0; i < reads.size(); ++i) {
        const auto extent = extent_of(*reads[i]);
        const std::uint32_t step = reads[i]->points.front().is_bit ? kBitsOfWord : 1;
        wire.parts[i].rest = request.words.size() + 2 * request.dwords.size();
        for (auto word = extent.words % 2; word < extent.words; word += 2)
            request.dwords.push_back(device_at(*reads[i], extent.first + word * step));
    }
    return wire;
}

Load load_of(const ReadRequest& read, bool exact) {
    return {extent_of(read).words, !exact && !always_exact(read.span.area)};
}

std::vector<Step> combine(std::span<const Load> loads, std::uint32_t most_devices) {
    std::vector<Step> batches;
    std::vector<Step> randoms;
    Step open{.random = true, .reads = {}};
    std::uint32_t devices = 0;
    std::uint32_t cost_apart = 0;
    const auto close = [&] {
        if (open.reads.empty()) return;
        if (kRoundTrip + kLookup * devices < cost_apart) {
            randoms.push_back(std::move(open));
        } else {
            for (const auto read : open.reads) batches.push_back({false, {read}});
        }
        open = {.random = true, .reads = {}};
        devices = 0;
        cost_apart = 0;
    };
    for (std::size_t i = 0; i < loads.size(); ++i) {
        const auto& load = loads[i];
        const auto own = devices_of(load.words);
        // Worth a place in a frame that is sent anyway.
        if (!load.may_combine || own > most_devices || kLookup * own >= kRoundTrip + load.words) {
            batches.push_back({false, {i}});
            continue;
        }
        if (devices + own > most_devices) close();
        open.reads.push_back(i);
        devices += own;
        cost_apart += kRoundTrip + load.words;
    }
    close();
    std::sort(batches.begin(), batches.end(),
              [](const Step& a, const Step& b) { return a.reads.front() < b.reads.front(); });
    batches.insert(batches.end(), std::make_move_iterator(randoms.begin()),
                   std::make_move_iterator(randoms.end()));
    return batches;
}

}  // namespace fieldwarden::worker::mc
