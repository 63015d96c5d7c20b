// Read planning: which addresses to read together, and how to find the ones a device refuses. Pure: no clock,
// no socket.
//
// plan_reads() coalesces points into requests. A device may refuse a request ("illegal address") because of
// one point, because of an unmapped register in a bridged gap, or because it is too long for it.
// RefusalSearch bisects the refused request and finds out which. What it learns is kept as forbidden spans: a
// request that contains a forbidden span whole is known to be refused, so the next plan steps around it and
// all other points stay on coalesced reads.
//
// Addresses and counts are 32 bits wide: offset + count passes 65535.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace fieldwarden::worker {

// Where one point lies. Points are read together only within one lane: the same unit, area and period.
struct ReadPoint {
    std::uint32_t index = 0;  // the caller's name of the point
    std::uint8_t unit = 0;
    std::uint8_t area = 0;
    bool is_bit = false;       // of a bit area: counts are bits; otherwise words
    std::uint32_t offset = 0;  // first word or bit
    std::uint32_t count = 1;   // words or bits
    std::chrono::milliseconds period{0};

    [[nodiscard]] std::uint32_t end() const { return offset + count; }
    bool operator==(const ReadPoint&) const = default;
};

struct ReadLimits {
    std::uint32_t max_words = 125;
    std::uint32_t max_bits = 2000;
    std::uint32_t max_gap = 16;  // words or bits nobody asked for that one read may bridge
};

// Addresses [begin, end) of one unit and area.
struct Span {
    std::uint8_t unit = 0;
    std::uint8_t area = 0;
    std::uint32_t begin = 0;
    std::uint32_t end = 0;

    bool operator==(const Span&) const = default;
};

struct ReadRequest {
    Span span;
    std::vector<ReadPoint> points;  // sorted by offset, then count, then index; never empty

    bool operator==(const ReadRequest&) const = default;
};

// The fewest requests, taken greedily in address order, that read all points within the limits and contain no
// forbidden span. Ordered by unit, area, period, offset; the same input in any order gives the same plan. A
// point longer than the limit or one that contains a forbidden span itself stands alone.
std::vector<ReadRequest> plan_reads(std::vector<ReadPoint> points, const ReadLimits& limits,
                                    std::span<const Span> forbidden = {});

// Finds out why a device refuses `refused`. The caller sends next() until it is empty and says after each how
// the device answered. At most 2 × points − 1 requests; with one cause about 2 × log2(points).
class RefusalSearch {
  public:
    explicit RefusalSearch(ReadRequest refused);

    // The request to send now; empty when the search is over. Stays the same until one of the two calls
    // below.
    [[nodiscard]] const std::optional<ReadRequest>& next() const { return next_; }
    void answered();
    void refused();

    // Points the device refuses although they are read alone.
    [[nodiscard]] const std::vector<ReadPoint>& illegal() const { return illegal_; }
    // Places where both sides are fine but may not be read together: unmapped registers in a gap, a border
    // between two blocks of the device, or a device that takes fewer registers than the protocol allows.
    [[nodiscard]] const std::vector<Span>& borders() const { return borders_; }

  private:
    // A refused range [begin, end) of points, its halves being tried.
    struct Frame {
        std::size_t begin, middle, end;
        unsigned halves_done = 0;
        bool halves_fine = true;
    };
    void descend(std::size_t begin, std::size_t end);
    void half_done(bool fine);
    void advance();

    ReadRequest whole_;
    std::vector<Frame> stack_;
    std::optional<ReadRequest> next_;
    std::vector<ReadPoint> illegal_;
    std::vector<Span> borders_;
};

// The plan of one device with what has been learnt about its refusals.
class LearningPlan {
  public:
    LearningPlan(std::vector<ReadPoint> points, ReadLimits limits);

    // Requests of all points not known to be illegal.
    [[nodiscard]] const std::vector<ReadRequest>& requests() const { return requests_; }
    // The points known to be illegal, each as a request of its own, in address order.
    [[nodiscard]] const std::vector<ReadRequest>& illegal() const { return illegal_; }

    // Takes over what a search found, complete or broken off, and plans anew.
    void learn(const RefusalSearch& search);
    // These points are refused (found without a search). By value, here and below: the points may be the
    // plan's own.
    void refuse(std::vector<ReadPoint> points);
    // The device answers for these points again.
    void restore(std::vector<ReadPoint> points);

  private:
    void plan();

    std::vector<ReadPoint> points_;
    ReadLimits limits_;
    std::vector<Span> borders_;
    std::vector<ReadRequest> requests_;
    std::vector<ReadRequest> illegal_;
};

}  // namespace fieldwarden::worker
