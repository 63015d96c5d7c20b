// The options of a task (the `options` cell of the tasks sheet): one table, used by validation, the template
// and the compiler.
#pragma once

#include <chrono>
#include <span>
#include <string_view>

#include "common/device_options.h"

namespace fieldwarden::supervisor {

// An empty fallback means: the setting of `fieldwarden serve`.
std::span<const OptionSpec> task_options();

// Every option is known and its value fits.
Status check_task_options(const Options& options);

// The value of a duration or whole-number option, or `otherwise` when the task does not set it. The options
// have passed check_task_options.
std::chrono::milliseconds task_duration(const Options& options, std::string_view name,
                                        std::chrono::milliseconds otherwise);
std::uint64_t task_number(const Options& options, std::string_view name, std::uint64_t otherwise);

}  // namespace fieldwarden::supervisor
