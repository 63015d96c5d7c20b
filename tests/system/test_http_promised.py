"""What clients were promised, row by row, is in the contract that is served (proto/openapi.yaml, which test_http_contract.py holds
against every answer): a path, a method or a parameter that clients rely on cannot go with a change of that file alone."""
import pytest

from http_support import resolve, server  # noqa: F401

BASE = "/api/v1"
RECORDS = ("sites", "device-types", "devices", "points", "tasks", "sinks")
# Methods, path, query parameters.
PROMISED = [
    ("GET POST", "/import-jobs", ""),
    ("GET", "/import-jobs/{id}", ""),
    ("GET", "/import-jobs/{id}/diff", ""),
    ("POST", "/import-jobs/{id}/apply", ""),
    ("GET", "/import-jobs/template", "lang"),
    ("GET", "/export", "lang"),
    *[("GET POST", f"/{kind}", "page page_size q sort") for kind in RECORDS],
    *[("GET PATCH DELETE", f"/{kind}/{{id}}", "") for kind in RECORDS],
    *[("POST", f"/tasks/{{id}}/{action}", "") for action in ("start", "stop", "pause", "resume", "restart", "acquire_once")],
    ("POST", "/tasks/actions", ""),
    ("GET", "/tasks/{id}/progress", ""),
    ("GET", "/tasks/{id}/logs", "limit level log_type execution_phase since q"),
    ("GET", "/tasks/{id}/stream", ""),
    ("POST", "/sessions/start_task", ""),
    *[("POST", f"/sessions/{{id}}/{action}", "") for action in ("stop", "pause", "resume")],
    ("GET", "/sessions", "page page_size q sort"),
    ("GET", "/sessions/active", ""),
    ("GET", "/sessions/{id}", ""),
    ("GET", "/sessions/{id}/status", ""),
    ("GET", "/sessions/{id}/data-points", "point_code start end limit order agg interval"),
    ("GET", "/sessions/{id}/timeline", ""),
    ("POST", "/test-connection", ""),
    ("POST", "/test-storage", ""),
    ("GET", "/processes", "page page_size q sort"),
    ("GET", "/processes/{task_code}", ""),
    ("GET", "/processes/{task_code}/health", ""),
    ("GET", "/health", ""),
    ("GET", "/alerts", "page page_size q sort"),
    ("POST", "/alerts/{id}/ack", ""),
    ("GET POST", "/alert-rules", ""),
    ("PATCH DELETE", "/alert-rules/{id}", ""),
    ("GET", "/device/realtime-data", "type_code page page_size q use_dynamic_fields"),
    ("GET", "/device/data/realtime", "type_code page page_size q use_dynamic_fields"),
    ("GET", "/device/realtime-data/ws", "type_code"),
    ("GET", "/device/statistics", "type_code device_code day"),
    ("GET DELETE", "/dead-letters", ""),
    ("POST", "/dead-letters/retry", ""),
    ("GET", "/events", "after"),
    ("GET", "/audit", "page page_size q sort"),
    ("POST", "/auth/login", ""),
    ("POST", "/auth/logout", ""),
    ("GET", "/auth/me", ""),
    ("GET POST", "/users", ""),
    ("PATCH DELETE", "/users/{id}", ""),
    ("GET POST", "/tokens", ""),
    ("DELETE", "/tokens/{id}", ""),
]
AT_THE_ROOT = [("/healthz", ""), ("/readyz", ""), ("/metrics", ""), ("/openapi.json", ""), ("/", ""), ("/ws", ""),
               ("/ws/acquisition/sessions/{id}", "batch"), ("/ws/processor-status", "")]


@pytest.fixture(scope="module")
def paths(server):  # noqa: F811
    return server.call("get", "/openapi.json").json()["paths"]


@pytest.mark.parametrize("methods,path,parameters", [(m, BASE + p, q) for m, p, q in PROMISED] + [("GET", p, q) for p, q in AT_THE_ROOT])
def test_is_in_the_contract(paths, methods, path, parameters):
    assert path in paths, path
    for method in methods.lower().split():
        assert method in paths[path], f"{method} {path}"
    known = {each.get("name", each.get("$ref", "").rpartition("/")[2])
             for each in paths[path].get("parameters", []) + paths[path].get("get", {}).get("parameters", [])}
    assert set(parameters.split()) <= known, f"{path} takes {known}"


# Method, path, statuses that clients are told to expect, besides 400, 401, 403 and 429 of every call.
ANSWERS = [
    ("post", "/import-jobs", "201 413 422"),
    ("get", "/import-jobs/{id}", "200 404"),
    ("post", "/import-jobs/{id}/apply", "200 404 409"),
    *[("get", f"/{kind}", "200") for kind in RECORDS],
    *[("post", f"/{kind}", "201 409 413 422") for kind in RECORDS],
    *[("get", f"/{kind}/{{id}}", "200 404") for kind in RECORDS],
    *[("patch", f"/{kind}/{{id}}", "200 404 409 422") for kind in RECORDS],
    *[("delete", f"/{kind}/{{id}}", "204 404 409") for kind in RECORDS],
    *[("post", f"/tasks/{{id}}/{action}", "202 404 409") for action in ("start", "stop", "pause", "resume", "restart")],
    ("post", "/tasks/{id}/acquire_once", "200 404 409"),
    ("post", "/sessions/start_task", "202 404 409 422"),
    *[("post", f"/sessions/{{id}}/{action}", "202 404 409") for action in ("stop", "pause", "resume")],
    ("post", "/test-connection", "200 422"),
    ("post", "/test-storage", "200 422"),
    ("get", "/events", "200 410"),
]


@pytest.mark.parametrize("method,path,statuses", ANSWERS)
def test_answers_are_in_the_contract(paths, method, path, statuses):
    documented = paths[BASE + path][method]["responses"].keys()
    assert {*statuses.split(), "400", "401", "403", "429"} <= documented, f"{method} {path} answers {sorted(documented)}"


def test_headers_and_fields_are_in_the_contract(server, paths):  # noqa: F811
    contract = server.call("get", "/openapi.json").json()

    def resolved(node):
        return resolve(contract, node)

    stream = paths[BASE + "/tasks/{id}/stream"]
    named = [resolved(each) for each in stream.get("parameters", []) + stream["get"].get("parameters", [])]
    assert ("Last-Event-ID", "header") in {(each["name"], each["in"]) for each in named}
    for path, item in paths.items():
        for method in ("get", "post", "patch", "delete"):
            for status in {"429", "503"} & item.get(method, {}).get("responses", {}).keys():
                assert "Retry-After" in resolved(item[method]["responses"][status])["headers"], f"{method} {path} {status}"
    upload = paths[BASE + "/import-jobs"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    fields = resolved(upload)["properties"]
    assert "file" in fields and set(resolved(fields["mode"])["enum"]) == {"merge", "replace"}
