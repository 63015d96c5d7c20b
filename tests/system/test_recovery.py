"""A worker that lives but does not do its job, or takes too much: what is noticed, what is done about it, what is said.

The limits are set low for the test instead of the worker being made large: what is looked at is the way from the
measurement to the action.
"""

import os
import pathlib
import re
import signal
import socket
import threading

import pytest

from harness import Supervisor, Workbook, alive, counter_plant, eventually


@pytest.fixture
def make_supervisor(tmp_path):
    started = []

    def make(**settings):
        data = tmp_path / f"data{len(started)}"
        data.mkdir(mode=0o700)
        running = Supervisor(data, **settings)
        started.append(running)
        return running.start()

    yield make
    for running in started:
        running.stop()
        running.end_orphans()


def walk(items):
    for item in items:
        yield item
        yield from walk(item["children"])


def entries(supervisor, session, log_type=None):
    found = walk(supervisor.get(f"/sessions/{session}/timeline")["items"])
    return [entry for entry in found if log_type is None or entry["log_type"] == log_type]


def strategies(supervisor, session):
    """Recovery actions in the order they were taken, with their category."""
    return [(e["retry_context"]["strategy_name"], e["retry_context"]["error_category"])
            for e in entries(supervisor, session, "strategy_change") if e["retry_context"]]


def wait_for_strategies(supervisor, session, wanted, deadline=30):
    seen = []

    def taken():
        seen[:] = strategies(supervisor, session)
        return seen[:len(wanted)] == wanted

    try:
        eventually(taken, f"the recovery {wanted}", deadline)
    except AssertionError as error:
        raise AssertionError(f"{error}; taken: {seen}; {supervisor.status('T')}") from None


QUICK = {"health_interval": "200ms", "health_data_timeout": "1s", "health_connection_timeout": "1s",
         "restart_stable_period": "1ms"}


def test_too_much_memory_restarts_once_and_then_asks_for_a_person(make_supervisor, simulator, tmp_path):
    supervisor = make_supervisor(**QUICK)
    book = Workbook().device("D", simulator.ports[0]).task("T", "D", 200, options="memory_mb=1")
    for n in range(5_000):  # takes a few megabytes
        book.point(f"P{n}", "D", f"hr:{n}", "int16")
    supervisor.import_workbook(book.save(tmp_path / "p.xlsx"))
    session = supervisor.api("POST", "/tasks/T/start", 202)["session_id"]
    wait_for_strategies(supervisor, session, [("restart_process", "resource_exhaustion"),
                                              ("alert_operator", "resource_exhaustion")])
    assert supervisor.wait_running("T")["restart_count"] == 1, "a restart that does not help is not repeated"
    checks = {c["check_type"]: c for c in supervisor.get("/processes/T/health")["items"]}
    assert checks["resource_usage"]["status"] == "critical" and checks["resource_usage"]["recommendations"]


def test_leaking_descriptors_restart_the_worker(make_supervisor, simulator, tmp_path):
    supervisor = make_supervisor(**QUICK)
    supervisor.import_workbook(counter_plant(tmp_path / "p.xlsx", simulator.ports[0],
                                             options="open_files=100; descriptors_percent=1; nice=5"))
    session = supervisor.api("POST", "/tasks/T/start", 202)["session_id"]
    wait_for_strategies(supervisor, session, [("restart_process", "resource_exhaustion"),
                                              ("alert_operator", "resource_exhaustion")])
    status = supervisor.wait_running("T")
    limits = pathlib.Path(f"/proc/{status['pid']}/limits").read_text()
    assert re.search(r"Max open files\s+100\s+100\s", limits), limits
    nice = int(pathlib.Path(f"/proc/{status['pid']}/stat").read_text().rsplit(")", 1)[1].split()[16])
    assert nice >= 5


def test_too_much_processor_time_asks_for_a_person(make_supervisor, simulator, tmp_path):
    supervisor = make_supervisor(**QUICK)
    book = Workbook().device("D", simulator.ports[0])
    for number in range(1000):
        book.point(f"P{number}", "D", f"hr:{100 + 2 * number}", "float32")
    supervisor.import_workbook(book.task("T", "D", 10, options="cpu_percent=1; log_level=error").save(tmp_path / "p.xlsx"))
    session = supervisor.api("POST", "/tasks/T/start", 202)["session_id"]
    pid = supervisor.wait_running("T")["pid"]
    wait_for_strategies(supervisor, session, [("alert_operator", "resource_exhaustion")])
    assert supervisor.status("T")["pid"] == pid, "only a person can lengthen the period"


