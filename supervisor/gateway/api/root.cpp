// The five at the root: liveness, readiness, metrics, the contract and the console, or a start page in a
// build without it.
#include <fmt/format.h>

#include "supervisor/gateway/api/handlers.h"
#include "supervisor/gateway/context.h"
#include "supervisor/gateway/metrics.h"
#include "supervisor/gateway/openapi.h"
#include "supervisor/gateway/problem.h"
#include "supervisor/gateway/static_files.h"

namespace fieldwarden::supervisor::gateway {

HttpResponse show_alive(const HttpRequest&, Context& context) {
    return json_response({{"status", "alive"}, {"version", context.services.version}});
}

HttpResponse show_ready(const HttpRequest&, Context& context) {
    const auto store = context.services.store.check();
    if (!store) {
        auto response = problem(503, fmt::format("the store does not answer: {}", store.error().message));
        response.headers.emplace_back("Retry-After", "2");
        return response;
    }
    return json_response({{"status", "ready"}, {"revision", context.services.control.plant()->revision}});
}

HttpResponse show_metrics(const HttpRequest&, Context& context) {
    HttpResponse response;
    response.content_type = "text/plain; version=0.0.4; charset=utf-8";
    response.body = context.metrics.text(context.services);
    return response;
}

HttpResponse show_openapi(const HttpRequest&, Context&) {
    HttpResponse response;
    response.body = openapi_json();
    return response;
}

HttpResponse show_start_page(const HttpRequest& request, Context& context) {
    if (has_console()) return serve_console(request);
    HttpResponse response;
    response.content_type = "text/html; charset=utf-8";
    response.headers.emplace_back(
        "Content-Security-Policy",
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'");
    response.body = fmt::format(R"(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Fieldwarden</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 42rem; margin: 3rem auto; padding: 0 1rem; color: #1c2733; }}
h1 {{ margin-bottom: 0; }}
code {{ background: #eef1f4; padding: .1rem .3rem; border-radius: .2rem; }}
li {{ margin: .4rem 0; }}
@media (prefers-color-scheme: dark) {{ body {{ background: #14191f; color: #dbe2ea; }} code {{ background: #242c35; }} a {{ color: #7db7ff; }} }}
</style>
</head>
<body>
<h1>Fieldwarden</h1>
<p>Industrial data acquisition, version {}. The supervisor is running. The web console is not in this build.</p>
<ul>
<li><a href="/openapi.json">/openapi.json</a>: every call of the HTTP interface under <code>/api/v1</code>. Calls carry
<code>Authorization: Bearer &lt;token&gt;</code>; the first token is in <code>admin.token</code> in the data directory.</li>
<li><a href="/healthz">/healthz</a> and <a href="/readyz">/readyz</a>: liveness and readiness.</li>
<li><a href="/metrics">/metrics</a>: figures for Prometheus.</li>
<li>On the command line: <code>fieldwarden status</code>, <code>fieldwarden top</code>, <code>fieldwarden import FILE</code>,
<code>fieldwarden --help</code>.</li>
</ul>
</body>
</html>
)",
                                context.services.version);
    return response;
}

}  // namespace fieldwarden::supervisor::gateway
