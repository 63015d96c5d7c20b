"""The client's verbs against a fake supervisor: what they ask for, what they print, how they exit."""

import http.server
import json
import os
import pathlib
import pty
import select
import signal
import socket
import subprocess
import threading
import time
import urllib.parse
import zipfile

import pytest
import zmq

CLI = os.environ.get("FIELDWARDEN_CLI", "build/release/tests/cli_driver")
DEADLINE = 20

PROCESS = {
    "name": "WELD_A", "type": "modbus_tcp", "status": "RUNNING", "pid": 4242, "cpu_percent": 1.5,
    "memory_mb": 4.2, "uptime_seconds": 93784, "restart_count": 2, "last_error": "", "connection_status": "connected",
    "data_collection_rate": 1200.0, "health_score": 97,
    "connections": [{"device_code": "焊机一", "device_ip": "10.0.0.5", "device_port": 502, "is_connected": True,
                     "connection_errors": 3, "last_error": "", "response_time_ms": 1.25}],
}
STOPPED = {**PROCESS, "name": "PUMP_B", "status": "STOPPED", "pid": None, "last_error": "evil \x1b[31m text"}


class Fake(http.server.BaseHTTPRequestHandler):
    """Answers from `server.answers[(method, path)]`: JSON, (status, JSON), bytes or a function of the request."""

    protocol_version = "HTTP/1.1"

    def handle_any(self):
        path = self.path.split("?")[0]
        length = int(self.headers.get("Content-Length", 0))
        body = self.server.read_body(self.rfile, length)
        self.server.seen.append((self.command, self.path, body, dict(self.headers)))
        answer = self.server.answers.get((self.command, path))
        if self.server.token and self.headers.get("Authorization") != f"Bearer {self.server.token}":
            answer = (401, {"title": "Unauthorized", "detail": "a token is needed"})
        if answer is None:
            answer = (404, {"title": "Not Found", "detail": f"there is no '{path}'"})
        if callable(answer):
            answer = answer(self)
            if answer is None:
                return
        status, content = answer if isinstance(answer, tuple) else (200, answer)
        data = content if isinstance(content, bytes) else json.dumps(content, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = handle_any

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Fake)
    httpd.daemon_threads = True
    httpd.answers, httpd.seen, httpd.token = {}, [], ""
    httpd.read_body = lambda file, length: file.read(length)
    httpd.url = f"http://127.0.0.1:{httpd.server_port}"
    thread = threading.Thread(target=httpd.serve_forever, args=(0.05,))
    thread.start()
    yield httpd
    httpd.shutdown()
    thread.join()
    httpd.server_close()


def environment(server=None, **extra):
    env = {k: v for k, v in os.environ.items() if not k.startswith("FIELDWARDEN_") and k not in ("LC_ALL", "LC_MESSAGES")}
    env.update({"LANG": "C.UTF-8", "TZ": "UTC", "HOME": "/nonexistent", "FIELDWARDEN_SERVER_DATA_DIR": "/nonexistent"})
    if server:
        env["FIELDWARDEN_SERVER"] = server.url
    env.update(extra)
    return env


def run(*arguments, server=None, **extra):
    return subprocess.run([CLI, *arguments], env=environment(server, **extra), stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=60)


def page(*items):
    return {"items": list(items), "page": 1, "page_size": 1000, "total": len(items)}


def last_body(server, path):
    return next(body for method, seen, body, _ in reversed(server.seen) if seen.split("?")[0] == path)


# --- usage and reach

def test_help_names_every_verb_and_each_has_examples():
    answer = run("--help")
    assert answer.returncode == 0
    for verb in ("import export template status top start stop pause resume restart logs points sessions timeline "
                 "health alerts test-connection test-storage watch").split():
        assert verb in answer.stdout
        one = run(verb, "--help")
        assert one.returncode == 0 and "Examples:" in one.stdout, verb


@pytest.mark.parametrize("arguments", [
    [], ["fly"], ["start"], ["start", "A", "--all"], ["timeline", "x"], ["logs"], ["logs", "A", "--level", "loud"],
    ["sessions", "--limit", "0"], ["import"], ["status", "--nonsense"]])
