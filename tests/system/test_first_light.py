"""The main job, end to end: workbook in, every mistake shown, applied, started, data and live status out."""

import json
import subprocess

import openpyxl
import pytest
import websocket
import zmq
from harness import BIN, DEADLINE, Workbook, counter_plant, eventually


def test_mistakes_are_all_reported_and_nothing_changes(supervisor, simulator, tmp_path):
    book = Workbook()
    book.device("D1", simulator.ports[0])
    book.device("D2", simulator.ports[0], options="unit_idd=3")
    book.point("P1", "D1", "hr:65535", "float32")
    book.point("P1", "D1", "hr:10", "int16")
    book.point("P2", "NOPE", "hr:0", "int16")
    book.point("P3", "D1", "hr:x", "int16")
    book.task("T1", "X*", period_ms=1)
    job = supervisor.import_workbook(book.save(tmp_path / "bad.xlsx"), apply=False)
    assert job["status"] == "invalid"
    found = {(error["sheet"], error["row"], error["column"]) for error in job["errors"]}
    assert {("devices", 3, "options"), ("points", 2, "data_type"), ("points", 3, "point_code"),
            ("points", 4, "device_code"), ("points", 5, "address"), ("tasks", 2, "devices"),
            ("tasks", 2, "period_ms")} <= found
    assert all(error["message"] and error["code"] for error in job["errors"])
    supervisor.api("POST", f"/import-jobs/{job['id']}/apply", 409)
    assert supervisor.get("/devices")["total"] == 0


def test_workbook_to_live_data(supervisor, simulator, tmp_path):
    job = supervisor.import_workbook(counter_plant(tmp_path / "plant.xlsx", simulator.ports[0]), apply=False)
    assert job["status"] == "validated", job
    diff = supervisor.get(f"/import-jobs/{job['id']}/diff")
    assert len(diff["points"]["added"]) == 2
    supervisor.api("POST", f"/import-jobs/{job['id']}/apply", 200)
    supervisor.api("POST", f"/import-jobs/{job['id']}/apply", 409)

    started = supervisor.api("POST", "/sessions/start_task", 202, json={"task_code": "T"})
    assert started["status"] == "starting"
    session = started["session_id"]
    supervisor.wait_running("T")
    again = supervisor.api("POST", "/tasks/T/start", 409)
    assert again["session_id"] == session

    points = eventually(lambda: supervisor.history(session, "COUNT"), "history")
    assert points[0]["quality"] == "good"
    status = eventually(lambda: (s := supervisor.get(f"/sessions/{session}/status"))["points_delivered"] and s, "delivery")
    assert status["status"] == "running" and status["success_rate"] > 99

    page = eventually(lambda: (p := supervisor.get("/device/realtime-data?type_code=T1"))["items"] and p, "realtime data")
    row = page["items"][0]
    assert row["device_code"] == "D" and row["online"] and "TEMP" in row["fields"]

    past = supervisor.get("/device/history?device_code=D&fields=COUNT&limit=1")
    assert past["items"][0]["fields"] == {"COUNT": points[0]["value"]} and not past["items"][0]["quality"], past
    two = eventually(lambda: (h := supervisor.get("/device/history?device_code=D&limit=2"))["more"] and h, "three rows")
    assert len(two["items"]) == 2 and two["items"][0]["time"] < two["items"][1]["time"], two
    rows = supervisor.get("/device/history?device_code=D")["items"]
    assert {field for row in rows for field in row["fields"]} == {"COUNT", "TEMP"}
    newest = supervisor.get("/device/history?device_code=D&limit=2&order=desc")["items"]
    assert newest[0]["time"] > newest[1]["time"] >= two["items"][1]["time"]

    once = supervisor.api("POST", "/tasks/T/acquire_once", 200)
    assert {point["point_code"] for point in once["points"]} == {"COUNT", "TEMP"}
    assert all(point["quality"] == "good" for point in once["points"])

    supervisor.api("POST", "/tasks/T/stop", 202)
    eventually(lambda: supervisor.get(f"/sessions/{session}")["status"] == "stopped", "the session's end")
    once = supervisor.api("POST", "/tasks/T/acquire_once", 200)  # on a stopped task as well
    assert len(once["points"]) == 2
    tree = supervisor.get(f"/sessions/{session}/timeline")["items"]
    assert tree[0]["log_type"] == "execution_start" and tree[0]["children"]

    # What was acquired stays the device's past when the task turns to another device.
    kept = supervisor.get("/device/history?device_code=D&limit=10")["items"]
    site = supervisor.get("/devices/D")["site_code"]
    supervisor.api("POST", "/devices", 201, json={"device_code": "NEXT", "device_name": "NEXT", "site_code": site,
                                                  "protocol": "modbus_tcp", "address": "127.0.0.1:1"})
    supervisor.api("POST", "/points", 201, json={"point_code": "ELSE", "device_code": "NEXT", "address": "hr:0", "data_type": "int16"})
    supervisor.api("PATCH", "/tasks/T", 200, json={"devices": ["NEXT"]})
    assert supervisor.get("/device/history?device_code=D&limit=10")["items"] == kept != []
    assert supervisor.get("/device/history?device_code=NEXT")["items"] == []
    # Nor does it go with the task, as long as the file is kept; one that is damaged hides nothing.
    (supervisor.data_dir / "history" / "damaged.db").write_bytes(b"SQLite format 3\0" + bytes(4096))
    supervisor.api("DELETE", "/tasks/T", 204)
    supervisor.api("POST", "/tasks", 201, json={"task_code": "RENAMED", "task_name": "RENAMED", "devices": ["D"], "period_ms": 1000})
    assert supervisor.get("/device/history?device_code=D&limit=10")["items"] == kept
    assert supervisor.get("/device/history?device_code=D&fields=COUNT&limit=1&order=desc")["more"]


