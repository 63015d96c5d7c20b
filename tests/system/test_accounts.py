"""Accounts of the real program: the first password, the forced change, roles over every route, tokens, restarts."""
import re
import socket
import sqlite3
import subprocess
import threading

import pytest
import requests

from harness import BIN, counter_plant, eventually
from http_support import METHODS, is_event_stream, is_websocket

FIRST = re.compile(r"sign in as 'admin' with the one-time password (\S+) ")
PASSWORD = "a long password"
ROLES = ("viewer", "operator", "admin")


class Browser:
    """A signed-in page: cookie jar and CSRF token."""

    def __init__(self, base):
        self.base = base
        self.session = requests.Session()
        self.csrf = ""

    def login(self, username, password, expect=200):
        answer = self.session.post(f"{self.base}/api/v1/auth/login", json={"username": username, "password": password}, timeout=30)
        assert answer.status_code == expect, answer.text
        if expect == 200:
            self.csrf = answer.json()["csrf_token"]
        return answer

    def call(self, method, path, csrf=None, **options):
        headers = {"X-CSRF-Token": self.csrf if csrf is None else csrf}
        return self.session.request(method, f"{self.base}/api/v1{path}", headers=headers, timeout=60, **options)


def first_password(supervisor):
    return FIRST.findall(supervisor.said())[0]


def add_user(supervisor, name, role, **more):
    supervisor.api("POST", "/users", 201, json={"username": name, "password": PASSWORD, "role": role, "must_change_password": False, **more})


def signed_in(supervisor, name, password=PASSWORD):
    browser = Browser(supervisor.base)
    browser.login(name, password)
    return browser


def bearer(supervisor, token, path="/tasks", method="GET"):
    return requests.request(method, f"{supervisor.base}/api/v1{path}", headers={"Authorization": f"Bearer {token}"}, timeout=30)


def test_the_first_password_is_printed_once_and_kept_nowhere(supervisor):
    password = first_password(supervisor)
    supervisor.stop()
    supervisor.start()
    assert len(FIRST.findall(supervisor.said())) == 1
    for path in supervisor.data_dir.rglob("*"):
        if path.is_file() and path.name != "supervisor.out":
            assert password.encode() not in path.read_bytes(), path
    admin = signed_in(supervisor, "admin", password)
    assert admin.call("GET", "/auth/me").json()["must_change_password"] is True


def test_the_first_password_must_be_changed(supervisor):
    password = first_password(supervisor)
    admin = signed_in(supervisor, "admin", password)
    other = signed_in(supervisor, "admin", password)
    refused = admin.call("GET", "/tasks")
    assert refused.status_code == 403
    assert refused.json()["type"].endswith("password-change-required")
    assert admin.call("POST", "/auth/password", csrf="", json={"current_password": password, "new_password": PASSWORD}).status_code == 403
    assert admin.call("POST", "/auth/password", json={"current_password": password, "new_password": "short"}).status_code == 422
    assert admin.call("POST", "/auth/password", json={"current_password": password, "new_password": PASSWORD}).status_code == 204
    assert admin.call("GET", "/tasks").status_code == 200
    assert other.call("GET", "/auth/me").status_code == 401, "the other session has ended"
    Browser(supervisor.base).login("admin", password, expect=401)
    cookie = admin.session.cookies.get("fieldwarden_session")
    assert admin.call("POST", "/auth/logout").status_code == 204
    again = requests.get(f"{supervisor.base}/api/v1/auth/me", cookies={"fieldwarden_session": cookie}, timeout=30)
    assert again.status_code == 401, "signing out ends the session, not only the cookie"


