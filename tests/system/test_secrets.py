"""Secrets are planted everywhere a user may put one, used, and then looked for everywhere a user may look."""
import io
import pathlib
import sqlite3
import zipfile

import pytest
import requests

from harness import Workbook, alive, eventually
from http_support import is_event_stream, is_websocket, operations

# Each is found by its own name when it leaks.
CONFIGURED = {
    "password of a device": "plant1-dev-5e1f",
    "password of a device by hand": "plant2-dev-77ab",
    "token of a sink": "plant3-sink-91cd",
    "password in the URL of a sink": "plant4-url-20ef",
    "secret of an alert channel": "plant5-chan-3b3b",
}
LOGIN_PASSWORD = "plant6-user-8c8c-pass"


@pytest.fixture
def planted(supervisor, simulator, tmp_path):
    book = Workbook()
    book.device("D", simulator.ports[0])
    book.device("OPC", 1, protocol="opcua", address="opc.tcp://127.0.0.1:1",
                options=f"username=op; password={CONFIGURED['password of a device']}; reconnect_min_ms=50; reconnect_max_ms=200")
    book.point("COUNT", "D", "hr:0", "uint32").point("NODE", "OPC", "ns=2;s=a", "float64")
    book.add("sinks", sink_code="INFLUX", type="influxdb", url="http://127.0.0.1:1",
             options=f"org=o; bucket=b; token={CONFIGURED['token of a sink']}")
    book.add("sinks", sink_code="PG", type="postgres",
             url=f"postgresql://writer:{CONFIGURED['password in the URL of a sink']}@127.0.0.1:1/plant")
    book.task("T", "D", 50, sinks="INFLUX,PG").task("U", "OPC", 200)
    job = supervisor.import_workbook(book.save(tmp_path / "plant.xlsx"))
    supervisor.api("POST", "/devices", 201, json={
        "device_code": "OPC2", "device_name": "x", "site_code": "S1", "protocol": "opcua", "address": "opc.tcp://127.0.0.1:1",
        "options": {"username": "op", "password": CONFIGURED["password of a device by hand"]}})
    supervisor.api("POST", "/alert-channels", 201, json={
        "code": "hook", "type": "webhook", "options": {"url": "http://127.0.0.1:1", "secret": CONFIGURED["secret of an alert channel"]}})
    supervisor.api("POST", "/users", 201, json={
        "username": "chen", "password": LOGIN_PASSWORD, "role": "admin", "must_change_password": False})
    session = requests.Session()
    login = session.post(f"{supervisor.base}/api/v1/auth/login", json={"username": "chen", "password": LOGIN_PASSWORD}, timeout=30)
    assert login.status_code == 200
    csrf = login.json()["csrf_token"]
    token = session.post(f"{supervisor.base}/api/v1/tokens", json={"name": "scada", "role": "admin"},
                         headers={"X-CSRF-Token": csrf}, timeout=30).json()["token"]
    accounts = {"password of a user": LOGIN_PASSWORD, "API token": token, "session cookie": session.cookies["fieldwarden_session"]}
    for wrong in (LOGIN_PASSWORD + "x", "x"):
        assert session.post(f"{supervisor.base}/api/v1/auth/login", json={"username": "chen", "password": wrong}, timeout=30).status_code == 401
    assert requests.get(f"{supervisor.base}/api/v1/tasks", headers={"Authorization": f"Bearer {token}"}, timeout=30).status_code == 200
    assert requests.get(f"{supervisor.base}/api/v1/tasks", headers={"Authorization": f"Bearer {token}x"}, timeout=30).status_code == 401
    # Everything is used, and most of it fails with something to say.
    supervisor.start_task("T")
    supervisor.api("POST", "/tasks/U/start", 202)
    for path, body in (("/test-connection", {"device_code": "OPC"}), ("/test-connection", {"device_code": "OPC2"}),
                       ("/test-storage", {"sink_code": "INFLUX"}), ("/test-storage", {"sink_code": "PG"}),
                       ("/alert-channels/hook/test", None)):
        supervisor.call("POST", path, json=body)
    for path, body in (("/devices/OPC", {"description": "changed"}), ("/sinks/PG", {"description": "changed"}),
                       ("/devices/OPC2", {"options": {"password": "********", "username": "other"}})):
        supervisor.call("PATCH", path, json=body)
    eventually(lambda: any("OPC" in item["message"] or "127.0.0.1:1" in item["message"] for item in supervisor.get("/tasks/U/logs", params={"limit": 1000})["items"]),
               "the device that is not there, in the log")
    return supervisor, job, {**CONFIGURED, **accounts}, accounts


