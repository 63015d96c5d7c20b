// What a PLC means by refusing: end codes of 3E and 4E frames, completion and abnormal codes of 1E frames.
// Sources: QCPU built-in Ethernet manual, section 5.1.4; QJ71E71-100 user's manual, section 16.6.1; FX3U-ENET
// user's manual, sections 11.4.2 and 11.4.3.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace fieldwarden::worker::mc {

// What a refusal says about the points of the request.
enum class Refusal : std::uint8_t {
    kAddress,   // one of them, or the number of them, is out of range: worth a search
    kDevice,    // none of them can be read like this
    kCommand,   // the device does not know the command
    kBusy,      // not now
    kRoute,     // the CPU that was asked cannot be reached over the device that answered
    kSettings,  // the request does not fit the settings of the PLC's port; every other one fares alike
    kDenied,    // writing is not allowed (now)
};

struct EndCode {
    std::uint16_t first;
    std::uint16_t last;
    Refusal kind;
    std::string_view meaning;
    std::string_view check;  // what to do about it
};

// `abnormal` only of 1E frames with code 5B. Always a row: unknown codes have one of their own.
const EndCode& end_code(bool is_1e, std::uint16_t code, std::uint8_t abnormal = 0);

// "C056 (the address is out of range); check …".
std::string end_code_text(bool is_1e, std::uint16_t code, std::uint8_t abnormal = 0);

}  // namespace fieldwarden::worker::mc
