// KeptConfig: the configuration of a task for as long as the task is there, without its points.
//
// A compiled point takes ten times the memory of the cells it comes from, and only a worker needs it. What
// the supervisor looks at all the time (period, options, devices) is kept compiled; the points stay records,
// whose cells the plant has anyway, and are compiled again for the message that takes them to a worker.
// Immutable, and independent of the plant it was made from.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "common/task_config.h"
#include "supervisor/plant/plant.h"

namespace fieldwarden::supervisor {

class KeptConfig {
  public:
    // `config` is what `plant` compiles to with `defaults`.
    KeptConfig(const Plant& plant, TaskConfig config, TaskDefaults defaults);

    // The devices without their points.
    [[nodiscard]] const TaskConfig& outline() const { return outline_; }
    // With the points, equal to what it was made of. Milliseconds for ten thousand points. Fails only by a
    // defect.
    [[nodiscard]] Result<TaskConfig> full() const;
    [[nodiscard]] const std::vector<Record>& points() const { return records_.of(Kind::kPoint).all(); }
    [[nodiscard]] std::vector<PointId> point_ids() const;
    // Whether the two differ in nothing but the period (and the revision, which every change raises).
    [[nodiscard]] bool only_period_differs(const KeptConfig& other) const;

  private:
    TaskConfig outline_;
    TaskDefaults defaults_;
    Plant records_;  // the task, its devices, points and sinks, in plant order
};

// Shared and read like a pointer to the outline; there is no way to take the outline for the whole by
// accident.
class KeptConfigPtr {
  public:
    KeptConfigPtr() = default;
    KeptConfigPtr(std::nullptr_t) {}  // NOLINT: like a pointer
    explicit KeptConfigPtr(std::shared_ptr<const KeptConfig> kept) : kept_(std::move(kept)) {}

    explicit operator bool() const { return kept_ != nullptr; }
    const TaskConfig* operator->() const { return &kept_->outline(); }
    [[nodiscard]] const KeptConfig& kept() const { return *kept_; }

  private:
    std::shared_ptr<const KeptConfig> kept_;
};

// Compiles a task of the compiler's plant and keeps what is to be kept.
Result<KeptConfigPtr> keep_config(const TaskCompiler& compiler, std::string_view task_code);

}  // namespace fieldwarden::supervisor
