// Request targets and the headers that are taken apart by hand.
#include <array>
#include <cstdlib>
#include <string>

#include "supervisor/gateway/auth.h"
#include "supervisor/gateway/multipart.h"
#include "supervisor/gateway/representation.h"
#include "supervisor/gateway/router.h"
#include "supervisor/gateway/uri.h"

using namespace fieldwarden::supervisor::gateway;

namespace {

constexpr std::array kRoutes{
    Route{.method = Method::kGet, .pattern = "/"},
    Route{.method = Method::kPost, .pattern = "/api/v1/sessions/{id}"},
    Route{.method = Method::kGet, .pattern = "/api/v1/sessions/active"},
    Route{.method = Method::kGet, .pattern = "/api/v1/sessions/{id}/data-points"},
    Route{.method = Method::kGet, .pattern = "/api/v1/{kind}/{id}"},
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    static const Router kRouter(kRoutes);
    if (const auto target = parse_target(text)) {
        for (const auto& segment : target->segments) {
            if (segment.empty() || !valid_utf8(segment)) std::abort();
        }
        if (target->query.size() > kMostQueryParameters) std::abort();
        (void)kRouter.match("GET", target->segments);
    }
    HttpRequest request;
    request.headers["authorization"] = text;
    (void)bearer_token(request, false);
    (void)accepted_subprotocol(text);
    (void)origin_allowed(text, "localhost");
    (void)preferred_language(text, {"en", "zh"});
    (void)takes_gzip(text);
    if (!has_already("*", entity_tag(text)) || !has_already(entity_tag(text), entity_tag(text))) std::abort();
    (void)has_already(text, entity_tag("a page"));
    request.headers["cookie"] = text;
    (void)session_cookie(request);
    (void)multipart_boundary(text);
    (void)parse_part_header(text);
    return 0;
}