@pytest.mark.parametrize("by", ["cookie", "token"])
def test_every_route_takes_the_role_it_says(supervisor, by):
    contract = requests.get(f"{supervisor.base}/openapi.json", timeout=30).json()
    callers = {}
    for role in ROLES:
        add_user(supervisor, role + "1", role)
        if by == "cookie":
            callers[role] = signed_in(supervisor, role + "1").call
        else:
            secret = supervisor.api("POST", "/tokens", 201, json={"name": "t", "role": role, "username": role + "1"})["token"]
            callers[role] = lambda method, path, secret=secret, **more: requests.request(
                method, f"{supervisor.base}/api/v1{path}", headers={"Authorization": f"Bearer {secret}"}, timeout=60, **more)
    seen = 0
    for path, item in contract["paths"].items():
        for method in METHODS:
            operation = item.get(method)
            # What exists only as "none" is refused for that reason once the role is right.
            if operation is None or "x-role" not in operation or not path.startswith("/api/v1") or is_websocket(operation):
                continue
            if operation["operationId"] in ("signOut", "clearDeadLetters"):
                continue
            target = path.removeprefix("/api/v1").replace("{id}", "none").replace("{task_code}", "none")
            needed = ROLES.index(operation["x-role"])
            nobody = requests.request(method, f"{supervisor.base}/api/v1{target}", timeout=30)
            assert nobody.status_code == 401, f"{method} {path} by nobody: {nobody.status_code}"
            for index, role in enumerate(ROLES):
                options = {"stream": True} if is_event_stream(operation) else {}
                with callers[role](method, target, **options) as answer:
                    if index < needed:
                        assert answer.status_code == 403, f"{method} {path} by {role}: {answer.status_code}"
                    else:
                        assert answer.status_code not in (401, 403), f"{method} {path} by {role}: {answer.status_code} {answer.text[:300]}"
                seen += 1
    assert seen > 200, seen
    if by == "cookie":
        for path, item in contract["paths"].items():
            for method in ("post", "patch", "delete"):
                if method in item and "x-role" in item[method] and path.startswith("/api/v1"):
                    target = path.removeprefix("/api/v1").replace("{id}", "none")
                    for wrong in ("", "wrong"):
                        assert callers["admin"](method, target, csrf=wrong).status_code == 403, f"{method} {path} without CSRF token"


def test_a_change_by_an_administrator_counts_at_once(supervisor):
    add_user(supervisor, "chen", "operator")
    chen = signed_in(supervisor, "chen")
    token = supervisor.api("POST", "/tokens", 201, json={"name": "a", "role": "operator", "username": "chen"})["token"]
    assert chen.call("POST", "/tasks/none/start").status_code == 404
    supervisor.api("PATCH", "/users/chen", 200, json={"role": "viewer"})
    assert chen.call("POST", "/tasks/none/start").status_code == 403
    assert bearer(supervisor, token, "/tasks/none/start", "POST").status_code == 403
    supervisor.api("PATCH", "/users/chen", 200, json={"disabled": True})
    assert chen.call("GET", "/tasks").status_code == 401
    assert bearer(supervisor, token).status_code == 401
    Browser(supervisor.base).login("chen", PASSWORD, expect=401)
    for change in ({"disabled": True}, {"role": "operator"}):
        supervisor.api("PATCH", "/users/admin", 409, json=change)
    supervisor.api("DELETE", "/users/admin", 409)


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_restart_keeps_tokens_and_sessions(supervisor, end):
    add_user(supervisor, "chen", "operator")
    chen = signed_in(supervisor, "chen")
    made = supervisor.api("POST", "/tokens", 201, json={"name": "a", "role": "viewer", "username": "chen", "expires_in_days": 1})
    gone = supervisor.api("POST", "/tokens", 201, json={"name": "b", "role": "viewer", "username": "chen"})
    supervisor.api("DELETE", f"/tokens/{gone['id']}", 204)
    getattr(supervisor, end)()
    supervisor.start()
    chen.base = supervisor.base
    assert chen.call("GET", "/auth/me").json()["username"] == "chen"
    assert chen.call("POST", "/tasks/none/start").status_code == 404, "the CSRF token is kept too"
    assert bearer(supervisor, made["token"]).status_code == 200
    assert bearer(supervisor, gone["token"]).status_code == 401