def test_wrong_usage_exits_2(arguments):
    assert run(*arguments).returncode == 2


def test_an_unreachable_supervisor_exits_3_and_says_what_to_try():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound but not listening: refuses
        answer = run("status", "--server", f"127.0.0.1:{unused.getsockname()[1]}")
    assert answer.returncode == 3
    assert "cannot reach the supervisor" in answer.stderr and "--server" in answer.stderr


def test_an_address_that_is_none_exits_1():
    assert run("status", "--server", "ftp://x").returncode == 1


def test_something_else_answering_is_told(server):
    server.answers["GET", "/api/v1/health"] = b"<html>router login</html>"
    answer = run("health", server=server)
    assert answer.returncode == 1 and "no JSON" in answer.stderr


def test_the_token_comes_from_the_data_directory_and_can_be_overridden(server, tmp_path):
    server.token = "right"
    server.answers["GET", "/api/v1/health"] = {"overall_status": "healthy"}
    (tmp_path / "admin.token").write_text("right\n")
    assert run("health", "--data-dir", str(tmp_path), server=server).returncode == 0
    assert run("health", server=server, FIELDWARDEN_TOKEN="right").returncode == 0
    assert run("health", "--token", "right", server=server).returncode == 0
    refused = run("health", "--token", "wrong", "--data-dir", str(tmp_path), server=server)
    assert refused.returncode == 1 and "--token" in refused.stderr
    missing = run("health", server=server)
    assert missing.returncode == 1 and "No token was found" in missing.stderr


# --- fleet

@pytest.mark.parametrize("by_cursor", [False, True])
def test_status_lists_every_page_aligned_and_without_colour_in_a_pipe(server, by_cursor):
    many = [{**PROCESS, "name": f"T{i}"} for i in range(1500)]

    def pages(request):
        query = urllib.parse.parse_qs(request.path.partition("?")[2])
        if not by_cursor:
            number = int(query.get("page", ["1"])[0])
            return {"items": many[(number - 1) * 1000:number * 1000], "total": 1500}
        # Half of what is asked for, so that only `next` tells that there is more; the total is out of date.
        assert "page" not in query
        at = int(query.get("cursor", ["0"])[0])
        return {"items": many[at:at + 500], "total": 400, "next": str(at + 500) if at < 1000 else None}

    server.answers["GET", "/api/v1/processes"] = pages
    answer = run("status", server=server)
    assert answer.returncode == 0
    assert len(answer.stdout.splitlines()) == 1501
    assert "\x1b" not in answer.stdout
    assert "RUNNING" in answer.stdout and "1d 2h" in answer.stdout


def test_hostile_text_cannot_drive_the_terminal(server):
    server.answers["GET", "/api/v1/processes"] = page(PROCESS, STOPPED)
    answer = run("status", server=server)
    assert "\x1b" not in answer.stdout and "evil ?[31m text" in answer.stdout


def test_status_json_is_what_the_server_said(server):
    server.answers["GET", "/api/v1/processes"] = page(PROCESS, STOPPED)
    assert json.loads(run("status", "--json", server=server).stdout) == {"items": [PROCESS, STOPPED]}


def test_status_of_one_task_shows_devices_and_survives_a_missing_progress(server):
    server.answers["GET", "/api/v1/processes/WELD_A"] = PROCESS
    answer = run("status", "WELD_A", server=server)
    assert answer.returncode == 0
    assert "焊机一" in answer.stdout and "10.0.0.5:502" in answer.stdout
    server.answers["GET", "/api/v1/tasks/WELD_A/progress"] = {
        "cycle": 9, "points_per_second": 12.0,
        "units": [{"device_code": "W", "status": "connected", "points_ok": 4, "points_total": 5, "last_error": "no"}]}
    assert "cycle 9, 12 points/s" in run("status", "WELD_A", server=server).stdout


