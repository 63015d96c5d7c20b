"""A warm spare takes over the task of a worker that died: a real process that has to become that task's worker in everything."""

import os
import pathlib
import signal

import pytest

from harness import Supervisor, alive, counter_plant, eventually


def environment(pid):
    entries = pathlib.Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return dict(entry.decode().split("=", 1) for entry in entries if b"=" in entry)


def spares(supervisor):
    """Workers of this supervisor that wait for a task."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and (entry / "comm").read_text().startswith("fieldwarden-w"):
                values = environment(int(entry.name))
                if values["FIELDWARDEN_DATA_DIR"] == str(supervisor.data_dir) and not values["FIELDWARDEN_TASK"].strip():
                    found.append(int(entry.name))
        except (OSError, KeyError):
            continue
    return found


@pytest.fixture
def supervisor(tmp_path):
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    # Every run counts as stable: each death meets the first, immediate restart.
    running = Supervisor(data, restart_stable_period="0s").start()
    yield running
    running.stop()
    running.end_orphans()


def test_a_spare_becomes_the_worker_of_the_task_that_lost_its_own(supervisor, simulator, tmp_path):
    supervisor.import_workbook(counter_plant(tmp_path / "plant.xlsx", simulator.ports[0]))
    session = supervisor.start_task("T")
    first = supervisor.status("T")["pid"]

    def taken_over():
        """Kills the worker; the pid of the spare if it was connected in time to take over, which the next one then is."""
        (spare,) = eventually(lambda: spares(supervisor), "a spare")
        pid = supervisor.wait_running("T")["pid"]
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: supervisor.status("T")["pid"] not in (pid, None), "a replacement")
        supervisor.wait_running("T")
        return spare if supervisor.status("T")["pid"] == spare else None

    pid = eventually(taken_over, "the spare in the place of the worker")
    assert pid != first
    assert supervisor.status("T")["start_time"] > supervisor.get(f"/sessions/{session}")["started_at"]
    assert environment(pid)["FIELDWARDEN_TASK"] == "T"
    assert os.readlink(f"/proc/{pid}/fd/2") == str(supervisor.data_dir / "log" / "T.crash")
    items = supervisor.history(session, "COUNT")
    assert len(items) == len({item["timestamp"] for item in items}), "one session, no sample twice"

    # It outlives its supervisor as any worker does; a spare that waits does not.
    (waiting,) = eventually(lambda: spares(supervisor), "the next spare")
    supervisor.kill()
    # One that had not even asked who its parent is leaves after a minute of silence.
    eventually(lambda: not alive(waiting), "the end of the waiting spare", 90)
    supervisor.start()
    status = supervisor.wait_running("T")
    assert status["pid"] == pid and status["adopted"]
