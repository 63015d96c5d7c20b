"""The supervisor's store in PostgreSQL: the same life as with a file, and what happens while the database is away."""
import os
import pathlib
import signal
import threading

import pytest
from harness import Simulator, Supervisor, alive, counter_plant, eventually
from stores import Postgres


@pytest.fixture
def database(tmp_path):
    (tmp_path / "postgres").mkdir()
    server = Postgres(tmp_path / "postgres", durable=True)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def stored(tmp_path, database, monkeypatch):
    monkeypatch.setenv("PGPASSWORD", "of-the-store-alone")
    (tmp_path / "data").mkdir()
    supervisor = Supervisor(tmp_path / "data", server_store=database.url, worker_warm_spares=0)
    supervisor.start()
    yield supervisor
    supervisor.stop()
    supervisor.end_orphans()


@pytest.fixture
def acquiring(stored, tmp_path):
    simulator = Simulator()
    stored.import_workbook(counter_plant(tmp_path / "plant.xlsx", simulator.ports[0]))
    session = stored.start_task("T")
    yield stored, session
    simulator.stop()


def count(supervisor, session):
    return len(supervisor.history(session, "COUNT"))


def test_configuration_and_sessions_are_in_the_database(acquiring, database):
    supervisor, session = acquiring
    assert database.query('SELECT task_code FROM fieldwarden.tasks') == [["T"]]
    eventually(lambda: database.query("SELECT status FROM fieldwarden.sessions ORDER BY id DESC LIMIT 1") == [["running"]],
               "the session's row")
    assert not (supervisor.data_dir / "state.db").exists()
    pid = supervisor.status("T")["pid"]
    # How the store is reached is no business of the workers.
    environment = pathlib.Path(f"/proc/{pid}/environ").read_bytes()
    assert b"of-the-store-alone" not in environment and b"postgresql://" not in environment
    assert b"of-the-store-alone" in pathlib.Path(f"/proc/{supervisor.pid}/environ").read_bytes()
    supervisor.kill()
    assert alive(pid)
    supervisor.start()
    status = eventually(lambda: (s := supervisor.status("T"))["status"] == "RUNNING" and s["adopted"] and s, "adoption")
    assert status["pid"] == pid
    assert supervisor.get("/sessions/active")["items"][0]["session_id"] == session
    assert supervisor.get("/audit/verify")["ok"]


def test_a_database_that_is_away_stops_no_task(acquiring, database):
    supervisor, session = acquiring
    supervisor.api("POST", "/sites", 201, json={"site_code": "BEFORE", "site_name": "BEFORE"})
    database.crash()
    before = count(supervisor, session)
    eventually(lambda: count(supervisor, session) > before + 20, "samples without a database")
    # From memory.
    assert supervisor.status("T")["status"] == "RUNNING"
    assert [task["task_code"] for task in supervisor.get("/tasks")["items"]] == ["T"]
    # What needs the store says so, and when to try again.
    for refused in (supervisor.call("POST", "/sites", json={"site_code": "MEANWHILE", "site_name": "MEANWHILE"}), supervisor.call("GET", "/audit")):
        assert refused.status_code == 503, refused.text
        assert refused.headers["Content-Type"] == "application/problem+json" and int(refused.headers["Retry-After"]) > 0
    assert supervisor.http.get(supervisor.base + "/readyz", timeout=30).status_code == 503
    # Supervision goes on: a worker that dies is replaced.
    pid = supervisor.status("T")["pid"]
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: (s := supervisor.status("T"))["status"] == "RUNNING" and s["pid"] != pid, "a replacement")
    database.start()
    eventually(lambda: supervisor.call("POST", "/sites", json={"site_code": "AFTER", "site_name": "AFTER"}).status_code == 201, "a write", 60)
    codes = [site["site_code"] for site in supervisor.get("/sites")["items"]]
    assert "BEFORE" in codes and "AFTER" in codes and "MEANWHILE" not in codes
    # What happened meanwhile was noted late and not lost.
    now = supervisor.status("T")["pid"]
    eventually(lambda: database.query("SELECT pid FROM fieldwarden.processes") == [[str(now)]], "the process table")
    assert supervisor.get("/audit/verify")["ok"]


def test_a_second_supervisor_is_refused(stored, database, tmp_path):
    (tmp_path / "other").mkdir()
    other = Supervisor(tmp_path / "other", server_store=database.url)
    with pytest.raises(AssertionError):
        other.start()
    assert "another supervisor uses this store" in other.said()
    assert stored.get("/sites")["total"] == 0


def test_starts_when_the_database_does(tmp_path, database):
    database.crash()
    (tmp_path / "data").mkdir()
    supervisor = Supervisor(tmp_path / "data", server_store=database.url)

    def revive():
        said = supervisor.data_dir / "supervisor.out"
        eventually(lambda: "trying again" in said.read_text(), "a word that it waits")
        database.start()
    helper = threading.Thread(target=revive)
    helper.start()
    supervisor.start()
    helper.join()
    assert supervisor.get("/sites")["total"] == 0
    supervisor.stop()


def test_an_upgrade_in_place_keeps_the_store(acquiring):
    supervisor, session = acquiring
    pid = supervisor.status("T")["pid"]
    before = supervisor.said().count("serves http")
    os.kill(supervisor.pid, signal.SIGUSR2)
    eventually(lambda: supervisor.said().count("serves http") > before, "the next program")
    status = eventually(lambda: (s := supervisor.status("T"))["status"] == "RUNNING" and s["adopted"] and s, "adoption")
    assert status["pid"] == pid
    assert supervisor.get("/sessions/active")["items"][0]["session_id"] == session