class Mute:
    """A device that accepts every connection and never says a word."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.connections = []
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        while True:
            try:
                self.connections.append(self.listener.accept()[0])
            except OSError:
                return

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()
        for connection in self.connections:
            connection.close()


def test_a_device_that_accepts_and_never_answers(make_supervisor, tmp_path):
    mute = Mute()
    try:
        supervisor = make_supervisor(**QUICK)
        supervisor.import_workbook(counter_plant(tmp_path / "p.xlsx", mute.port))
        session = supervisor.api("POST", "/tasks/T/start", 202)["session_id"]
        wait_for_strategies(supervisor, session, [("reset_connection", "connection_error"),
                                                  ("alert_operator", "connection_error")])
        status = supervisor.status("T")
        assert status["status"] == "RUNNING" and status["restart_count"] == 0, "device trouble is not process trouble"
        assert status["connection_status"] == "disconnected" and "answer" in status["last_error"].lower() or \
            "timed out" in status["last_error"].lower() or "timeout" in status["last_error"].lower(), status
        assert supervisor.get("/health")["overall_status"] == "critical"
    finally:
        mute.stop()


def test_a_worker_that_never_gets_ready(make_supervisor, simulator, tmp_path):
    sleeper = tmp_path / "sleeper"
    sleeper.write_text("#!/bin/sh\necho 'waiting for nothing' >&2\nexec sleep 600\n")
    sleeper.chmod(0o755)
    supervisor = make_supervisor(worker_program=sleeper, worker_start_timeout="600ms",
                                 restart_first_delay="50ms", restart_max_attempts=1)
    supervisor.import_workbook(counter_plant(tmp_path / "p.xlsx", simulator.ports[0]))
    session = supervisor.api("POST", "/tasks/T/start", 202)["session_id"]
    eventually(lambda: supervisor.status("T")["status"] == "CRASHED", "giving up")
    story = entries(supervisor, session)
    assert [e["log_type"] for e in story] == ["execution_start", "retry_attempt", "timeout"]
    assert all("not ready within 600ms" in e["message"] for e in story[1:])
    assert "waiting for nothing" in story[-1]["exception_info"]
    assert story[-1]["execution_phase"] == "final"


def test_a_slow_device_is_asked_less_often_and_says_so(make_supervisor, simulator, tmp_path):
    supervisor = make_supervisor()
    book = Workbook().device("D", simulator.ports[0], options="timeout_ms=100; reconnect_min_ms=20; reconnect_max_ms=50")
    book.point("COUNT", "D", "hr:0", "uint32").task("T", "D", 200)
    supervisor.import_workbook(book.save(tmp_path / "slow.xlsx"))
    session = supervisor.start_task("T")
    stop = threading.Event()

    def trouble():  # a single answer of several is lost, again and again
        while not stop.wait(0.9):
            simulator.control(device=0, reply="silent", times=1)

    thread = threading.Thread(target=trouble)
    thread.start()
    try:
        wait_for_strategies(supervisor, session, [("reduce_frequency", "data_collection_error")], 60)
    finally:
        stop.set()
        thread.join()
    entry = entries(supervisor, session, "strategy_change")[0]
    assert entry["retry_context"]["adaptive_adjustments"] == ["period of D × 2"]
    assert supervisor.status("T")["restart_count"] == 0


def test_fifty_workers_killed_together_come_back_and_the_loop_keeps_turning(make_supervisor, simulator, tmp_path):
    supervisor = make_supervisor()
    book = Workbook().device("D", simulator.ports[0])
    codes = [f"T{n:02}" for n in range(50)]
    for n, code in enumerate(codes):
        book.point(f"P{n:02}", "D", "hr:0", "uint16")
        book.task(code, "", 1000, points=f"P{n:02}")
    supervisor.import_workbook(book.save(tmp_path / "many.xlsx"))
    supervisor.api("POST", "/tasks/actions", 200, json={"action": "start", "all": True})
    eventually(lambda: supervisor.get("/processes", params={"page_size": 100, "q": "running"})["total"] == 50, "all running", 60)
    before = {p["name"]: p["pid"] for p in supervisor.get("/processes", params={"page_size": 100})["items"]}
    for pid in before.values():
        os.kill(pid, signal.SIGKILL)

    def all_back():
        now = supervisor.get("/processes", params={"page_size": 100})["items"]
        return all(p["status"] == "RUNNING" and p["pid"] not in (None, before[p["name"]]) for p in now)

    eventually(all_back, "fifty replacements", 60)
    assert all(p["restart_count"] == 1 for p in supervisor.get("/processes", params={"page_size": 100})["items"])
    assert not any(alive(pid) for pid in before.values())
