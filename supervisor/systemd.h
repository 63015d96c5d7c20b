// What the supervisor tells systemd (sd_notify). Everything is a no-op outside a unit of Type=notify.
#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace fieldwarden::supervisor::systemd {

void notify_ready();
void notify_stopping();
void notify_reloading();
void notify_status(const std::string& text);
// Sent from the supervisor's loop: a loop that does not turn lets the watchdog fire.
void notify_watchdog();
// WatchdogSec of the unit for this process; unset when there is none.
std::optional<std::chrono::microseconds> watchdog_limit();

}  // namespace fieldwarden::supervisor::systemd