def test_an_expired_token_or_session_is_none(supervisor):
    add_user(supervisor, "chen", "operator")
    chen = signed_in(supervisor, "chen")
    made = supervisor.api("POST", "/tokens", 201, json={"name": "a", "role": "viewer", "username": "chen", "expires_in_days": 1})
    supervisor.stop()
    # The clock cannot be moved here, so what is stored is.
    with sqlite3.connect(supervisor.data_dir / "state.db") as database:
        database.execute("UPDATE api_tokens SET expires_at = 1")
        database.execute("UPDATE web_sessions SET expires_at = 1")
    database.close()
    supervisor.start()
    chen.base = supervisor.base
    assert chen.call("GET", "/auth/me").status_code == 401
    assert bearer(supervisor, made["token"]).status_code == 401


def test_a_flood_of_sign_ins_harms_nobody(supervisor):
    """Two hashes at a time: memory stays bounded, others are answered, and the flood is told to wait."""
    add_user(supervisor, "chen", "operator")
    statuses = []

    def guess(number):
        for attempt in range(10):
            answer = requests.post(f"{supervisor.base}/api/v1/auth/login", timeout=60,
                                   json={"username": f"chen{number}", "password": f"guess {attempt}"})
            statuses.append(answer.status_code)

    threads = [threading.Thread(target=guess, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    peak = 0
    while any(thread.is_alive() for thread in threads):
        assert supervisor.call("GET", "/tasks").status_code == 200
        resident = int(re.search(r"VmRSS:\s+(\d+)", open(f"/proc/{supervisor.pid}/status").read()).group(1))
        peak = max(peak, resident)
    for thread in threads:
        thread.join()
    assert set(statuses) <= {401, 429, 503}, set(statuses)
    assert statuses.count(401) <= 10, "ten failures in a minute from one address"
    assert peak < 300_000, f"{peak} KiB"


def test_a_websocket_takes_the_cookie_of_its_own_pages_only(supervisor):
    add_user(supervisor, "chen", "viewer")
    chen = signed_in(supervisor, "chen")
    host = supervisor.base.removeprefix("http://")
    handshake = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
                 "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
    for origin, cookie, expected in ((f"http://{host}", True, 101), ("http://evil.example", True, 403), (f"http://{host}", False, 401)):
        session = chen.session if cookie else requests.Session()
        with session.get(f"{supervisor.base}/ws", headers={**handshake, "Origin": origin}, stream=True, timeout=10) as answer:
            assert answer.status_code == expected, origin


def test_an_open_stream_ends_with_the_right_to_it(supervisor, simulator, tmp_path):
    supervisor.import_workbook(counter_plant(tmp_path / "plant.xlsx", simulator.ports[0]))
    supervisor.start_task("T")
    add_user(supervisor, "chen", "viewer")
    chen = signed_in(supervisor, "chen")
    host = supervisor.base.removeprefix("http://")
    cookie = chen.session.cookies["fieldwarden_session"]
    address, port = host.rsplit(":", 1)
    connection = socket.create_connection((address, int(port)), timeout=30)
    connection.sendall((
        f"GET /ws/processor-status HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://{host}\r\n"
        f"Cookie: fieldwarden_session={cookie}\r\n\r\n").encode())
    said = connection.recv(4096)
    assert said.startswith(b"HTTP/1.1 101 ")
    events = chen.session.get(f"{supervisor.base}/api/v1/tasks/T/stream", stream=True, timeout=30)
    assert events.status_code == 200
    supervisor.api("PATCH", "/users/chen", 200, json={"disabled": True})
    while events.raw.read(1):  # ends, or the read times out
        pass
    # The last frame says why (RFC 6455: 1008), and the connection ends.
    while b"signed out" not in said:
        more = connection.recv(4096)
        assert more, "the socket ended without a word"
        said += more
    connection.close()


def test_the_command_line(supervisor, tmp_path):
    def with_password(*arguments, password=PASSWORD):
        environment = {"FIELDWARDEN_SERVER": supervisor.base, "FIELDWARDEN_TOKEN": supervisor.token, "PATH": "/usr/bin:/bin"}
        return subprocess.run([BIN / "fieldwarden", *arguments], env=environment, input=password + "\n", text=True,
                              capture_output=True, timeout=60)

    added = with_password("user", "add", "chen", "--role", "operator", "--keep-password")
    assert added.returncode == 0, added.stderr
    assert with_password("user", "add", "li", "--role", "viewer", password="short").returncode == 1
    assert with_password("user", "add", "li", "--role", "king").returncode == 2
    signed_in(supervisor, "chen")
    assert "chen" in supervisor.cli("user", "list").stdout
    assert with_password("user", "passwd", "chen", "--keep-password", password="another password").returncode == 0
    signed_in(supervisor, "chen", "another password")
    made = supervisor.cli("token", "create", "scada", "--role", "viewer", "--user", "chen", "--days", "30")
    token = made.stdout.strip()
    assert bearer(supervisor, token).status_code == 200
    listed = supervisor.cli("token", "list", "--json")
    assert token not in listed.stdout
    number = supervisor.get("/tokens")["items"][0]["id"]
    supervisor.cli("token", "revoke", number)
    assert bearer(supervisor, token).status_code == 401
    supervisor.cli("user", "disable", "chen")
    Browser(supervisor.base).login("chen", "another password", expect=401)
    supervisor.cli("user", "disable", "chen", "--undo")
    signed_in(supervisor, "chen", "another password")
    supervisor.cli("user", "remove", "chen")
    assert supervisor.cli("user", "remove", "admin", check=False).returncode == 1
    audit = supervisor.cli("audit", "--limit", "100").stdout
    for action in ("user.create", "auth.login", "token.create", "token.delete", "user.delete"):
        assert action in audit
    assert "entries are as they were written" in supervisor.cli("audit", "verify").stdout


def test_a_changed_audit_trail_is_found(supervisor):
    for number in range(5):
        add_user(supervisor, f"user{number}", "viewer")
    supervisor.cli("audit", "verify")
    ids = sorted(entry["id"] for entry in supervisor.get("/audit", params={"page_size": 1000})["items"])
    database = sqlite3.connect(supervisor.data_dir / "state.db")
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        database.execute("UPDATE audit SET actor = 'somebody else' WHERE id = ?", (ids[2],))
    for trigger in ("audit_keeps_changes", "audit_keeps_rows", "audit_keeps_ids"):
        database.execute(f"DROP TRIGGER {trigger}")
    database.execute("UPDATE audit SET actor = 'somebody else' WHERE id = ?", (ids[2],))
    database.commit()
    database.close()
    found = supervisor.cli("audit", "verify", check=False)
    assert found.returncode == 1
    assert f"entry {ids[2]} " in found.stderr
    verdict = supervisor.get("/audit/verify")
    assert verdict["ok"] is False and verdict["first_broken"]["id"] == ids[2] and verdict["entries"] == 2


def test_the_audit_trail_tells_the_token_file_from_the_user_admin(supervisor):
    password = first_password(supervisor)
    admin = signed_in(supervisor, "admin", password)
    assert admin.call("POST", "/auth/password", json={"current_password": password, "new_password": PASSWORD}).status_code == 204
    assert admin.call("POST", "/sites", json={"site_code": "BY_USER", "site_name": "x"}).status_code == 201
    supervisor.api("POST", "/sites", 201, json={"site_code": "BY_FILE", "site_name": "x"})
    entries = supervisor.get("/audit", params={"page_size": 1000})["items"]
    assert {entry["subject"]: entry["actor"] for entry in entries if "BY_" in entry["subject"]} == {
        "BY_USER": "admin", "BY_FILE": "admin.token"}
    for name in ("admin.token", "ADMIN.token"):
        refused = supervisor.api("POST", "/users", 422, json={"username": name, "password": PASSWORD, "role": "viewer"})
        assert refused["errors"][0]["field"] == "username", refused


def test_use_of_a_token_is_noted(supervisor):
    add_user(supervisor, "chen", "viewer")
    made = supervisor.api("POST", "/tokens", 201, json={"name": "a", "role": "viewer", "username": "chen"})
    assert made["last_used_at"] is None
    bearer(supervisor, made["token"])
    assert eventually(lambda: supervisor.get("/tokens")["items"][0]["last_used_at"], "the token's use")
