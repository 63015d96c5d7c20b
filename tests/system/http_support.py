"""A running server for the HTTP tests, and small helpers around its contract.

By default the gateway over fakes (build/<preset>/tests/gateway_test_server) is started on a port of its own. With
FIELDWARDEN_URL and FIELDWARDEN_TOKEN the tests talk to a server that runs already.
"""
import json
import os
import pathlib
import subprocess

import jsonschema
import pytest
import requests

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("FIELDWARDEN_BUILD", ROOT / "build" / "release"))
SERVER = BUILD / "tests" / "gateway_test_server"
METHODS = ("get", "post", "patch", "delete")
MAX_UPLOAD = 1 << 20


class Server:
    """Base URL and token of a server, with one connection pool."""

    def __init__(self, url: str, token: str):
        self.url = url
        self.token = token
        self.session = requests.Session()

    def call(self, method: str, path: str, token: str | None = "", **options) -> requests.Response:
        """One call. `token`: "" for the right one, None for none at all."""
        headers = dict(options.pop("headers", {}))
        if token is not None:
            headers["Authorization"] = f"Bearer {token or self.token}"
        options.setdefault("timeout", 30)
        return self.session.request(method.upper(), self.url + path, headers=headers, **options)

    def contract(self) -> dict:
        return self.call("get", "/openapi.json", token=None).json()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    if url := os.environ.get("FIELDWARDEN_URL"):
        yield Server(url.rstrip("/"), os.environ["FIELDWARDEN_TOKEN"])
        return
    if not SERVER.exists():
        pytest.fail(f"{SERVER} is missing; build the target gateway_test_server")
    process = subprocess.Popen(
        [SERVER, tmp_path_factory.mktemp("data"), str(MAX_UPLOAD)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        line = process.stdout.readline()
        assert line, "the server did not start"
        ready = json.loads(line)
        yield Server(f"http://127.0.0.1:{ready['port']}", ready["token"])
    finally:
        # The server serves until its input ends.
        process.stdin.close()
        try:
            status = process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
    assert status == 0, f"the server ended with {status}"


def operations(contract: dict):
    """(method, path, operation, parameters) of every operation of the contract."""
    for path, item in contract["paths"].items():
        for method in METHODS:
            if method in item:
                parameters = item.get("parameters", []) + item[method].get("parameters", [])
                yield method, path, item[method], [resolve(contract, each) for each in parameters]


def resolve(contract: dict, node: dict) -> dict:
    """Follows a $ref, once or more."""
    while "$ref" in node:
        target = contract
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        node = target
    return node


def is_websocket(operation: dict) -> bool:
    return "101" in operation["responses"]


def is_event_stream(operation: dict) -> bool:
    content = operation["responses"].get("200", {}).get("content", {})
    return "text/event-stream" in content


def check_problem(response: requests.Response) -> dict:
    """The response is a problem document that speaks of its own status."""
    assert response.headers["Content-Type"] == "application/problem+json", response.text[:300]
    body = response.json()
    assert body["status"] == response.status_code
    assert body["title"] and body["type"] and isinstance(body["detail"], str)
    for error in body.get("errors", []):
        assert set(error) == {"field", "code", "message", "value"}
    return body


def check_response(contract: dict, operation: dict, response: requests.Response) -> None:
    """The status is documented, and the body is what the contract says of that status."""
    status = str(response.status_code)
    assert status in operation["responses"], f"undocumented status {status}: {response.text[:300]}"
    documented = resolve(contract, operation["responses"][status])
    content = documented.get("content")
    if not content:
        assert not response.content
        return
    media = response.headers["Content-Type"].split(";")[0]
    assert media in content, f"undocumented media type {media}"
    if media.endswith("json"):
        validate(contract, content[media]["schema"], response.json())


def validate(contract: dict, schema: dict, value) -> None:
    # References point into the contract, so it is the document that they are resolved against.
    resolver = jsonschema.RefResolver.from_schema(contract)
    jsonschema.Draft202012Validator(schema, resolver=resolver).validate(value)
