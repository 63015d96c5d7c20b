"""What a sink refuses for good: kept, shown, told, delivered again; and what is lost because a sink takes nothing at all."""

import http.server
import json
import re
import socket
import threading

import pytest
from harness import Workbook, eventually


class Store(http.server.ThreadingHTTPServer):
    """Answers InfluxDB's write path; refuses every line for good while told so."""

    def __init__(self):
        self.refuse, self.lines = False, []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                answer = b'{"code":"invalid","message":"unable to parse: bad field"}' if outer.refuse else b""
                self.send_response(400 if outer.refuse else 204)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)
                if not outer.refuse:
                    outer.lines += body.splitlines()

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def values(self):
        """Of the counter, as numbers."""
        return {float(found[1]) for line in list(self.lines) if "point=COUNT" in line and (found := re.search(r"[ ,]value=([^ ,]+)", line))}


@pytest.fixture
def store():
    server = Store()
    yield server
    server.shutdown()
    server.server_close()


def letters(supervisor):
    return supervisor.get("/dead-letters", params={"task_code": "T", "sink_code": "IN", "page_size": 1000})


def test_refused_records_are_kept_shown_and_delivered_again(supervisor, simulator, store, tmp_path):
    book = (Workbook().device("D", simulator.ports[0]).point("COUNT", "D", "hr:0", "uint32").task("T", "D", 100, sinks="IN"))
    book.add("sinks", sink_code="IN", type="influxdb", url=f"http://127.0.0.1:{store.server_port}",
             options="org=o; bucket=b; token=not-checked-here; gzip=false")
    supervisor.import_workbook(book.save(tmp_path / "plant.xlsx"))
    session = supervisor.start_task("T")
    eventually(lambda: store.lines, "the first delivery")
    store.refuse = True
    page = eventually(lambda: (p := letters(supervisor))["total"] >= 5 and p, "dead letters")
    store.refuse = False
    letter = page["items"][0]
    assert "unable to parse" in letter["reason"] and letter["samples"][0]["point_code"] == "COUNT"
    assert "not-checked-here" not in str(page)
    alert = eventually(lambda: [a for a in supervisor.get("/alerts")["items"] if "IN" in a["message"] and "unable to parse" in str(a)],
                       "the alert")[0]
    assert alert["severity"] == "warning" and alert["process_name"] == "T"
    # Fresh data goes on meanwhile.
    lines = len(store.lines)
    eventually(lambda: len(store.lines) > lines, "fresh data behind the refused")

    lost = [sample["value"] for item in letters(supervisor)["items"] for sample in item["samples"]]
    done = supervisor.cli("dead-letters", "retry", "--task", "T")
    assert done.returncode == 0
    eventually(lambda: letters(supervisor)["total"] == 0, "the letters to be delivered")
    eventually(lambda: set(lost) <= store.values(), "what was refused in the store")
    eventually(lambda: all(a["state"] == "resolved" for a in supervisor.get("/alerts")["items"] if a["id"] == alert["id"]),
               "the alert to end")
    good = [item["value"] for item in supervisor.history(session, "COUNT")]
    assert good == sorted(set(good))


def test_letters_outlive_worker_and_supervisor_and_can_be_cleared(supervisor, simulator, store, tmp_path):
    book = (Workbook().device("D", simulator.ports[0]).point("COUNT", "D", "hr:0", "uint32").task("T", "D", 100, sinks="IN"))
    book.add("sinks", sink_code="IN", type="influxdb", url=f"http://127.0.0.1:{store.server_port}",
             options="org=o; bucket=b; gzip=false")
    supervisor.import_workbook(book.save(tmp_path / "plant.xlsx"))
    store.refuse = True
    supervisor.start_task("T")
    eventually(lambda: letters(supervisor)["total"] >= 3, "dead letters")
    supervisor.api("POST", "/tasks/T/stop", 202)
    eventually(lambda: supervisor.status("T")["status"] == "STOPPED", "the stop")
    kept = letters(supervisor)["total"]
    supervisor.stop()
    supervisor.start()
    assert letters(supervisor)["total"] == kept
    assert "unable to parse" in supervisor.cli("dead-letters", "list", "--limit", "1").stdout
    cleared = json.loads(supervisor.cli("dead-letters", "clear", "--task", "T", "--json").stdout)
    assert cleared["letters"] == kept
    assert letters(supervisor)["total"] == 0
    # A slip of the pen is not taken for a sink that has no letters.
    assert supervisor.http.delete(supervisor.base + "/api/v1/dead-letters", params={"sink_code": "IN"}, timeout=10).status_code == 200
    unknown = supervisor.http.delete(supervisor.base + "/api/v1/dead-letters", params={"sink_code": "INN"}, timeout=10)
    assert unknown.status_code == 404 and "there is no sink INN" in unknown.json()["detail"]


def test_samples_that_a_full_spool_drops_are_counted(supervisor, simulator, tmp_path):
    book = Workbook().device("D", simulator.ports[0])
    for number in range(100):
        # One register read over and over; scaled, a value takes eight bytes in the spool.
        book.point(f"P{number}", "D", "hr:0", "uint32", scale=0.1)
    book.task("T", "D", 10, sinks="AWAY", options=f"spool_max_bytes={1 << 20}")
    with socket.socket() as nobody:  # bound, but not listening
        nobody.bind(("127.0.0.1", 0))
        book.add("sinks", sink_code="AWAY", type="influxdb", url=f"http://127.0.0.1:{nobody.getsockname()[1]}", options="org=o; bucket=b")
        supervisor.import_workbook(book.save(tmp_path / "plant.xlsx"))
        assert dropped(supervisor) == 0
        supervisor.start_task("T")
        first = eventually(lambda: dropped(supervisor), "samples dropped", 120)
        eventually(lambda: dropped(supervisor) > first, "more of them", 120)


def dropped(supervisor):
    text = supervisor.http.get(supervisor.base + "/metrics", timeout=10).text
    return float(re.search(r"^fieldwarden_spool_dropped_total (\S+)$", text, re.MULTILINE).group(1))