def test_an_unknown_task_exits_1_with_the_servers_words(server):
    answer = run("status", "A/../B", server=server)
    assert answer.returncode == 1 and "there is no" in answer.stderr
    assert server.seen[-1][1] == "/api/v1/processes/A%2F..%2FB"


@pytest.mark.parametrize("verb", ["start", "stop", "pause", "resume", "restart"])
def test_actions_send_the_choice_and_fail_when_one_is_refused(server, verb):
    server.answers["POST", "/api/v1/tasks/actions"] = {"items": [
        {"task_code": "A", "status": "starting", "session_id": 12, "error": None}]}
    assert run(verb, "A", "B", server=server).returncode == 0
    assert json.loads(last_body(server, "/api/v1/tasks/actions")) == {"action": verb, "task_codes": ["A", "B"]}
    assert run(verb, "--group", "line 1", server=server).returncode == 0
    assert json.loads(last_body(server, "/api/v1/tasks/actions")) == {"action": verb, "group": "line 1"}
    server.answers["POST", "/api/v1/tasks/actions"] = {"items": [
        {"task_code": "A", "status": "starting", "session_id": 12},
        {"task_code": "B", "status": "running", "session_id": 7, "error": "is running already"}]}
    answer = run(verb, "--all", server=server)
    assert answer.returncode == 1 and "is running already" in answer.stdout
    assert json.loads(last_body(server, "/api/v1/tasks/actions")) == {"action": verb, "all": True}
    assert json.loads(run(verb, "--all", "--json", server=server).stdout)["items"][0]["session_id"] == 12


def test_sessions_and_timeline(server):
    server.answers["GET", "/api/v1/sessions"] = page(
        {"session_id": 12, "task_code": "WELD_A", "status": "running", "started_at": "2026-11-22T13:40:27.123Z",
         "stopped_at": None, "points_read": 5, "success_rate": 99.5, "error_message": ""})
    answer = run("sessions", "WELD_A", "--limit", "7", server=server)
    assert "2026-11-22 13:40:27" in answer.stdout and "99.5" in answer.stdout
    assert server.seen[-1][1] == "/api/v1/sessions?page_size=7&task_code=WELD_A"
    leaf = {"timestamp": "2026-11-22T13:40:29Z", "level": "warning", "log_type": "retry_attempt", "message": "retrying",
            "retry_context": {"attempt_number": 2, "max_attempts": 3, "delay_seconds": 1.5}, "children": []}
    server.answers["GET", "/api/v1/sessions/12/timeline"] = {"items": [
        {"timestamp": "2026-11-22T13:40:27Z", "level": "info", "log_type": "execution_start", "message": "started",
         "children": [leaf, {**leaf, "message": "again", "children": [leaf]}]}]}
    lines = run("timeline", "12", server=server).stdout.splitlines()
    assert lines[0] == "2026-11-22 13:40:27  execution_start  started"
    assert lines[1].startswith("├─ ") and lines[1].endswith("retrying  (attempt 2 of 3, waits 1.5 s)")
    assert lines[2].startswith("└─ ") and lines[3].startswith("   └─ ")


def test_health(server):
    server.answers["GET", "/api/v1/health"] = {
        "overall_status": "warning", "total_processes": 3, "healthy_processes": 2, "warning_processes": 1,
        "critical_processes": 0, "last_check_time": "2026-11-22T13:40:27Z", "issues": ["T1: 3 of 9 points are bad"]}
    answer = run("health", server=server)
    assert answer.returncode == 0
    assert "3 processes: 2 healthy, 1 warning, 0 critical" in answer.stdout and "3 of 9 points" in answer.stdout


ALERT = {"id": 12, "severity": "critical", "state": "firing", "process_name": "WELD_A", "device_code": "焊机一",
         "point_code": "", "first_at": "2026-11-22T08:00:00.000Z", "count": 3, "message": "device \x1b[31m is away"}


