#include "supervisor/systemd.h"

#include <systemd/sd-daemon.h>

#include <cstdint>

namespace fieldwarden::supervisor::systemd {

void notify_ready(const std::string& status) {
    ::sd_notify(0, ("READY=1\nSTATUS=" + status).c_str());
}
void notify_status(const std::string& status) {
    ::sd_notify(0, ("STATUS=" + status).c_str());
}
void notify_stopping() {
    ::sd_notify(0, "STOPPING=1");
}
void ping_watchdog() {
    ::sd_notify(0, "WATCHDOG=1");
}

std::optional<std::chrono::milliseconds> watchdog_interval() {
    std::uint64_t limit_us = 0;
    if (::sd_watchdog_enabled(0, &limit_us) <= 0) return std::nullopt;
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::microseconds{limit_us / 2});
}

}  // namespace fieldwarden::supervisor::systemd
