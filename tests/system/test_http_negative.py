"""Nonsense for every operation of the contract: never a 5xx, always a problem document, and the server lives on."""
import socket

import pytest
import requests

from http_support import (  # noqa: F401
    MAX_UPLOAD,
    check_problem,
    is_event_stream,
    is_websocket,
    operations,
    resolve,
    server,
)

NONSENSE_IDS = ("0", "-1", "99999999999999999999", "none", "%00", "%FF", "a%2Fb", "..", "%2e%2e", "x" * 500, "站点", "'%20OR%201=1", "%")
WRONG_BODIES = (
    b"",
    b"{",
    b"null",
    b"[]",
    b'"text"',
    b"12",
    b'{"a": "\xff\xfe"}',
    b"[" * 100_000,
    b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
    b'{"a": 1e999}',
    b'{"a": NaN}',
    b'{"a": "' + b"x" * 500_000 + b'"}',
    b'{"' + b"x" * 100_000 + b'": 1}',
    b"\x00" * 1_000,
    b'{"\\u0000": "\\ud800"}',
)
WRONG_VALUES = (None, True, -1, 0, 1.5, 1e308, 2**63, 2**64, "", "x" * 5_000, "\u0000", "站" * 2_000, [], [[]], [None], {}, {"a": {"b": 1}})


@pytest.fixture(scope="module")
def contract(server):  # noqa: F811
    return server.contract()


def refused(response) -> None:
    """Not served, not broken: a problem document of the 400s."""
    assert 400 <= response.status_code < 500, f"{response.request.method} {response.request.url}: {response.status_code} {response.text[:300]}"
    check_problem(response)


def survived(response) -> None:
    """Served or refused, but not broken."""
    assert response.status_code < 500, f"{response.request.method} {response.request.url}: {response.status_code} {response.text[:300]}"
    if response.status_code >= 400:
        check_problem(response)


def plain_operations(contract):
    for method, path, operation, parameters in operations(contract):
        if not is_websocket(operation) and not is_event_stream(operation):
            yield method, path, operation, parameters


def filled(path: str, value: str) -> str:
    return path.replace("{id}", value).replace("{task_code}", value)


def test_unknown_ids(server, contract):  # noqa: F811
    for method, path, operation, _ in operations(contract):
        if "{" not in path or is_websocket(operation):
            continue
        options = {"json": {"description": "x"}} if "requestBody" in operation else {}
        for value in NONSENSE_IDS:
            # A client library would tidy the path up.
            refused(raw_call(server, method, filled(path, value), **options))


def raw_call(server, method, path, **options):  # noqa: F811
    request = requests.Request(method.upper(), server.url, headers={"Authorization": f"Bearer {server.token}"}, **options)
    prepared = server.session.prepare_request(request)
    prepared.url = server.url + path.encode("utf-8").decode("latin-1")
    return server.session.send(prepared, timeout=30)


def test_wrong_methods(server, contract):  # noqa: F811
    for path in contract["paths"]:
        for method in ("put", "trace", "lock", "x" * 30):
            response = server.call(method, filled(path, "1"))
            assert response.status_code == 405, f"{method} {path}: {response.status_code}"
            check_problem(response)
            assert "OPTIONS" in response.headers["Allow"]


def test_wrong_bodies(server, contract):  # noqa: F811
    for method, path, operation, _ in plain_operations(contract):
        if "requestBody" not in operation:
            continue
        for body in WRONG_BODIES:
            if not body and not operation["requestBody"].get("required", False):
                continue  # none is as good as one
            for media in ("application/json", "text/plain", "multipart/form-data; boundary=x", ""):
                response = server.call(method, filled(path, "1"), data=body, headers={"Content-Type": media})
                refused(response)


def test_bodies_where_none_belongs(server, contract):  # noqa: F811
    for method, path, operation, _ in plain_operations(contract):
        if "requestBody" in operation or method == "delete":
            continue
        for body in (b"{", b"\xff" * 1000):
            survived(server.call(method, filled(path, "none"), data=body))


def test_huge_bodies(server, contract):  # noqa: F811
    for method, path, operation, _ in plain_operations(contract):
        if method == "get":
            continue
        upload = "multipart/form-data" in operation.get("requestBody", {}).get("content", {})
        size = MAX_UPLOAD + (1 << 20)
        media = "multipart/form-data; boundary=x" if upload else "application/json"
        response = server.call(method, filled(path, "none"), data=b" " * size, headers={"Content-Type": media})
        assert response.status_code == 413, f"{method} {path}: {response.status_code}"
        check_problem(response)


def test_wrong_values_for_every_member(server, contract):  # noqa: F811
    for method, path, operation, _ in plain_operations(contract):
        content = operation.get("requestBody", {}).get("content", {})
        if "application/json" not in content:
            continue
        schema = resolve(contract, content["application/json"]["schema"])
        for member in list(schema["properties"]) + ["unknown_member", "id", ""]:
            for value in WRONG_VALUES:
                survived(server.call(method, filled(path, "none"), json={member: value}))
        # Each member wrong at once, so that every message is built.
        refused(server.call(method, filled(path, "1"), json={member: {"a": []} for member in schema["properties"]}))


