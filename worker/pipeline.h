// Pipeline: raw samples of one device → engineering values worth delivering. No clock, no I/O.
//
// convert()  value × scale + offset, range. A number stays an integer when scale is 1 and offset is 0, and
//            becomes a double otherwise; bool and text pass unchanged. Outside [min, max]: bad/out_of_range
//            with the value kept. Not a finite number (from the device, or after scaling): bad/decode without
//            a value, because no sink could store it as a number.
// filter()   drops what need not be delivered. Delivered are: the first sample of a point; every change of
//            quality or quality code; good samples that moved by at least the deadband since the last good
//            one delivered (no deadband: all of them); bad samples that carry a value. A repeated bad sample
//            without a value says nothing new and is dropped.
//
// Belongs to one thread.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <vector>

#include "common/sample.h"
#include "common/task_config.h"

namespace fieldwarden::worker {

class Pipeline {
  public:
    explicit Pipeline(std::span<const PointConfig> points);

    // samples[i] is of the point with index due[i].
    void convert(std::span<const std::uint32_t> due, std::span<Sample> samples) const;

    // A point whose quality became another one.
    struct Change {
        std::uint32_t index = 0;
        QualityCode before = QualityCode::kNone;
        QualityCode after = QualityCode::kNone;
    };
    // Drops samples from the batch. Changes of quality are appended to `changes`; a point's first sample is a
    // change from kNone when it is bad.
    void filter(std::span<const std::uint32_t> due, SampleBatch& samples, std::vector<Change>& changes);

    // Points whose last sample was good.
    [[nodiscard]] std::uint32_t points_good() const { return points_good_; }

  private:
    struct Stage {
        bool linear = false;
        bool ranged = false;
        double scale = 1;
        double offset = 0;
        double least = 0;
        double most = 0;
        std::optional<double> deadband;

        bool operator==(const Stage&) const = default;
    };
    [[nodiscard]] std::uint32_t place(const Stage& stage);

    struct Last {
        bool seen = false;
        bool plain = false;  // no deadband: good after good is delivered without a further look
        Quality quality = Quality::kBad;
        QualityCode code = QualityCode::kNone;
        std::uint32_t stage = 0;  // position in stages_
        // The last good one delivered; not a number, from which nothing differs by less than a deadband,
        // before.
        double value = std::numeric_limits<double>::quiet_NaN();
    };
    bool wanted(const Stage& stage, Last& last, const Sample& sample) const;

    std::vector<Stage> stages_;  // most points of a device share one
    std::vector<Last> last_;
    std::uint32_t points_good_ = 0;
};

}  // namespace fieldwarden::worker
