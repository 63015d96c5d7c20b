"""What clients were promised, row by row, is in the contract that is served (proto/openapi.yaml, which test_http_contract.py holds
against every answer): a path, a method or a parameter that clients rely on cannot go with a change of that file alone."""
import pytest

from http_support import server  # noqa: F401

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