def test_missing_members(server, contract):  # noqa: F811
    for method, path, operation, _ in plain_operations(contract):
        content = operation.get("requestBody", {}).get("content", {})
        if "application/json" not in content or method == "patch" or not operation["requestBody"].get("required", False):
            continue
        response = server.call(method, path, json={})
        assert response.status_code == 422, f"{method} {path}: {response.status_code}"
        assert check_problem(response)["errors"]


def test_wrong_parameters(server, contract):  # noqa: F811
    for method, path, operation, parameters in plain_operations(contract):
        for parameter in parameters:
            if parameter["in"] != "query":
                continue
            for value in ("", "-1", "0", "1.5", "x", "99999999999999999999", "\u0000", "站" * 100, "a" * 5_000, "2026-13-40T00:00:00Z"):
                survived(server.call(method, filled(path, "1"), params={parameter["name"]: value}))
        survived(server.call(method, filled(path, "1"), params={"unknown": "1"}))


def test_query_strings_that_are_none(server):  # noqa: F811
    for query in ("?%", "?%zz", "?a=%ff", "?a=%00", "?" + "a=1&" * 100, "?&&&==&", "?" + "x" * 15_000):
        survived(raw_call(server, "get", "/api/v1/sites" + query))


UPLOADS = (
    (b"", "multipart/form-data"),
    (b"", "multipart/form-data; boundary="),
    (b"", "multipart/form-data; boundary=x"),
    (b"--x--", "multipart/form-data; boundary=x"),
    (b"--x\r\n", "multipart/form-data; boundary=x"),
    (b"--x\r\n\r\n\r\n--x--", "multipart/form-data; boundary=x"),
    (b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\nnot a file\r\n--x--', "multipart/form-data; boundary=x"),
    (b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.xlsx"\r\n\r\ncut', "multipart/form-data; boundary=x"),
    (b'--x\r\nContent-Disposition: form-data; name="file"; filename="\xff.xlsx"\r\n\r\na\r\n--x--', "multipart/form-data; boundary=x"),
    (b"--x\r\nContent-Disposition: " + b"a" * 50_000, "multipart/form-data; boundary=x"),
    (b'--x\r\nContent-Disposition: form-data; name="m"\r\n\r\nv\r\n' * 100 + b"--x--", "multipart/form-data; boundary=x"),
    (b"a,b\n1,2\n", "text/csv"),
    (b"PK\x03\x04" + b"\x00" * 100, "application/zip"),
)


def test_uploads_that_are_none(server):  # noqa: F811
    for body, media in UPLOADS:
        refused(server.call("post", "/api/v1/import-jobs", data=body, headers={"Content-Type": media}))


FILES = (
    ("empty.xlsx", b""),
    ("text.xlsx", b"hello"),
    ("zip.xlsx", b"PK\x03\x04" + b"\x00" * 200),
    ("ole.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 2_000),
    ("../../../etc/passwd", b"site_code,site_name\nA,B\n"),
    ("sites.csv", b"\xff\xfe\x00\x00"),
    ("sites.csv", b"site_code,site_name\n" + b'"' * 10_000),
    ("sites.csv", b"," * 100_000),
    ("x" * 3_000 + ".csv", b"a\n"),
    ("站点.csv", "站点编码,站点名称\nA,B\n".encode()),
)


@pytest.mark.parametrize("name,content", FILES, ids=[name[:20] for name, _ in FILES])
def test_files_that_are_no_workbook(server, name, content):  # noqa: F811
    survived(server.call("post", "/api/v1/import-jobs", files={"file": (name, content)}))


def test_bytes_that_are_no_http(server):  # noqa: F811
    host, port = server.url.removeprefix("http://").split(":")
    for garbage in (
        b"\r\n\r\n",
        b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" + b"\x00" * 100,
        b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        b"POST /api/v1/sites HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 5_000 + b"\r\n",
        b"GET / HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        b"GET /ws HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 99\r\n"
        b"Authorization: Bearer " + server.token.encode() + b"\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\xff" * 100_000,
    ):
        with socket.create_connection((host, int(port)), timeout=30) as raw:
            try:
                raw.sendall(garbage)
                raw.shutdown(socket.SHUT_WR)
                answer = b""
                while chunk := raw.recv(65536):
                    answer += chunk
            except (ConnectionResetError, BrokenPipeError):
                answer = b""
            assert not answer or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 2", b"HTTP/1.0 2")), answer[:100]
    assert server.call("get", "/healthz").status_code == 200


def test_the_server_is_as_before(server):  # noqa: F811
    """After all of that: alive, ready, and not one record came of it."""
    assert server.call("get", "/readyz").json()["status"] == "ready"
    for kind in ("sites", "device-types", "devices", "points", "sinks", "tasks"):
        items = server.call("get", f"/api/v1/{kind}", params={"page_size": 1000}).json()["items"]
        assert not [each for each in items if "x" * 10 in str(each) or "站" in str(each)], kind
    assert server.call("get", "/api/v1/import-jobs").status_code == 200
