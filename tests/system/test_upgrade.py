"""SIGUSR2: the supervisor becomes the program that was installed over it; nothing stops meanwhile."""

import os
import pathlib
import shutil
import signal
import threading

import pytest
import requests

from harness import BIN, Supervisor, alive, counter_plant, eventually


@pytest.fixture
def installed(tmp_path):
    """A supervisor that runs from an installation of its own, which a test may replace."""
    bin_dir = tmp_path / "bin"
    bin_dir.mkdir()
    for name in ("fieldwarden", "fieldwarden-worker"):
        shutil.copy2(BIN / name, bin_dir / name)
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    running = Supervisor(data, restart_first_delay="10m", restart_longest_delay="10m", restart_jitter=0)
    running.program = bin_dir / "fieldwarden"
    running.start()
    yield running
    running.stop()
    running.end_orphans()


def install(program, content=None):
    """Puts another file in the program's place, as a package manager does; None: the built one."""
    new = program.with_suffix(".new")
    if content is None:
        shutil.copy2(BIN / program.name, new)
    else:
        new.write_text(content)
        new.chmod(0o755)
    os.replace(new, program)


def lives(supervisor):
    return supervisor.said().count(" serves http://")


def upgrade(supervisor):
    before = lives(supervisor)
    os.kill(supervisor.pid, signal.SIGUSR2)
    eventually(lambda: lives(supervisor) > before, "the new program's first words")


class Knocker:
    """New connections, one after the other, until it is stopped; what went wrong with any of them."""

    def __init__(self, base):
        self.url = base + "/healthz"
        self.problems = []
        self.answers = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        while not self._stop.is_set():
            try:
                if requests.get(self.url, timeout=20, headers={"Connection": "close"}).status_code == 200:
                    self.answers += 1
                else:
                    self.problems.append("not 200")
            except requests.RequestException as error:
                self.problems.append(repr(error))

    def stop(self):
        self._stop.set()
        self._thread.join()


def test_nothing_is_missed(installed, simulator, tmp_path):
    installed.import_workbook(counter_plant(tmp_path / "plant.xlsx", simulator.ports[0], period_ms=20))
    session = installed.start_task("T")
    before = installed.status("T")
    base = installed.base
    install(installed.program)
    knocker = Knocker(base)
    eventually(lambda: knocker.answers > 5, "answers before the upgrade")
    upgrade(installed)
    answers = knocker.answers
    eventually(lambda: knocker.answers > answers + 5 or knocker.problems, "answers after the upgrade")
    knocker.stop()
    # A connection that was being answered at that moment may be closed; none is refused.
    assert all("refused" not in problem for problem in knocker.problems), knocker.problems

    assert pathlib.Path(f"/proc/{installed.pid}/exe").resolve() == installed.program.resolve()
    status = eventually(lambda: (s := installed.status("T"))["status"] == "RUNNING" and s, "the task after the upgrade")
    assert status["pid"] == before["pid"] and status["restart_count"] == 0
    assert installed.get("/sessions/active")["items"][0]["session_id"] == session

    count = len(installed.history(session, "COUNT"))
    eventually(lambda: len(installed.history(session, "COUNT")) > count + 20, "samples after the upgrade")
    values = [item["value"] for item in installed.history(session, "COUNT") if item["quality"] == "good"]
    assert values == list(range(values[0], values[0] + len(values))), "a gap or a double across the upgrade"

    # The worker is still this process's child: how it ends is known, and nothing stays behind as a zombie.
    os.kill(status["pid"], signal.SIGKILL)
    eventually(lambda: (s := installed.status("T"))["status"] == "RUNNING" and s["pid"] != status["pid"], "a replacement")
    assert "signal 9" in installed.status("T")["last_error"]
    eventually(lambda: not pathlib.Path(f"/proc/{status['pid']}").exists(), "the end of the old worker's zombie")


def test_a_program_that_fails_its_check_is_refused(installed, simulator, tmp_path):
    installed.import_workbook(counter_plant(tmp_path / "plant.xlsx", simulator.ports[0]))
    installed.start_task("T")
    worker = installed.status("T")["pid"]
    install(installed.program, "#!/bin/sh\necho 'error: this build is broken' >&2\nexit 1\n")
    os.kill(installed.pid, signal.SIGUSR2)
    eventually(lambda: "the upgrade is refused" in installed.said(), "the refusal")
    assert "this build is broken" in installed.said()
    assert lives(installed) == 1 and alive(installed.pid)
    assert installed.status("T")["pid"] == worker

    install(installed.program, "neither a program nor a script")
    os.kill(installed.pid, signal.SIGUSR2)
    eventually(lambda: installed.said().count("the upgrade is refused") == 2, "the second refusal")

    install(installed.program)
    upgrade(installed)
    eventually(lambda: installed.status("T")["status"] == "RUNNING", "the task after the upgrade")
    assert installed.status("T")["pid"] == worker


def test_a_task_between_two_processes_keeps_its_session(installed, simulator, tmp_path):
    installed.import_workbook(counter_plant(tmp_path / "plant.xlsx", simulator.ports[0]))
    session = installed.start_task("T")
    # The first restart is at once, the second waits ten minutes here.
    for _ in range(2):
        worker = installed.wait_running("T")["pid"]
        os.kill(worker, signal.SIGKILL)
        eventually(lambda: (s := installed.status("T"))["pid"] != worker, "the end of the worker")
    eventually(lambda: installed.status("T")["status"] == "BACKOFF", "the wait")
    upgrade(installed)
    status = installed.wait_running("T")
    assert status["restart_count"] == 2
    assert installed.get("/sessions/active")["items"][0]["session_id"] == session


def test_sigterm_during_an_upgrade_still_stops_everything(installed, simulator, tmp_path):
    installed.import_workbook(counter_plant(tmp_path / "plant.xlsx", simulator.ports[0]))
    installed.start_task("T")
    worker = installed.status("T")["pid"]
    os.kill(installed.pid, signal.SIGUSR2)
    os.kill(installed.pid, signal.SIGTERM)
    assert installed.process.wait(30) == 0
    assert not alive(worker)
