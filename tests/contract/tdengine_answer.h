// Answers of the stand-in for TDengine as JSON (documentation: "REST API").
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "tests/contract/tdengine_values.h"

namespace fieldwarden::tdengine_stand_in {

inline nlohmann::json json_of(const Cell& cell) {
    return std::visit(
        [](const auto& value) -> nlohmann::json {
            if constexpr (std::is_same_v<std::decay_t<decltype(value)>, std::monostate>) {
                return nullptr;
            } else {
                return value;
            }
        },
        cell);
}

inline std::string success(const nlohmann::json& meta, const nlohmann::json& data) {
    return nlohmann::json{{"code", 0}, {"column_meta", meta}, {"data", data}, {"rows", data.size()}}.dump();
}

}  // namespace fieldwarden::tdengine_stand_in
