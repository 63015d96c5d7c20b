#include "worker/drivers/mc/end_codes.h"

#include <fmt/format.h>

#include <span>

namespace fieldwarden::worker::mc {

namespace {

constexpr std::string_view kCheckRange =
    "check the address against the device settings of the PLC's parameters";
constexpr std::string_view kCheckCode =
    "check the option encoding against the communication data code of the PLC's port";
constexpr std::string_view kCheckFrame = "check the options frame, encoding and series";
constexpr std::string_view kCheckRoute = "check the options network, pc, module_io and station";
constexpr std::string_view kCheckLoad = "raise monitoring_timer_ms, or read less often";
constexpr std::string_view kCheckRunWrite =
    "allow online change (write during RUN) in the PLC's Ethernet settings, or put the CPU to STOP";

// The first row that fits counts.
constexpr EndCode kCodes[] = {
    {0x0050, 0x0050, Refusal::kSettings, "the subheader is unknown to the device", kCheckFrame},
    {0x0054, 0x0054, Refusal::kSettings, "ASCII that cannot be converted", kCheckCode},
    {0x0055, 0x0055, Refusal::kDenied, "writing while the CPU runs is not allowed", kCheckRunWrite},
    {0x4000, 0x4000, Refusal::kSettings, "checksum wrong", "check what lies between here and the PLC"},
    {0x4001, 0x4003, Refusal::kCommand, "the CPU does not support the command", kCheckFrame},
    {0x4004, 0x4006, Refusal::kBusy, "the CPU cannot process the request", "look at the CPU's diagnostics"},
    {0x4010, 0x4010, Refusal::kDenied, "not possible while the CPU runs", kCheckRunWrite},
    {0x4013, 0x4013, Refusal::kDenied, "not possible in this state of the CPU", kCheckRunWrite},
    {0x4021, 0x402F, Refusal::kDevice, "the drive or memory does not exist",
     "check that the file register is set in the PLC's parameters"},
    {0x4030, 0x4030, Refusal::kDevice, "the device cannot be accessed on this CPU",
     "use another device, or check the option series"},
    {0x4031, 0x4031, Refusal::kAddress, "the device number is out of range", kCheckRange},
    {0x4032, 0x4035, Refusal::kDevice, "the device cannot be qualified or read like this", kCheckRange},
    {0x4080, 0x4080, Refusal::kDevice, "the request's data does not fit the device", kCheckRange},
    {0x4000, 0x4FFF, Refusal::kDevice, "an error of the CPU",
     "look the code up in the error codes of the CPU's hardware manual"},
    {0xC050, 0xC050, Refusal::kSettings, "ASCII that cannot be converted", kCheckCode},
    {0xC051, 0xC054, Refusal::kAddress, "the number of points is out of range", "set max_words lower"},
    {0xC055, 0xC055, Refusal::kDevice, "the name or its length is wrong", kCheckFrame},
    {0xC056, 0xC056, Refusal::kAddress, "the request passes the last address", kCheckRange},
    {0xC057, 0xC058, Refusal::kSettings, "the length of the request does not fit its contents", kCheckFrame},
    {0xC059, 0xC059, Refusal::kCommand, "command or subcommand is not supported", kCheckFrame},
    {0xC05B, 0xC05B, Refusal::kDevice, "the CPU cannot read or write this device",
     "use another device, or check the option series"},
    {0xC05C, 0xC05C, Refusal::kDevice, "bit access to a word device, or a wrong request", kCheckFrame},
    {0xC05D, 0xC05D, Refusal::kCommand, "no monitor registration", kCheckFrame},
    {0xC05E, 0xC05E, Refusal::kBusy, "the monitoring timer ran out before the CPU answered", kCheckLoad},
    {0xC05F, 0xC05F, Refusal::kRoute, "the target cannot execute the request", kCheckRoute},
    {0xC060, 0xC060, Refusal::kDevice, "the data for bit devices is wrong", kCheckFrame},
    {0xC061, 0xC061, Refusal::kSettings, "the length of the request does not fit its data", kCheckFrame},
    {0xC06F, 0xC06F, Refusal::kSettings, "ASCII where binary is set, or the other way round", kCheckCode},
    {0xC070, 0xC070, Refusal::kDevice, "no device extension at this target", kCheckRoute},
    {0xC072, 0xC072, Refusal::kDevice, "a wrong request for this device", kCheckRange},
    {0xC0B2, 0xC0B5, Refusal::kBusy, "the module cannot process the data", "read less often"},
    {0xC200, 0xC200, Refusal::kDenied, "the remote password is wrong", "check the PLC's remote password"},
    {0xC201, 0xC204, Refusal::kDenied, "the port is locked by a remote password",
     "remove the remote password of this port in the PLC's settings"},
    {0xC810, 0xC816, Refusal::kDenied, "the remote password is locked or wrong",
     "remove the remote password of this port in the PLC's settings"},
    {0xCEE0, 0xCEE0, Refusal::kBusy, "the device is busy with another request",
     "read less often, or use fewer connections"},
    {0xCEE1, 0xCEE2, Refusal::kSettings, "the request or its answer is too long", "set max_words lower"},
    {0xCF10, 0xCF6F, Refusal::kRoute, "the network behind the device reports an error", kCheckRoute},
    {0xCF70, 0xCF70, Refusal::kRoute, "a station on the way cannot be reached", kCheckRoute},
    {0xCF71, 0xCF71, Refusal::kRoute, "a station on the way did not answer in time", kCheckRoute},
};

constexpr EndCode kUnknown{0, 0xFFFF, Refusal::kDevice, "a code this program does not know",
                           "look it up in the manual of the module that was asked"};

// Codes of 1E frames, FX3U-ENET 11.4.2.
constexpr EndCode kCodes1e[] = {
    {0x02, 0x02, Refusal::kAddress, "the range of devices is wrong", kCheckRange},
    {0x50, 0x50, Refusal::kCommand, "the command is unknown to the device", kCheckFrame},
    {0x54, 0x54, Refusal::kSettings, "ASCII that cannot be converted", kCheckCode},
    {0x55, 0x55, Refusal::kDenied, "writing while the CPU runs is not allowed", kCheckRunWrite},
    {0x56, 0x56, Refusal::kAddress, "the device does not exist", kCheckRange},
    {0x57, 0x57, Refusal::kAddress, "too many points, or they pass the last address", kCheckRange},
    {0x58, 0x58, Refusal::kAddress, "the head device is out of range or of the wrong kind", kCheckRange},
    {0x59, 0x59, Refusal::kDevice, "an extended register cannot be given", kCheckRange},
    {0x5B, 0x5B, Refusal::kRoute, "module and CPU cannot communicate", "look at the abnormal code"},
    {0x60, 0x60, Refusal::kBusy, "the monitoring timer ran out before the CPU answered", kCheckLoad},
};

// Behind completion code 5B, FX3U-ENET 11.4.3.
constexpr EndCode kAbnormal[] = {
    {0x10, 0x10, Refusal::kRoute, "the PC number does not exist", "set the option pc to 255"},
    {0x11, 0x11, Refusal::kBusy, "module and CPU cannot communicate", "check the CPU and its extension bus"},
    {0x12, 0x12, Refusal::kRoute, "the special module was given wrongly", kCheckRoute},
    {0x13, 0x13, Refusal::kDenied, "no such program step", kCheckRange},
    {0x18, 0x18, Refusal::kDenied, "not possible in this state of the CPU", kCheckRunWrite},
    {0x1F, 0x1F, Refusal::kDevice, "the device cannot be given", kCheckRange},
    {0x20, 0x20, Refusal::kRoute, "the CPU cannot be reached over the link", kCheckRoute},
    {0x21, 0x21, Refusal::kBusy, "the memory of the module cannot be accessed", "read less often"},
};

const EndCode& find(std::span<const EndCode> table, std::uint16_t code) {
    for (const auto& row : table) {
        if (code >= row.first && code <= row.last) return row;
    }
    return kUnknown;
}

}  // namespace

const EndCode& end_code(bool is_1e, std::uint16_t code, std::uint8_t abnormal) {
    if (!is_1e) return find(kCodes, code);
    if (code == 0x5B && abnormal != 0) return find(kAbnormal, abnormal);
    return find(kCodes1e, code);
}

std::string end_code_text(bool is_1e, std::uint16_t code, std::uint8_t abnormal) {
    const auto& row = end_code(is_1e, code, abnormal);
    auto number = is_1e ? fmt::format("{:02X}", code) : fmt::format("{:04X}", code);
    if (is_1e && code == 0x5B) number += fmt::format("/{:02X}", abnormal);
    return fmt::format("{} ({}); {}", number, row.meaning, row.check);
}

}  // namespace fieldwarden::worker::mc
