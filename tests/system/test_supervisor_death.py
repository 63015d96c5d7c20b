"""The supervisor stops, is killed, comes back: what should run runs, what acquires goes on."""

import os
import signal
import subprocess

from harness import BIN, Supervisor, alive, counter_plant, eventually


def counts(supervisor, session):
    return [item["value"] for item in supervisor.history(session, "COUNT") if item["quality"] == "good"]


def test_clean_restart_brings_tasks_back(supervisor, simulator, tmp_path):
    supervisor.import_workbook(counter_plant(tmp_path / "plant.xlsx", simulator.ports[0]))
    supervisor.start_task("T")
    pid = supervisor.status("T")["pid"]
    assert supervisor.stop() == 0
    assert not alive(pid)
    supervisor.start()
    status = supervisor.wait_running("T")
    assert status["pid"] != pid and not status["adopted"]
    supervisor.api("POST", "/tasks/T/stop", 202)
    eventually(lambda: supervisor.status("T")["status"] == "STOPPED", "the stop")
    supervisor.stop()
    supervisor.start()
    assert supervisor.status("T")["status"] == "STOPPED"  # a person stopped it: it stays so


def test_killed_supervisor_leaves_workers_acquiring_and_the_next_adopts_them(supervisor, simulator, tmp_path):
    supervisor.import_workbook(counter_plant(tmp_path / "plant.xlsx", simulator.ports[0], period_ms=20))
    session = supervisor.start_task("T")
    pid = supervisor.status("T")["pid"]
    supervisor.kill()
    assert alive(pid)
    reads = simulator.control(device=0)["devices"][0]["requests"]
    eventually(lambda: simulator.control(device=0)["devices"][0]["requests"] > reads + 20, "reads without a supervisor")
    supervisor.start()
    status = eventually(lambda: (s := supervisor.status("T"))["status"] == "RUNNING" and s["adopted"] and s, "adoption")
    assert status["pid"] == pid and status["restart_count"] == 0
    assert supervisor.get("/sessions/active")["items"][0]["session_id"] == session
    before = len(counts(supervisor, session))
    eventually(lambda: len(counts(supervisor, session)) > before + 10, "samples after the adoption")
    values = counts(supervisor, session)
    assert values == list(range(values[0], values[0] + len(values))), "a gap or a double across the adoption"
    # Exit detection works for a worker that is not a child.
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: (s := supervisor.status("T"))["status"] == "RUNNING" and s["pid"] != pid, "a replacement")


def test_two_supervisors_on_one_data_dir(supervisor):
    second = subprocess.run([BIN / "fieldwarden", "serve", "--data-dir", supervisor.data_dir, "--listen", "127.0.0.1:0"],
                            capture_output=True, text=True, timeout=60)
    assert second.returncode != 0
    assert str(supervisor.pid) in second.stderr and str(supervisor.data_dir) in second.stderr
    assert supervisor.get("/tasks") is not None


def test_check_validates_and_exits(tmp_path):
    good = tmp_path / "good.toml"
    good.write_text('[server]\nlisten = "127.0.0.1:0"\n')
    done = subprocess.run([BIN / "fieldwarden", "serve", "--check", "--config", good, "--data-dir", tmp_path / "d"],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    bad = tmp_path / "bad.toml"
    bad.write_text('[server]\nlisten = 17\nlissten = "x"\n[worker]\nheartbeat_timeout = "-3s"\n')
    done = subprocess.run([BIN / "fieldwarden", "serve", "--check", "--config", bad, "--data-dir", tmp_path / "d"],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert "listen" in done.stderr and "heartbeat_timeout" in done.stderr and "lissten" in done.stderr
    exposed = subprocess.run([BIN / "fieldwarden", "serve", "--check", "--listen", "0.0.0.0:0", "--data-dir", tmp_path / "d"],
                             capture_output=True, text=True, timeout=60)
    assert exposed.returncode != 0 and "loopback" in exposed.stderr