def test_alerts_are_listed_open_ones_first_and_filtered(server):
    server.answers["GET", "/api/v1/alerts"] = {**page(ALERT), "total": 7}
    shown = run("alerts", "--severity", "critical", "--task", "WELD A", server=server).stdout
    assert "焊机一" in shown and "1 of 7" in shown and "\x1b" not in shown
    assert server.seen[-1][1] == "/api/v1/alerts?page_size=50&state=open&severity=critical&task_code=WELD%20A"
    assert json.loads(run("alerts", "--json", "--state", "all", server=server).stdout)["items"] == [ALERT]
    assert "state" not in server.seen[-1][1]
    server.answers["GET", "/api/v1/alerts"] = page()
    assert "No alert is open" in run("alerts", server=server).stdout


def test_alerts_are_acknowledged_one_by_one(server):
    server.answers["POST", "/api/v1/alerts/12/ack"] = {**ALERT, "state": "acknowledged"}
    server.answers["POST", "/api/v1/alerts/13/ack"] = (409, {"detail": "alert 13 is resolved"})
    assert "acknowledged" in run("alerts", "ack", "12", "--note", "seen", server=server).stdout
    assert json.loads(server.seen[-1][2]) == {"note": "seen"}
    some = run("alerts", "ack", "13", "12", "--json", server=server)
    assert some.returncode == 1 and "alert 13 is resolved" in some.stderr
    assert [each["id"] for each in json.loads(some.stdout)["items"]] == [12]
    assert run("alerts", "ack", server=server).returncode == 2


@pytest.mark.parametrize("verb, path, member", [("test-connection", "/api/v1/test-connection", "device_code"),
                                                ("test-storage", "/api/v1/test-storage", "sink_code")])
def test_probes_exit_by_their_outcome(server, verb, path, member):
    server.answers["POST", path] = {"ok": True, "latency_ms": 3.2, "detail": "read 4 registers", "error_category": None}
    assert run(verb, "W1", server=server).returncode == 0
    assert json.loads(last_body(server, path)) == {member: "W1"}
    server.answers["POST", path] = {"ok": False, "latency_ms": 1000, "detail": "timed out",
                                    "error_category": "connection_error"}
    answer = run(verb, "W1", server=server)
    assert answer.returncode == 1 and "timed out" in answer.stdout and "connection_error" in answer.stdout


# --- workbooks

DIFF = {"points": {"added": ["P1", "P2"], "removed": ["P9"], "unchanged": 5,
                   "changed": [{"code": "P3", "fields": {"unit": {"from": "", "to": "A"}}}]},
        "sites": {"added": [], "changed": [], "removed": [], "unchanged": 1}}


def multipart(server, path):
    return next((body, headers) for _, seen, body, headers in reversed(server.seen) if seen.split("?")[0] == path)


def test_import_checks_and_applies_only_when_told(server, tmp_path):
    book = tmp_path / "工厂.xlsx"
    book.write_bytes(b"PK\x03\x04 workbook bytes")
    server.answers["POST", "/api/v1/import-jobs"] = (201, {
        "id": 5, "status": "validated", "summary": {}, "errors": [],
        "warnings": [{"sheet": "points", "row": 3, "column": "unit", "code": "odd", "message": "odd unit", "value": "?"}]})
    server.answers["GET", "/api/v1/import-jobs/5/diff"] = DIFF
    server.answers["POST", "/api/v1/import-jobs/5/apply"] = {"points": 4, "reloaded": ["WELD_A"]}
    answer = run("import", str(book), server=server)
    assert answer.returncode == 0, answer.stderr
    assert "1 warning" in answer.stdout and "Nothing was changed yet" in answer.stdout
    assert "unit '' → 'A'" in answer.stdout and "- point P9" in answer.stdout
    body, _ = multipart(server, "/api/v1/import-jobs")
    assert b"workbook bytes" in body and "工厂.xlsx".encode() in body
    assert b'name="mode"\r\n\r\nmerge' in body
    assert not any(seen.endswith("/apply") for _, seen, _, _ in server.seen)

    answer = run("import", str(book), "--apply", "--replace", "--lang", "zh", server=server)
    assert answer.returncode == 0 and "reloaded: WELD_A" in answer.stdout and "新增" in answer.stdout
    body, _ = multipart(server, "/api/v1/import-jobs")
    assert b"replace" in body
    assert any(seen == "/api/v1/import-jobs?lang=zh" for _, seen, _, _ in server.seen)
    whole = json.loads(run("import", str(book), "--apply", "--json", server=server).stdout)
    assert whole["job"]["id"] == 5 and whole["diff"] == DIFF and whole["applied"]["points"] == 4


