// What the stores write for a desired state.
#pragma once

#include "common/enum_table.h"
#include "supervisor/store/store.h"

namespace fieldwarden {

template <>
struct EnumNames<supervisor::DesiredState> {
    using E = supervisor::DesiredState;
    static constexpr std::array<EnumName<E>, 3> table{{
        {E::kStopped, "stopped"},
        {E::kRunning, "running"},
        {E::kPaused, "paused"},
    }};
};

}  // namespace fieldwarden
