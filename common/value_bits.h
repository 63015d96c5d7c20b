// A value without its text in eight bytes and the position of its type: for tables that keep one per point,
// where a variant takes forty.
#pragma once

#include <bit>
#include <cstdint>
#include <type_traits>

#include "common/sample.h"

namespace fieldwarden {

inline bool is_text(const Value& value) {
    return std::holds_alternative<std::string>(value);
}

// 0 for a text and for no value.
inline std::uint64_t bits_of(const Value& value) {
    return std::visit(
        [](const auto& held) -> std::uint64_t {
            using T = std::decay_t<decltype(held)>;
            if constexpr (std::is_same_v<T, double>) return std::bit_cast<std::uint64_t>(held);
            if constexpr (std::is_integral_v<T>) return static_cast<std::uint64_t>(held);
            return 0;
        },
        value);
}

// The value with `index() == kind` and these bits; no value for that of a text.
template <std::size_t Kind = 0>
Value value_of(std::size_t kind, std::uint64_t bits) {
    if constexpr (Kind < std::variant_size_v<Value>) {
        if (kind != Kind) return value_of<Kind + 1>(kind, bits);
        using T = std::variant_alternative_t<Kind, Value>;
        if constexpr (std::is_same_v<T, double>) {
            return std::bit_cast<double>(bits);
        } else if constexpr (std::is_same_v<T, bool>) {
            return bits != 0;
        } else if constexpr (std::is_integral_v<T>) {
            return static_cast<T>(bits);
        }
    }
    return {};
}

}  // namespace fieldwarden