def test_counts_cover_what_the_server_left_out_of_its_lists(server, tmp_path):
    (tmp_path / "b.xlsx").write_bytes(b"x")
    server.answers["POST", "/api/v1/import-jobs"] = (201, {
        "id": 5, "status": "validated", "errors": [], "warning_count": 12000,
        "warnings": [{"sheet": "points", "row": 3, "column": "unit", "message": "odd unit", "value": "?"}]})
    server.answers["GET", "/api/v1/import-jobs/5/diff"] = {"points": {
        "added": [], "removed": [], "changed": [{"code": f"P{i}", "fields": {}} for i in range(20)], "unchanged": 0,
        "counts": {"added": 70000, "changed": 30000, "removed": 0, "unchanged": 0}}}
    answer = run("import", str(tmp_path / "b.xlsx"), server=server)
    assert "12000 warnings, of which the first 1 are listed" in answer.stdout
    assert "70000" in answer.stdout and "… and 29980 more" in answer.stdout


def test_the_language_follows_the_environment(server, tmp_path):
    (tmp_path / "b.xlsx").write_bytes(b"x")
    run("import", str(tmp_path / "b.xlsx"), server=server, LANG="zh_CN.UTF-8")
    assert server.seen[-1][1].endswith("lang=zh")
    run("import", str(tmp_path / "b.xlsx"), server=server, LANG="de_DE.UTF-8")
    assert server.seen[-1][1].endswith("lang=en")


def test_an_invalid_workbook_shows_every_problem_and_exits_1(server, tmp_path):
    (tmp_path / "bad.xlsx").write_bytes(b"x")
    long = "write hr:0, because the address must name an area and a number " * 3
    server.answers["POST", "/api/v1/import-jobs"] = (201, {
        "id": 6, "status": "invalid", "warnings": [], "errors": [
            {"sheet": "测点", "row": 7, "column": "address", "code": "bad_address", "message": long, "value": "xx"},
            {"sheet": "devices", "row": None, "column": "", "code": "missing", "message": "no sheet", "value": ""}]})
    answer = run("import", str(tmp_path / "bad.xlsx"), "--apply", server=server)
    assert answer.returncode == 1
    assert "2 errors" in answer.stdout and long.strip() in answer.stdout and "测点" in answer.stdout
    assert not any("diff" in seen or "apply" in seen for _, seen, _, _ in server.seen)


def test_a_stale_apply_is_told(server, tmp_path):
    (tmp_path / "b.xlsx").write_bytes(b"x")
    server.answers["POST", "/api/v1/import-jobs"] = (201, {"id": 5, "status": "validated", "errors": [], "warnings": []})
    server.answers["GET", "/api/v1/import-jobs/5/diff"] = DIFF
    server.answers["POST", "/api/v1/import-jobs/5/apply"] = (409, {"title": "Conflict", "detail": "changed meanwhile"})
    answer = run("import", str(tmp_path / "b.xlsx"), "--apply", server=server)
    assert answer.returncode == 1 and "changed meanwhile" in answer.stderr


