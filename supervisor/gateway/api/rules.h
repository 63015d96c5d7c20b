// What configuration this server takes, in the language of the request.
#pragma once

#include "supervisor/gateway/context.h"
#include "supervisor/gateway/http.h"
#include "supervisor/workbook/workbook.h"

namespace fieldwarden::supervisor::gateway {

ValidationRules validation_rules(const HttpRequest& request, Context& context, ImportMode mode);

}  // namespace fieldwarden::supervisor::gateway
