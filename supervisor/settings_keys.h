// The keys of the settings, each with its place, its help and its bounds, and the three things that give them
// values. Pure: nothing is opened, nothing of the machine is looked at.
#pragma once

#include <string>
#include <string_view>

#include "supervisor/settings.h"

namespace fieldwarden::supervisor {

// Each takes in what fits and says of the rest what is wrong with it and where. `text`: TOML; `path` names it
// in the problems.
void read_settings_file(std::string_view text, const std::string& path, Settings& settings,
                        SettingsProblems& problems);
void read_settings_environment(const Environment& environment, Settings& settings,
                               SettingsProblems& problems);
void read_settings_flags(const FlagValues& flags, Settings& settings, SettingsProblems& problems);

}  // namespace fieldwarden::supervisor