def test_a_folder_of_csv_is_sent_as_a_zip(server, tmp_path):
    folder = tmp_path / "plant"
    folder.mkdir()
    (folder / "sites.csv").write_text("site_code,site_name\nS1,Site\n")
    (folder / "测点.CSV").write_text("point_code\nP1\n")
    (folder / "notes.txt").write_text("not sent")
    server.answers["POST", "/api/v1/import-jobs"] = (201, {"id": 5, "status": "validated"})
    server.answers["GET", "/api/v1/import-jobs/5/diff"] = {}
    assert run("import", str(folder) + "/", server=server).returncode in (0, 1)
    body, _ = multipart(server, "/api/v1/import-jobs")
    start = body.index(b"PK\x03\x04")
    archive = tmp_path / "sent.zip"
    archive.write_bytes(body[start:])
    with zipfile.ZipFile(archive) as sent:
        assert sorted(sent.namelist()) == ["sites.csv", "测点.CSV"]
    empty = tmp_path / "empty"
    empty.mkdir()
    assert run("import", str(empty), server=server).returncode == 1
    assert run("import", str(tmp_path / "none.xlsx"), server=server).returncode == 1


def test_export_writes_whole_files_only(server, tmp_path):
    content = os.urandom(200_000)
    server.answers["GET", "/api/v1/export"] = content
    target = tmp_path / "out.xlsx"
    target.write_bytes(b"before")
    assert run("export", str(target), server=server).returncode == 0
    assert target.read_bytes() == content

    def cut_off(request):
        request.send_response(200)
        request.send_header("Content-Length", "1000")
        request.end_headers()
        request.wfile.write(b"half")
        request.close_connection = True

    server.answers["GET", "/api/v1/export"] = cut_off
    assert run("export", str(target), server=server).returncode != 0
    assert target.read_bytes() == content, "a broken download leaves the old file"
    server.answers["GET", "/api/v1/export"] = (403, {"detail": "viewers may not export"})
    assert run("export", str(target), server=server).returncode == 1
    assert [f.name for f in tmp_path.iterdir()] == ["out.xlsx"], "nothing half-written stays"
    server.answers["GET", "/api/v1/import-jobs/template"] = b"template bytes"
    piped = subprocess.run([CLI, "template", "-"], env=environment(server), capture_output=True, timeout=60)
    assert piped.stdout == b"template bytes"
    assert run("template", "/nonexistent/x.xlsx", server=server).returncode == 1


# --- following

def entry(number, level="info", message="line"):
    return {"id": number, "timestamp": f"2026-11-22T13:40:{number:02d}.000Z", "level": level, "message": message,
            "log_type": None, "exception_info": ""}


def test_logs_are_filtered(server):
    server.answers["GET", "/api/v1/tasks/WELD_A/logs"] = page(
        entry(1, "debug", "noise"), entry(2, "warning", "read timed out"), entry(3, "error", "connection refused"),
        entry(4, "info", "timed out too"))
    assert len(run("logs", "WELD_A", server=server).stdout.splitlines()) == 4
    lines = run("logs", "WELD_A", "--level", "warning", "--grep", "timed out|refused", server=server).stdout.splitlines()
    assert [line.split()[-1] for line in lines] == ["out", "refused"]
    assert "level=warning" in server.seen[-1][1]
    late = run("logs", "WELD_A", "--since", "2026-11-22T13:40:03Z", "--json", server=server)
    assert [e["id"] for e in json.loads(late.stdout)["items"]] == [3, 4]
    assert [e["id"] for e in json.loads(run("logs", "WELD_A", "--until", "2026-11-22T13:40:02Z", "--json", server=server).stdout)
            ["items"]] == [1, 2]
    assert run("logs", "WELD_A", "--grep", "(", server=server).returncode == 2
    assert run("logs", "WELD_A", "--since", "yesterday", server=server).returncode == 2


def test_a_pattern_is_looked_for_page_by_page(server):
    pages = {None: {**page(entry(5, "info", "noise"), entry(6, "info", "needle six")), "before": "older"},
             "older": {**page(entry(3, "info", "needle three"), entry(4, "info", "noise")), "before": "oldest"},
             "oldest": {**page(entry(1, "info", "needle one")), "before": None}}

    def answer(request):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(request.path).query)
        return pages[query.get("before", [None])[0]]

    server.answers["GET", "/api/v1/tasks/WELD_A/logs"] = answer
    found = json.loads(run("logs", "WELD_A", "--grep", "needle", "--json", server=server).stdout)["items"]
    assert [e["id"] for e in found] == [1, 3, 6]
    found = json.loads(run("logs", "WELD_A", "--grep", "needle", "--limit", "2", "--json", server=server).stdout)["items"]
    assert [e["id"] for e in found] == [3, 6]


