// What systemd is told (sd_notify). Outside systemd ($NOTIFY_SOCKET unset) every call does nothing.
#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace fieldwarden::supervisor::systemd {

void notify_ready(const std::string& status);
void notify_status(const std::string& status);
void notify_stopping();
// To be called from the supervisor's loop, so that a stuck loop is a missing ping.
void ping_watchdog();
// How often to ping: half of WatchdogSec; nullopt when the unit has no watchdog.
std::optional<std::chrono::milliseconds> watchdog_interval();

}  // namespace fieldwarden::supervisor::systemd
