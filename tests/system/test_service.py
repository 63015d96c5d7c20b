"""What systemd hears: ready, signs of life, reloading, stopping. The other end of NOTIFY_SOCKET is the test."""

import os
import signal
import socket
import threading

import pytest

from harness import Supervisor, alive, counter_plant, eventually


class Manager:
    """A service manager's notification socket."""

    def __init__(self, path):
        self.path = str(path)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.settimeout(0.2)
        self.lines = []
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        while not self.stopping.is_set():
            try:
                self.lines += self.socket.recv(65536).decode().splitlines()
            except TimeoutError:
                continue

    def stop(self):
        self.stopping.set()
        self.thread.join()
        self.socket.close()


@pytest.fixture
def service(tmp_path, monkeypatch):
    manager = Manager(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", manager.path)
    monkeypatch.setenv("WATCHDOG_USEC", "3000000")
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    running = Supervisor(data)
    running.manager = manager
    running.start()
    yield running
    running.stop()
    running.end_orphans()
    manager.stop()


def test_ready_alive_reloading_stopping(service, simulator, tmp_path):
    said = service.manager.lines
    eventually(lambda: "READY=1" in said, "READY=1")
    eventually(lambda: said.count("WATCHDOG=1") >= 3, "signs of life")
    service.import_workbook(counter_plant(tmp_path / "plant.xlsx", simulator.ports[0]))
    service.start_task("T")
    worker = service.status("T")["pid"]
    environment = open(f"/proc/{worker}/environ", "rb").read()
    assert b"NOTIFY_SOCKET" not in environment and b"WATCHDOG_USEC" not in environment, "a worker must not speak for the service"

    os.kill(service.pid, signal.SIGUSR2)
    eventually(lambda: "RELOADING=1" in said, "RELOADING=1")
    eventually(lambda: "READY=1" in said[said.index("RELOADING=1"):], "READY=1 after the reload")
    assert any(line.startswith("MONOTONIC_USEC=") for line in said)
    eventually(lambda: service.status("T")["status"] == "RUNNING", "the task after the reload")
    assert service.status("T")["pid"] == worker
    beats = said.count("WATCHDOG=1")
    eventually(lambda: said.count("WATCHDOG=1") > beats + 1, "signs of life after the reload")

    assert service.stop() == 0
    assert "STOPPING=1" in said and not alive(worker)


def test_a_frozen_loop_gives_no_sign_of_life(service):
    said = service.manager.lines
    eventually(lambda: said.count("WATCHDOG=1") >= 1, "a sign of life")
    os.kill(service.pid, signal.SIGSTOP)
    try:
        # What was on its way has arrived when the count stands still.
        counts = []

        def still():
            counts.append(said.count("WATCHDOG=1"))
            return len(counts) > 100 and counts[-1] == counts[-100]

        eventually(still, "silence")
    finally:
        os.kill(service.pid, signal.SIGCONT)
    beats = said.count("WATCHDOG=1")
    eventually(lambda: said.count("WATCHDOG=1") > beats, "a sign of life again")