def leaks(text, secrets):
    data = text if isinstance(text, bytes) else text.encode()
    return [name for name, secret in secrets.items() if secret.encode() in data]


def test_no_answer_of_the_api_shows_a_secret(planted):
    supervisor, job, secrets, accounts = planted
    session = next(item["id"] if "id" in item else item["session_id"] for item in supervisor.get("/sessions")["items"])
    contract = requests.get(f"{supervisor.base}/openapi.json", timeout=30).json()
    values = {"sites": "S1", "device-types": "T1", "tasks": "T", "sinks": "PG", "alert-channels": "hook", "users": "chen"}
    asked = 0
    for method, path, operation, _ in operations(contract):
        if method != "get" or is_websocket(operation) or is_event_stream(operation):
            continue
        targets = [path.replace("{task_code}", "T")]
        if "{id}" in path:
            kind = path.split("/")[3]
            ids = {"devices": ["D", "OPC", "OPC2"], "sinks": ["INFLUX", "PG"], "tasks": ["T", "U"], "points": ["COUNT", "NODE"],
                   "sessions": [session], "import-jobs": [job["id"]]}.get(kind, [values.get(kind, 1)])
            targets = [path.replace("{id}", str(each)) for each in ids]
        for target in targets:
            answer = supervisor.http.get(supervisor.base + target, params={"device_code": "OPC"} if target.endswith("/history") else {}, timeout=60)
            assert answer.status_code < 500 or target.endswith("/browse"), f"{target}: {answer.status_code}"  # nobody answers there
            assert not leaks(answer.content, secrets), target
            assert not leaks(str(answer.headers), secrets), target
            asked += answer.status_code == 200
    assert asked > 40, asked
    for query in ("/audit?page_size=1000", "/logs?limit=1000", "/events?after=0&limit=10000", "/tasks/U/logs?limit=1000"):
        assert not leaks(supervisor.call("GET", query).content, secrets), query


def test_no_workbook_shows_a_secret(planted):
    supervisor, _, secrets, _ = planted
    for path in ("/export", "/import-jobs/template"):
        book = zipfile.ZipFile(io.BytesIO(supervisor.call("GET", path).content))
        text = b"".join(book.read(name) for name in book.namelist())
        assert not leaks(text, secrets), path


def test_no_file_shows_a_secret(planted):
    supervisor, _, secrets, accounts = planted
    # What was configured is in the store, which has to know it and is its owner's alone; nothing of it is elsewhere.
    store = supervisor.data_dir / "state.db"
    assert store.stat().st_mode & 0o077 == 0
    for path in supervisor.data_dir.rglob("*"):
        if not path.is_file():
            continue
        wanted = accounts if path.name.startswith("state.db") else secrets
        assert not leaks(path.read_bytes(), wanted), path
    # The console's CSRF tokens are worth nothing without the cookie; the hashes must not be the secrets themselves.
    with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as database:
        assert database.execute("SELECT count(*) FROM users WHERE password_hash LIKE '$argon2id$%'").fetchone()[0] == 2
        assert database.execute("SELECT count(*) FROM api_tokens WHERE length(secret_hash) = 64").fetchone()[0] == 1
    database.close()


def test_no_process_shows_a_secret(planted):
    supervisor, _, secrets, _ = planted
    pids = [supervisor.pid] + [supervisor.status(task)["pid"] for task in ("T", "U")]
    looked = 0
    for pid in pids:
        if not pid or not alive(pid):
            continue
        for name in ("cmdline", "environ"):
            assert not leaks(pathlib.Path(f"/proc/{pid}/{name}").read_bytes(), secrets), f"{name} of {pid}"
        looked += 1
    assert looked >= 2


def test_no_output_of_the_command_line_shows_a_secret(planted, tmp_path):
    supervisor, _, secrets, _ = planted
    export = tmp_path / "export.xlsx"
    for arguments in (("status",), ("status", "T"), ("sessions",), ("health",), ("alerts", "--state", "all"), ("logs", "--all", "--limit", "1000"),
                      ("logs", "U", "--limit", "1000"), ("test-connection", "OPC"), ("test-storage", "PG"), ("test-storage", "INFLUX"),
                      ("diagnostics", "OPC"), ("dead-letters",), ("audit", "--limit", "1000"), ("audit", "verify"), ("user", "list"),
                      ("token", "list"), ("points", "T"), ("export", str(export))):
        for more in ((), ("--json",)):
            done = supervisor.cli(*arguments, *more, check=False)
            assert not leaks(done.stdout + done.stderr, secrets), arguments
    assert export.exists()
    assert not leaks(supervisor.http.get(supervisor.base + "/metrics", timeout=30).content, secrets)
    assert not leaks(supervisor.said(), secrets), "the journal"
