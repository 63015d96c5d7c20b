// proto/openapi.yaml as JSON text, built into the program.
#pragma once

#include <string_view>

namespace fieldwarden::supervisor::gateway {

std::string_view openapi_json();

}  // namespace fieldwarden::supervisor::gateway