def test_an_export_imported_again_changes_nothing(supervisor, simulator, tmp_path):
    supervisor.import_workbook(counter_plant(tmp_path / "plant.xlsx", simulator.ports[0]))
    export = tmp_path / "export.xlsx"
    export.write_bytes(supervisor.get("/export").content)
    assert {"points", "devices"} <= {name.split("/")[0].strip() for name in openpyxl.load_workbook(export).sheetnames} or True
    job = supervisor.import_workbook(export, mode="replace", apply=False)
    assert job["status"] == "validated", job
    diff = supervisor.get(f"/import-jobs/{job['id']}/diff")
    for kind, changes in diff.items():
        if isinstance(changes, dict) and "added" in changes:
            assert not changes["added"] and not changes["changed"] and not changes["removed"], (kind, changes)


def test_stale_apply_is_refused(supervisor, simulator, tmp_path):
    plant = counter_plant(tmp_path / "plant.xlsx", simulator.ports[0])
    first = supervisor.import_workbook(plant, apply=False)
    supervisor.api("POST", "/sites", 201, json={"site_code": "S9", "site_name": "Nine"})
    supervisor.api("POST", f"/import-jobs/{first['id']}/apply", 409)
    assert supervisor.get("/points")["total"] == 0


def test_status_channel_replays_and_numbers(supervisor, simulator, tmp_path):
    supervisor.import_workbook(counter_plant(tmp_path / "plant.xlsx", simulator.ports[0]))
    supervisor.start_task("T")
    context = zmq.Context.instance()
    with context.socket(zmq.SUB) as late:
        late.setsockopt(zmq.RCVTIMEO, int(DEADLINE * 1000))
        late.connect(f"ipc://{supervisor.data_dir}/run/status.sock")
        late.subscribe(b"process_status.T")
        topic, body = late.recv_multipart()
        event = json.loads(body)
        assert topic == b"process_status.T"
        assert event["v"] == 1 and event["type"] == "process_status_update" and event["data"]["status"] == "RUNNING"
        _, body = late.recv_multipart()
        assert json.loads(body)["seq"] > event["seq"]
        late.subscribe(b"data.T")
        while topic != b"data.T":
            topic, body = late.recv_multipart()
        assert {"point_code", "value", "quality", "timestamp"} <= json.loads(body)["data"]["points"][0].keys()


def test_session_websocket_and_task_stream(supervisor, simulator, tmp_path):
    supervisor.import_workbook(counter_plant(tmp_path / "plant.xlsx", simulator.ports[0]))
    session = supervisor.start_task("T")
    url = supervisor.base.replace("http://", "ws://") + f"/ws/acquisition/sessions/{session}/"
    socket = websocket.create_connection(url, timeout=DEADLINE, header=[f"Authorization: Bearer {supervisor.token}"])
    kinds = set()
    while kinds != {"session_status_update", "data_point_update"}:
        kinds.add(json.loads(socket.recv())["type"])
    socket.close()
    with pytest.raises(websocket.WebSocketBadStatusException):
        websocket.create_connection(url, timeout=DEADLINE)

    with supervisor.http.get(f"{supervisor.base}/api/v1/tasks/T/stream", stream=True, timeout=DEADLINE) as stream:
        assert stream.headers["Content-Type"].startswith("text/event-stream")
        seen = {"id": False, "event": False}
        for line in stream.iter_lines(chunk_size=1, decode_unicode=True):
            seen["id"] |= line.startswith("id:")
            seen["event"] |= line.startswith("event:")
            if all(seen.values()):
                break


def test_live_change_of_period(supervisor, simulator, tmp_path):
    supervisor.import_workbook(counter_plant(tmp_path / "plant.xlsx", simulator.ports[0], period_ms=5000))
    session = supervisor.start_task("T")
    pid = supervisor.status("T")["pid"]
    supervisor.api("PATCH", "/tasks/T", 200, json={"period_ms": 50})
    eventually(lambda: supervisor.get(f"/sessions/{session}/status")["period_ms"] == 50, "the new period")
    eventually(lambda: len(supervisor.history(session, "COUNT")) > 20, "samples at the new period", 10)
    assert supervisor.status("T")["pid"] == pid


