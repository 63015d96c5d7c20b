// One table per enumeration: its values and their names on every surface (JSON, workbook, wire, CLI).
// Specialise EnumNames<E> with `static constexpr std::array<EnumName<E>, N> table`; to_name and from_name
// follow.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace fieldwarden {

template <class E>
struct EnumName {
    E value;
    std::string_view name;
};

template <class E>
struct EnumNames;  // specialised beside each enumeration

template <class E>
constexpr std::string_view to_name(E value) {
    for (const auto& entry : EnumNames<E>::table) {
        if (entry.value == value) return entry.name;
    }
    return "?";
}

template <class E>
constexpr std::optional<E> from_name(std::string_view name) {
    for (const auto& entry : EnumNames<E>::table) {
        if (entry.name == name) return entry.value;
    }
    return std::nullopt;
}

// "bool, int16, uint16": for messages that say what would have been accepted.
template <class E>
std::string all_names() {
    std::string text;
    for (const auto& entry : EnumNames<E>::table) {
        if (!text.empty()) text += ", ";
        text += entry.name;
    }
    return text;
}

}  // namespace fieldwarden
