// The control port's line protocol, as far as every protocol shares it. A command is one JSON object on one
// line; it names a device by its place among those of its protocol (0 is the first; without "device": all of
// them) and sets what it names; the rest stays.
//
//   {"device":0,"delay_ms":50}                     answers come this much later
//   {"device":0,"unplugged":true}                  closes every connection and refuses new ones; false: back
//   {"device":0,"drop":true}                       closes every connection once
//   {"device":0,"reply":"wrong_unit","times":3}    spoils the next answers (times 0 or absent: all of them);
//                                                  "after":2 lets two answers pass first
//   {"device":0,"clear":true}                      everything is well again (also plugged in)
//   {"device":0}                                   nothing; the answer tells the counters
//   {"protocol":"mc",…}                            of the MC devices; without: of the Modbus devices, or of
//                                                  the only protocol there is
//
// Answer: {"ok":true,"devices":[{"device":0,"port":…,"requests":…,"accepted":…,"connections":…}]} or
// {"ok":false,"error":"…"}. What else the devices of a protocol know is in its faults.h.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "common/result.h"
#include "tests/simulator/reply_faults.h"

namespace fieldwarden::simulator {

struct CommonCommand {
    std::optional<std::size_t> device;
    bool drop = false;
    bool clear = false;
    std::optional<std::chrono::milliseconds> delay;
    std::optional<bool> unplugged;
    std::optional<ReplyFault> reply;
    std::uint32_t after = 0;
    std::uint32_t times = 0;

    // `faults` is that of any protocol: with members delay, unplugged, reply, after and times.
    template <class Faults>
    void apply_common(Faults& faults) const {
        if (clear) faults = {};
        if (delay) faults.delay = *delay;
        if (unplugged) faults.unplugged = *unplugged;
        if (reply) {
            faults.reply = *reply;
            faults.after = after;
            faults.times = times;
        }
    }
};

// Takes the member `name` of a command. False: it is none of the common ones.
Result<bool> take_common(const std::string& name, const nlohmann::json& value, CommonCommand& command);

// The object of a command line, its members given to `take` one by one.
Status parse_line(std::string_view line,
                  const std::function<Status(const std::string& name, const nlohmann::json& value)>& take);

// A whole number from 0 to `most`.
Result<std::uint32_t> json_number(const nlohmann::json& value, std::string_view name, std::uint32_t most);

}  // namespace fieldwarden::simulator
