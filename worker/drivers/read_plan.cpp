#include "worker/drivers/read_plan.h"

#include <algorithm>
#include <tuple>

namespace fieldwarden::worker {

namespace {

auto order_key(const ReadPoint& point) {
    return std::tuple{point.unit, point.area, point.period, point.offset, point.count, point.index};
}

bool same_lane(const ReadPoint& a, const ReadPoint& b) {
    return a.unit == b.unit && a.area == b.area && a.period == b.period;
}

// Forbidden spans of one unit and area, ordered so that the next one that starts at or after an address is
// found by bisection.
class Forbidden {
  public:
    explicit Forbidden(std::span<const Span> spans) : spans_(spans.begin(), spans.end()) {
        std::sort(spans_.begin(), spans_.end(), [](const Span& a, const Span& b) { return key(a) < key(b); });
    }
    // Whether `request` contains a forbidden span whole.
    [[nodiscard]] bool inside(const Span& request) const {
        const Span from{request.unit, request.area, request.begin, 0};
        auto it = std::lower_bound(spans_.begin(), spans_.end(), from,
                                   [](const Span& a, const Span& b) { return key(a) < key(b); });
        for (; it != spans_.end() && it->unit == request.unit && it->area == request.area &&
               it->begin < request.end;
             ++it) {
            if (it->end <= request.end) return true;
        }
        return false;
    }

  private:
    static std::tuple<std::uint8_t, std::uint8_t, std::uint32_t, std::uint32_t> key(const Span& span) {
        return {span.unit, span.area, span.begin, span.end};
    }
    std::vector<Span> spans_;
};

Span span_of(std::span<const ReadPoint> points) {
    Span span{points.front().unit, points.front().area, points.front().offset, points.front().end()};
    for (const auto& point : points) {
        span.begin = std::min(span.begin, point.offset);
        span.end = std::max(span.end, point.end());
    }
    return span;
}

ReadRequest request_of(std::span<const ReadPoint> points) {
    return {span_of(points), {points.begin(), points.end()}};
}

Span point_span(const ReadPoint& point) {
    return {point.unit, point.area, point.offset, point.end()};
}

}  // namespace

std::vector<ReadRequest> plan_reads(std::vector<ReadPoint> points, const ReadLimits& limits,
                                    std::span<const Span> forbidden) {
    std::sort(points.begin(), points.end(),
              [](const ReadPoint& a, const ReadPoint& b) { return order_key(a) < order_key(b); });
    const Forbidden known{forbidden};
    std::vector<ReadRequest> requests;
    for (const auto& point : points) {
        if (!requests.empty() && same_lane(requests.back().points.front(), point)) {
            auto& open = requests.back();
            Span grown = open.span;
            grown.end = std::max(grown.end, point.end());
            const auto longest = point.is_bit ? limits.max_bits : limits.max_words;
            if (point.offset <= open.span.end + limits.max_gap && grown.end - grown.begin <= longest &&
                !known.inside(grown)) {
                open.span = grown;
                open.points.push_back(point);
                continue;
            }
        }
        requests.push_back({point_span(point), {point}});
    }
    return requests;
}

RefusalSearch::RefusalSearch(ReadRequest refused) : whole_(std::move(refused)) {
    descend(0, whole_.points.size());
    advance();
}

// The range [begin, end) was refused: halve it, or, when it is one point, it is the culprit.
void RefusalSearch::descend(std::size_t begin, std::size_t end) {
    if (end - begin > 1) {
        stack_.push_back({begin, begin + (end - begin) / 2, end});
        return;
    }
    illegal_.push_back(whole_.points[begin]);
    half_done(false);
}

void RefusalSearch::half_done(bool fine) {
    if (stack_.empty()) return;
    auto& frame = stack_.back();
    ++frame.halves_done;
    frame.halves_fine = frame.halves_fine && fine;
}

void RefusalSearch::advance() {
    next_.reset();
    while (!stack_.empty() && stack_.back().halves_done == 2) {
        const Frame frame = stack_.back();
        stack_.pop_back();
        if (frame.halves_fine) {
            const std::span all{whole_.points};
            const auto left = span_of(all.subspan(frame.begin, frame.middle - frame.begin));
            const auto right = span_of(all.subspan(frame.middle, frame.end - frame.middle));
            // Both halves fine, the whole refused: the cause lies where they meet. When one half covers the
            // whole, the device has merely changed its mind, and there is nothing to learn.
            if (right.begin > left.end) {
                borders_.push_back({left.unit, left.area, left.end, right.begin});
            } else if (left.begin < right.begin && right.end > left.end) {
                borders_.push_back({left.unit, left.area, right.begin - 1, left.end + 1});
            }
        }
        // A refused range is a refused half of the range above it.
        half_done(false);
    }
    if (stack_.empty()) return;
    const auto& frame = stack_.back();
    const std::span all{whole_.points};
    next_ = frame.halves_done == 0 ? request_of(all.subspan(frame.begin, frame.middle - frame.begin))
                                   : request_of(all.subspan(frame.middle, frame.end - frame.middle));
}

void RefusalSearch::answered() {
    half_done(true);
    advance();
}

void RefusalSearch::refused() {
    const auto& frame = stack_.back();
    if (frame.halves_done == 0) {
        descend(frame.begin, frame.middle);
    } else {
        descend(frame.middle, frame.end);
    }
    advance();
}

LearningPlan::LearningPlan(std::vector<ReadPoint> points, ReadLimits limits)
    : points_(std::move(points)), limits_(limits) {
    points_.shrink_to_fit();  // kept as long as the device
    plan();
}

void LearningPlan::learn(const RefusalSearch& search) {
    borders_.insert(borders_.end(), search.borders().begin(), search.borders().end());
    refuse(search.illegal());
}

void LearningPlan::refuse(std::vector<ReadPoint> points) {
    for (const auto& point : points) {
        if (std::erase(points_, point) != 0) illegal_.push_back({point_span(point), {point}});
    }
    plan();
}

void LearningPlan::restore(std::vector<ReadPoint> points) {
    for (const auto& point : points) {
        const auto was = std::erase_if(
            illegal_, [&](const ReadRequest& request) { return request.points.front() == point; });
        if (was != 0) points_.push_back(point);
    }
    plan();
}

void LearningPlan::plan() {
    std::sort(illegal_.begin(), illegal_.end(), [](const ReadRequest& a, const ReadRequest& b) {
        return order_key(a.points.front()) < order_key(b.points.front());
    });
    std::vector<Span> forbidden = borders_;
    for (const auto& request : illegal_) forbidden.push_back(request.span);
    requests_ = plan_reads(points_, limits_, forbidden);
}

}  // namespace fieldwarden::worker