def test_logs_of_the_supervisor_and_of_all(server):
    server.answers["GET", "/api/v1/logs"] = page({**entry(1, "error", "broken"), "process_name": "WELD_A"})
    assert "broken" in run("logs", "--supervisor", server=server).stdout
    assert "task=&" in server.seen[-1][1]
    assert "WELD_A  broken" in run("logs", "--all", server=server).stdout
    assert "task=*" in server.seen[-1][1]
    assert run("logs", "WELD_A", "--all", server=server).returncode == 2


class Running:
    """A verb that keeps running; lines of its output can be waited for."""

    def __init__(self, *arguments, server=None, **extra):
        self.process = subprocess.Popen([CLI, *arguments], env=environment(server, **extra), stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.unread = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def line(self):
        while b"\n" not in self.unread:
            ready, _, _ = select.select([self.process.stdout], [], [], DEADLINE)
            assert ready, "no line within the deadline"
            piece = os.read(self.process.stdout.fileno(), 65536)
            assert piece, "the verb ended"
            self.unread += piece
        line, self.unread = self.unread.split(b"\n", 1)
        return line


def test_logs_follow_resumes_after_a_lost_connection_without_repeating(server):
    server.answers["GET", "/api/v1/tasks/WELD_A/logs"] = page(entry(1), entry(2))
    resumed = []

    def stream(request):
        request.send_response(200)
        request.send_header("Content-Type", "text/event-stream")
        request.send_header("Connection", "close")
        request.end_headers()
        request.close_connection = True
        resumed.append(request.headers.get("Last-Event-ID"))
        if len(resumed) == 1:
            envelope = {"v": 1, "seq": 8, "type": "log_stream", "data": entry(3, "info", "third")}
            for text in (f"id: 7\nevent: log\ndata: {json.dumps(entry(2))}\n\n",
                         "event: progress\ndata: {}\n\n",
                         f"id: 8\nevent: log\ndata: {json.dumps(envelope)}\n\n", "id: 9\nevent: log\ndata: {\"ha"):
                request.wfile.write(text.encode())
        else:
            request.wfile.write(f"id: 10\nevent: log\ndata: {json.dumps(entry(4, 'info', 'fourth'))}\n\n".encode())

    server.answers["GET", "/api/v1/tasks/WELD_A/stream"] = stream
    with Running("logs", "WELD_A", "-f", "--json", server=server) as follow:
        assert [json.loads(follow.line())["id"] for _ in range(4)] == [1, 2, 3, 4]
    assert resumed[:2] == [None, "8"], "an event cut in half has not been seen"


def test_points_once_and_followed(server):
    first = {"point_code": "P1", "point_name": "焊接电流", "device_code": "W1", "unit": "A", "value": 12.5,
             "quality": "good", "timestamp": "2026-11-22T13:40:27.000Z"}
    bad = {**first, "point_code": "P2", "value": None, "quality": "bad", "quality_code": "timeout"}
    server.answers["GET", "/api/v1/tasks/T1/points"] = page(first, bad)
    answer = run("points", "T1", server=server)
    assert "12.5" in answer.stdout and "bad (timeout)" in answer.stdout and "焊接电流" in answer.stdout
    with Running("points", "T1", "-f", "--json", server=server) as follow:
        assert {json.loads(follow.line())["point_code"] for _ in range(2)} == {"P1", "P2"}
        server.answers["GET", "/api/v1/tasks/T1/points"] = page({**first, "value": 13}, bad)
        changed = json.loads(follow.line())
        assert (changed["point_code"], changed["value"]) == ("P1", 13)


def test_watch_prints_the_channel_as_json_lines(tmp_path):
    (tmp_path / "run").mkdir()
    context = zmq.Context()
    publisher = context.socket(zmq.XPUB)
    publisher.bind(f"ipc://{tmp_path}/run/status.sock")
    try:
        with Running("watch", "data.", "fleet", "--count", "2", "--data-dir", str(tmp_path)) as follow:
            subscribed = set()
            while len(subscribed) < 2:
                assert publisher.poll(DEADLINE * 1000)
                subscribed.add(publisher.recv())
            assert subscribed == {b"\x01data.", b"\x01fleet"}
            publisher.send_multipart([b"other", b"{}"])
            publisher.send_multipart([b"fleet", json.dumps({"v": 1, "seq": 4, "data": {"workers": 2}}).encode()])
            publisher.send_multipart([b"data.T1", b"not json"])
            assert json.loads(follow.line()) == {"v": 1, "seq": 4, "data": {"workers": 2}, "topic": "fleet"}
            assert json.loads(follow.line()) == {"text": "not json", "topic": "data.T1"}
            assert follow.process.wait(DEADLINE) == 0
    finally:
        publisher.close(0)
        context.term()


def test_watch_without_a_supervisor_exits_3(tmp_path):
    answer = run("watch", "--data-dir", str(tmp_path))
    assert answer.returncode == 3 and "nobody answers" in answer.stderr
    assert run("watch", "--endpoint", "nonsense").returncode == 1


# --- top

def test_top_without_a_terminal_prints_once(server):
    server.answers["GET", "/api/v1/processes"] = page(PROCESS, STOPPED)
    server.answers["GET", "/api/v1/health"] = {"overall_status": "healthy"}
    answer = run("top", server=server)
    assert answer.returncode == 0 and "1 of 2 tasks running" in answer.stdout and "\x1b" not in answer.stdout


def test_top_on_a_terminal_draws_sorts_survives_an_outage_and_restores_it(server):
    server.answers["GET", "/api/v1/processes"] = page(PROCESS, {**PROCESS, "name": "ALPHA", "cpu_percent": 0.1})
    server.answers["GET", "/api/v1/health"] = {"overall_status": "healthy"}
    child, terminal = pty.fork()
    if child == 0:
        os.execve(CLI, [CLI, "top"], {**environment(server), "TERM": "xterm"})
    seen = b""

    def until(text, start=0):
        nonlocal seen
        deadline = time.monotonic() + DEADLINE
        while text not in seen[start:]:
            ready, _, _ = select.select([terminal], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"{text} did not appear"
            seen += os.read(terminal, 65536)
        return len(seen)

    try:
        until(b"\x1b[?1049h")
        at = until(b"arrows scroll")
        assert seen.index(b"ALPHA") < seen.index(b"WELD_A"), "sorted by task"
        os.write(terminal, b"c\x1b[B")
        at = until(b"arrows scroll", at)
        os.write(terminal, b"c")
        until(b"arrows scroll", at)
        server.answers["GET", "/api/v1/processes"] = (500, {"detail": "the store is away"})
        at = until(b"the store is away", at)
        server.answers["GET", "/api/v1/processes"] = page({**PROCESS, "name": "BACK_AGAIN"})
        until(b"BACK_AGAIN", at)
        os.write(terminal, b"q")
        until(b"\x1b[?1049l")
        assert b"\x1b[?25h" in seen
        _, status = os.waitpid(child, 0)
        child = 0
        assert os.waitstatus_to_exitcode(status) == 0
    finally:
        if child:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        os.close(terminal)


def test_colour_only_on_a_terminal_and_never_with_no_color(server):
    server.answers["GET", "/api/v1/health"] = {"overall_status": "healthy"}

    def on_terminal(**extra):
        child, terminal = pty.fork()
        if child == 0:
            os.execve(CLI, [CLI, "health"], {**environment(server), "TERM": "xterm", **extra})
        output = b""
        while True:
            try:
                piece = os.read(terminal, 65536)
            except OSError:
                break
            if not piece:
                break
            output += piece
        os.close(terminal)
        os.waitpid(child, 0)
        return output

    assert b"\x1b[32mhealthy" in on_terminal()
    assert b"\x1b" not in on_terminal(NO_COLOR="1")
