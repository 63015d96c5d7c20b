"""Alerting from end to end: a device is unplugged, somebody is told by webhook and mail, and it is over again."""
import base64
import email
import email.header
import hashlib
import hmac
import http.server
import json
import socketserver
import threading

import pytest
import requests

from harness import Simulator, Supervisor, Workbook, eventually

SECRET = "chn-7-secret"


class Hooks(http.server.ThreadingHTTPServer):
    """A webhook receiver that checks every signature; refuses with `status` while that is set."""

    def __init__(self):
        self.received = []
        self.refused = 0
        self.status = 200
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                timestamp = self.headers["X-Fieldwarden-Timestamp"]
                wanted = hmac.new(SECRET.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
                good = self.headers["X-Fieldwarden-Signature"] == "sha256=" + wanted
                if outer.status == 200 and good:
                    outer.received.append(json.loads(body) | {"delivery": self.headers["X-Fieldwarden-Delivery"]})
                else:
                    outer.refused += 1
                self.send_response(outer.status if good else 401)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/alerts"

    def of(self, alert_id):
        return [each for each in self.received if each["id"] == alert_id]


class MailSink(socketserver.ThreadingTCPServer):
    """Enough SMTP to take a mail."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self):
        self.mails = []
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                self.wfile.write(b"220 sink\r\n")
                envelope = []
                while line := self.rfile.readline():
                    verb = line[:4].upper()
                    if verb == b"DATA":
                        self.wfile.write(b"354 go on\r\n")
                        lines = []
                        while (part := self.rfile.readline()) not in (b".\r\n", b""):
                            lines.append(part[1:] if part.startswith(b"..") else part)
                        outer.mails.append((envelope, email.message_from_bytes(b"".join(lines))))
                        self.wfile.write(b"250 taken\r\n")
                    elif verb == b"QUIT":
                        self.wfile.write(b"221 bye\r\n")
                        return
                    else:
                        if verb in (b"MAIL", b"RCPT"):
                            envelope.append(line.decode().strip())
                        self.wfile.write(b"250 fine\r\n")

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"smtp://127.0.0.1:{self.server_address[1]}"

    def subjects(self):
        return [str(email.header.make_header(email.header.decode_header(mail["Subject"]))) for _, mail in self.mails]


@pytest.fixture
def simulator():
    simulator = Simulator(1)
    yield simulator
    simulator.stop()


@pytest.fixture
def hooks():
    hooks = Hooks()
    yield hooks
    hooks.shutdown()
    hooks.server_close()


@pytest.fixture
def mails():
    mails = MailSink()
    yield mails
    mails.shutdown()
    mails.server_close()


@pytest.fixture
def plant(tmp_path, simulator, hooks, mails):
    """A running task, channels for all three ways, and a quick rule on the connection of its device."""
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    supervisor = Supervisor(data).start()
    try:
        book = (Workbook().device("D", simulator.ports[0]).point("COUNT", "D", "hr:0", "uint32")
                .point("TEMP", "D", "hr:100", "float32").task("T", "D", 50))
        supervisor.import_workbook(book.save(tmp_path / "plant.xlsx"))
        supervisor.api("POST", "/alert-channels", 201, json={
            "code": "hook", "type": "webhook", "options": {"url": hooks.url, "secret": SECRET}})
        supervisor.api("POST", "/alert-channels", 201, json={
            "code": "post", "type": "email", "options": {
                "url": mails.url, "starttls": "none", "from": "plant@example.com", "to": "duty@example.com, boss@example.com"}})
        supervisor.api("POST", "/alert-rules", 201, json={
            "code": "cable", "kind": "connection", "for_ms": 300, "severity": "critical", "channels": ["*"],
            "message": "设备 {device} 断开: {detail}"})
        supervisor.start_task("T")
        yield supervisor
    finally:
        supervisor.stop()
        supervisor.end_orphans()


def alerts(supervisor, **query):
    return supervisor.get("/alerts", params={"page_size": 1000, **query})["items"]


def cable_alerts(supervisor, **query):
    return [each for each in alerts(supervisor, **query) if each["context"]["rule"] == "cable"]


def unplug(simulator):
    simulator.control(device=0, unplugged=True)


def plug_in(simulator):
    simulator.control(device=0, clear=True)


def test_unplugged_told_and_over(plant, simulator, hooks, mails):
    unplug(simulator)
    fired = eventually(lambda: cable_alerts(plant, state="firing"), "the alert")[0]
    assert (fired["process_name"], fired["device_code"], fired["severity"], fired["count"]) == ("T", "D", "critical", 1)
    assert fired["error_type"] == "connection_error" and fired["suggested_action"]
    told = eventually(lambda: hooks.of(fired["id"]), "the webhook")
    assert [each["state"] for each in told] == ["firing"]
    assert told[0]["message"].startswith("设备 D 断开")
    envelope, mail = eventually(lambda: mails.mails, "the mail")[0]
    assert envelope[0].startswith("MAIL FROM:<plant@example.com>")
    assert [line.split()[1] for line in envelope[1:]] == ["TO:<duty@example.com>", "TO:<boss@example.com>"]
    assert mail["From"] == "<plant@example.com>" and mail["Date"] and mail["Message-ID"]
    assert "设备 D 断开" in mails.subjects()[0]
    assert "设备 D 断开" in base64.b64decode(mail.get_payload()).decode()
    assert plant.get(f"/alerts/{fired['id']}")["state"] == "firing"
    metrics = requests.get(plant.base + "/metrics", timeout=10).text
    assert 'fieldwarden_alerts{state="firing",severity="critical"} 1' in metrics, metrics

    plug_in(simulator)
    eventually(lambda: plant.get(f"/alerts/{fired['id']}")["state"] == "resolved", "the end")
    eventually(lambda: [each["state"] for each in hooks.of(fired["id"])] == ["firing", "resolved"], "both told")
    eventually(lambda: any("resolved: 设备 D" in subject for subject in mails.subjects()), "the mail about the end")
    log = (plant.data_dir / "supervisor.out").read_text()
    assert SECRET not in log and "设备 D 断开" in log
    assert not cable_alerts(plant, state="open")


def test_acknowledged_by_the_command_line(plant, simulator, hooks):
    unplug(simulator)
    fired = eventually(lambda: cable_alerts(plant, state="firing"), "the alert")[0]
    shown = plant.cli("alerts").stdout
    assert "critical" in shown and "设备 D 断开" in shown
    plant.cli("alerts", "ack", fired["id"], "--note", "on my way")
    after = json.loads(plant.cli("alerts", "--json").stdout)["items"]
    after = next(each for each in after if each["id"] == fired["id"])
    assert after["state"] == "acknowledged"
    assert (after["context"]["acknowledged_by"], after["context"]["note"]) == ("admin.token", "on my way")
    entries = plant.get("/audit", params={"page_size": 200})["items"]
    assert any(each["action"] == "alert.ack" and each["subject"] == str(fired["id"]) for each in entries)
    assert SECRET not in json.dumps(entries)
    plug_in(simulator)
    eventually(lambda: plant.get(f"/alerts/{fired['id']}")["state"] == "resolved", "the end")
    assert plant.cli("alerts", "ack", fired["id"], check=False).returncode == 1
    assert plant.api("POST", f"/alerts/{fired['id']}/ack").get("status") == 409


def test_a_silence_keeps_it_quiet_but_not_secret(plant, simulator, hooks):
    silence = plant.api("POST", "/silences", 201, json={
        "ends_at": in_an_hour(), "devices": ["D"], "comment": "works"})
    assert silence["active"] and silence["created_by"] == "admin.token"
    unplug(simulator)
    fired = eventually(lambda: cable_alerts(plant, state="firing"), "the alert")[0]
    plug_in(simulator)
    eventually(lambda: plant.get(f"/alerts/{fired['id']}")["state"] == "resolved", "the end")
    assert hooks.of(fired["id"]) == []
    unplug(simulator)
    again = eventually(lambda: cable_alerts(plant, state="firing"), "the next alert")[0]
    plant.api("DELETE", f"/silences/{silence['id']}", 204)
    eventually(lambda: hooks.of(again["id"]), "told when the silence is gone")


def in_an_hour():
    import datetime
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)).isoformat()


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_the_next_supervisor_goes_on_with_the_alert(plant, simulator, hooks, end):
    unplug(simulator)
    fired = eventually(lambda: cable_alerts(plant, state="firing"), "the alert")[0]
    eventually(lambda: hooks.of(fired["id"]), "the webhook")
    getattr(plant, end)()
    plant.start()
    status = eventually(lambda: plant.status("T")["status"] == "RUNNING" and plant.status("T"), "the task runs again")
    assert status
    eventually(lambda: plant.status("T")["connections"] and not plant.status("T")["connections"][0]["is_connected"],
               "the device's absence is known again")
    seen = plant.get(f"/alerts/{fired['id']}")["last_at"]
    now = eventually(lambda: (lambda each: each["last_at"] > seen and each)(plant.get(f"/alerts/{fired['id']}")), "looked at again")
    assert (now["state"], now["count"]) == ("firing", 1)
    assert len(cable_alerts(plant)) == 1, "one alert still"
    assert len(hooks.of(fired["id"])) == 1
    plug_in(simulator)
    eventually(lambda: plant.get(f"/alerts/{fired['id']}")["state"] == "resolved", "the end")


def test_a_webhook_that_fails_is_tried_again(plant, simulator, hooks):
    hooks.status = 503
    unplug(simulator)
    fired = eventually(lambda: cable_alerts(plant, state="firing"), "the alert")[0]
    eventually(lambda: hooks.refused, "an attempt")
    hooks.status = 200
    eventually(lambda: hooks.of(fired["id"]), "another attempt")


def test_the_test_button(plant, hooks, mails):
    for code, subject in (("hook", hooks.received), ("post", mails.mails), ("log", None)):
        answer = plant.api("POST", f"/alert-channels/{code}/test", 200)
        assert answer["ok"], answer
        assert subject is None or len(subject) == 1
    assert hooks.received[0]["context"]["test"] is True
    plant.api("PATCH", "/alert-channels/hook", 200, json={"options": {"secret": "another"}})
    refused = plant.api("POST", "/alert-channels/hook/test", 200)
    assert not refused["ok"] and "401" in refused["detail"] and refused["error_category"] == "configuration_error"
    shown = plant.api("GET", "/alert-channels/hook", 200)
    assert shown["options"]["secret"] == "********"
    wrong = plant.api("PATCH", "/alert-channels/hook", 422, json={"options": {"timeout": "s3cret-in-the-wrong-place"}})
    assert wrong["errors"][0]["field"] == "options.timeout" and wrong["errors"][0]["value"] == ""


def test_points_over_a_limit(plant, simulator):
    rule = plant.api("POST", "/alert-rules", 201, json={
        "code": "counting", "kind": "threshold", "points": ["COU*"], "parameters": {"above": 5}, "severity": "info"})
    fired = eventually(lambda: [each for each in alerts(plant, state="firing") if each["point_code"] == "COUNT"],
                       "the counter over its limit")[0]
    assert (fired["process_name"], fired["device_code"], fired["error_type"]) == ("T", "D", "threshold")
    plant.api("PATCH", f"/alert-rules/{rule['id']}", 200, json={"enabled": False})
    eventually(lambda: plant.get(f"/alerts/{fired['id']}")["state"] == "resolved", "resolved with its rule")
    plant.api("DELETE", "/alert-rules/counting", 204)
    assert plant.api("DELETE", "/alert-rules/disk_low")["status"] == 409
