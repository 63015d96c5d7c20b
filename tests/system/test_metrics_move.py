"""Numbers of /metrics move when the thing they count happens."""

import http.server
import os
import re
import signal
import threading

import pytest

from harness import Workbook, eventually

LINE = re.compile(r"([a-zA-Z_:][\w:]*)(\{.*\})? (\S+)")


class Sink(http.server.ThreadingHTTPServer):
    """An InfluxDB that answers everything with `status`."""

    daemon_threads = True

    def __init__(self):
        outer, self.status = self, 204

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                answer = b"" if outer.status == 204 else b'{"code":"x","message":"unable to parse"}'
                self.send_response(outer.status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Metrics:
    def __init__(self, supervisor):
        self.supervisor = supervisor

    def all(self):
        text = self.supervisor.http.get(self.supervisor.base + "/metrics", timeout=10).text
        series = (LINE.fullmatch(line).groups() for line in text.splitlines() if line and not line.startswith("#"))
        return [(name, dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', labels or "")), float(value)) for name, labels, value in series]

    def value(self, name, **labels):
        """The sum of its series that have these labels; None when there is none."""
        values = [value for one, has, value in self.all() if one == "fieldwarden_" + name and labels.items() <= has.items()]
        return sum(values) if values else None

    def rises(self, name, above=None, **labels):
        """Waits until it is above what it was, and returns it."""
        before = above if above is not None else self.value(name, **labels) or 0
        return eventually(lambda: (now := self.value(name, **labels)) is not None and now > before and now, f"{name} above {before}")

    def becomes(self, name, wanted, **labels):
        eventually(lambda: self.value(name, **labels) == wanted, f"{name} {labels} to be {wanted}")


@pytest.fixture
def sink():
    server = Sink()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def plant(supervisor, simulator, sink, tmp_path):
    book = Workbook().device("D", simulator.ports[0]).point("COUNT", "D", "hr:0", "uint32").task("T", "D", 50, sinks="IN")
    book.add("sinks", sink_code="IN", type="influxdb", url=f"http://127.0.0.1:{sink.server_port}", options="org=o; bucket=b; gzip=false")
    supervisor.import_workbook(book.save(tmp_path / "plant.xlsx"))
    return supervisor


@pytest.fixture
def metrics(plant):
    return Metrics(plant)


def test_states_of_tasks(plant, metrics):
    metrics.becomes("tasks", 1, state="STOPPED")
    assert metrics.value("tasks") == 1 and metrics.value("tasks", state="RUNNING") == 0
    launches = metrics.value("worker_launches_total")
    plant.start_task("T")
    metrics.becomes("tasks", 1, state="RUNNING")
    metrics.becomes("task_state", 1, task="T", state="RUNNING")
    assert metrics.value("worker_launches_total") > launches
    assert metrics.value("tasks") == 1
    plant.api("POST", "/tasks/T/pause", 202)
    metrics.becomes("tasks", 1, state="PAUSED")
    plant.api("POST", "/tasks/T/stop", 202)
    metrics.becomes("tasks", 1, state="STOPPED")


def test_heartbeat_age_restarts_and_deaths(plant, metrics):
    plant.start_task("T")
    deaths, restarts = metrics.value("worker_deaths_total"), metrics.value("task_restarts_total", task="T") or 0
    os.kill(plant.status("T")["pid"], signal.SIGSTOP)
    # Heartbeats come every second; a worker silent for five is killed and restarted.
    metrics.rises("task_heartbeat_age_seconds", above=2, task="T")
    metrics.rises("worker_deaths_total", above=deaths)
    metrics.rises("task_restarts_total", above=restarts, task="T")
    metrics.becomes("task_state", 1, task="T", state="RUNNING")
    eventually(lambda: (age := metrics.value("task_heartbeat_age_seconds", task="T")) is not None and age < 2, "heartbeats again")


def test_points_deliveries_and_errors(plant, simulator, metrics):
    plant.start_task("T")
    for _ in range(2):
        for counter in ("task_points_read_total", "task_points_delivered_total"):
            metrics.rises(counter, task="T")
        metrics.rises("points_processed_total")
        for sink_code in ("IN", "history"):
            metrics.rises("sink_delivery_age_seconds_count", task="T", sink=sink_code)
    # A histogram's buckets hold all that came before, and the last holds all.
    one = {"task": "T", "sink": "IN"}
    buckets = [(float(has["le"]), value) for name, has, value in metrics.all()
               if name == "fieldwarden_sink_delivery_age_seconds_bucket" and one.items() <= has.items()]
    assert [value for _, value in sorted(buckets)] == sorted(value for _, value in buckets)
    assert sorted(buckets)[-1][0] == float("inf") and sorted(buckets)[-1][1] > 0
    errors = metrics.value("task_errors_total", task="T")
    simulator.control(device=0, unplugged=True)
    metrics.rises("task_errors_total", above=errors, task="T")


def test_spool_and_dead_letters(plant, sink, metrics):
    plant.start_task("T")
    metrics.rises("sink_delivery_age_seconds_count", task="T", sink="IN")
    sink.status = 503
    pending = metrics.rises("task_spool_pending", above=20, task="T")
    metrics.rises("task_spool_pending", above=pending, task="T")
    assert metrics.value("task_spool_bytes", task="T") > 0
    metrics.rises("queue_pending", above=20)
    sink.status = 204
    eventually(lambda: (left := metrics.value("task_spool_pending", task="T")) is not None and left < 20, "the spool delivered")
    # Late samples are in the histogram as late.
    delayed = eventually(lambda: metrics.value("sink_delivery_age_seconds_sum", task="T", sink="IN"), "ages")
    assert delayed > 0
    assert metrics.value("queue_dead") == 0
    sink.status = 400
    metrics.rises("queue_dead")


def test_requests(plant, metrics):
    def counted(status, **labels):
        return metrics.value("http_requests_total", status=str(status), **labels) or 0

    sites = {"route": "/api/v1/sites", "method": "GET"}
    before, timed = counted(200, **sites), metrics.value("http_request_duration_seconds_count", **sites) or 0
    unmatched, refused = counted(404, route="unmatched"), counted(404, route="/api/v1/sites/{id}")
    for _ in range(3):
        plant.get("/sites")
    plant.api("GET", "/sites/none", 404)
    plant.api("GET", "/nothing-here", 404)
    # An answer may be with the client before it is counted.
    eventually(lambda: counted(200, **sites) == before + 3, "three requests")
    metrics.becomes("http_request_duration_seconds_count", timed + 3, **sites)
    eventually(lambda: counted(404, route="/api/v1/sites/{id}") == refused + 1, "the unknown site")
    eventually(lambda: counted(404, route="unmatched") == unmatched + 1, "the unknown path")
