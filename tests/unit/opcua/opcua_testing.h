// Small verbs for the tests of this folder.
#pragma once

#include <gtest/gtest.h>

#include "worker/drivers/opcua/binary.h"

namespace fieldwarden::worker::opcua {

// "01 05 01 04" → bytes.
inline Buffer from_hex(std::string_view text) {
    Buffer out;
    int high = -1;
    for (const char c : text) {
        if (c == ' ') continue;
        const int digit = c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
        if (high < 0) {
            high = digit;
        } else {
            out.push_back(static_cast<std::uint8_t>(high << 4 | digit));
            high = -1;
        }
    }
    return out;
}

// What `write` encodes.
template <class Write>
Buffer encoded(Write&& write) {
    Buffer out;
    Encoder encoder{out};
    write(encoder);
    return out;
}

inline Variant scalar(BuiltInType type, Value value) {
    Variant out;
    out.type = type;
    out.values = {std::move(value)};
    return out;
}

inline Variant array_of(BuiltInType type, std::vector<Value> values,
                        std::vector<std::uint32_t> dimensions = {}) {
    Variant out;
    out.type = type;
    out.is_array = true;
    out.values = std::move(values);
    out.dimensions = std::move(dimensions);
    return out;
}

}  // namespace fieldwarden::worker::opcua