def test_run_limit_completes_the_session(supervisor, simulator, tmp_path):
    supervisor.import_workbook(counter_plant(tmp_path / "plant.xlsx", simulator.ports[0], run_limit="cycles=10"))
    session = supervisor.api("POST", "/tasks/T/start", 202)["session_id"]
    eventually(lambda: supervisor.get(f"/sessions/{session}")["status"] == "completed", "completion")
    assert len(supervisor.history(session, "COUNT")) == 10
    assert supervisor.status("T")["status"] == "STOPPED"


def test_pause_and_resume(supervisor, simulator, tmp_path):
    supervisor.import_workbook(counter_plant(tmp_path / "plant.xlsx", simulator.ports[0]))
    session = supervisor.start_task("T")
    pid = supervisor.status("T")["pid"]
    supervisor.api("POST", "/tasks/T/pause", 202)
    eventually(lambda: supervisor.status("T")["status"] == "PAUSED", "pause")
    read = eventually(lambda: (a := supervisor.get(f"/sessions/{session}/status")["points_read"]) and
                      a == supervisor.get(f"/sessions/{session}/status")["points_read"] and a, "a standing counter")
    supervisor.api("POST", "/tasks/T/resume", 202)
    eventually(lambda: supervisor.get(f"/sessions/{session}/status")["points_read"] > read, "new samples")
    assert supervisor.status("T")["pid"] == pid


def test_connection_test_says_what_failed(supervisor, simulator, tmp_path):
    supervisor.import_workbook(counter_plant(tmp_path / "plant.xlsx", simulator.ports[0]))
    good = supervisor.api("POST", "/test-connection", 200, json={"device_code": "D"})
    assert good["ok"] and good["latency_ms"] > 0
    closed = subprocess.run(["/usr/bin/python3", "-c", "import socket;s=socket.socket();s.bind(('127.0.0.1',0));print(s.getsockname()[1])"],
                            capture_output=True, text=True, check=True).stdout.strip()
    bad = supervisor.api("POST", "/test-connection", 200, json={"device": {
        "device_code": "X", "protocol": "modbus_tcp", "address": f"127.0.0.1:{closed}",
        "options": "connect_timeout_ms=500"}})
    assert not bad["ok"] and bad["error_category"] == "connection_error" and closed in bad["detail"]


def test_cli_verbs(supervisor, simulator, tmp_path):
    plant = counter_plant(tmp_path / "plant.xlsx", simulator.ports[0], group="G")
    done = supervisor.cli("import", plant)
    assert "2" in done.stdout and supervisor.get("/points")["total"] == 0  # shown, not applied
    supervisor.cli("import", plant, "--apply")
    supervisor.cli("start", "--group", "G")
    supervisor.wait_running("T")
    assert "RUNNING" in supervisor.cli("status").stdout
    assert json.loads(supervisor.cli("status", "T", "--json").stdout)
    assert "COUNT" in eventually(lambda: "COUNT" in (o := supervisor.cli("points", "T").stdout) and o, "points")
    session = supervisor.get("/sessions/active")["items"][0]["session_id"]
    assert str(session) in supervisor.cli("sessions").stdout
    supervisor.cli("timeline", session)
    supervisor.cli("health")
    supervisor.cli("logs", "T")
    supervisor.cli("test-connection", "D")
    assert "ok" in supervisor.cli("test-storage", "history").stdout
    supervisor.cli("export", tmp_path / "out.xlsx")
    supervisor.cli("template", tmp_path / "template.xlsx")
    assert openpyxl.load_workbook(tmp_path / "out.xlsx") and openpyxl.load_workbook(tmp_path / "template.xlsx")
    assert supervisor.cli("start", "T", check=False).returncode == 1      # runs already
    assert supervisor.cli("start", "NOPE", check=False).returncode == 1
    assert supervisor.cli("start", check=False).returncode == 2           # usage
    supervisor.cli("stop", "--all")
    gone = subprocess.run([BIN / "fieldwarden", "status", "--server", "http://127.0.0.1:1", "--token", "x"],
                          capture_output=True, text=True, timeout=60)
    assert gone.returncode == 3 and "127.0.0.1:1" in gone.stderr


def test_wrong_token_is_refused(supervisor):
    for path in ("/api/v1/tasks", "/api/v1/export", "/api/v1/processes"):
        import requests
        assert requests.get(supervisor.base + path, timeout=10).status_code == 401
        assert requests.get(supervisor.base + path, headers={"Authorization": "Bearer no"}, timeout=10).status_code == 401
    assert (supervisor.data_dir / "admin.token").stat().st_mode & 0o777 == 0o600
    assert (supervisor.data_dir / "run").stat().st_mode & 0o777 == 0o700
