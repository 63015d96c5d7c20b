"""The data directory on a disk that fills up: the task says so, nothing crashes, and it goes on when there is room."""

import os
import subprocess

import pytest
from harness import Supervisor, counter_plant, eventually


@pytest.fixture
def small_disk(tmp_path):
    mount = tmp_path / "disk"
    mount.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m,mode=700", "none", mount], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip("needs the right to mount a tmpfs: " + done.stderr.strip())
    yield mount
    subprocess.run(["umount", "--lazy", mount], check=True)


def test_full_disk(small_disk, simulator, tmp_path):
    supervisor = Supervisor(small_disk).start()
    try:
        supervisor.import_workbook(counter_plant(tmp_path / "plant.xlsx", simulator.ports[0], period_ms=20))
        session = supervisor.start_task("T")
        pid = supervisor.status("T")["pid"]
        filler = small_disk / "filler"
        with open(filler, "wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * 4096)
            except OSError:
                pass
        # What cannot be spooled is not acquired; the task and the supervisor stay up and say why.
        eventually(lambda: any("space" in entry["message"].lower() for entry in
                               supervisor.get("/tasks/T/logs", params={"limit": 200})["items"]), "a log line that names the disk")
        assert supervisor.get("/processes/T")["pid"] == pid
        os.unlink(filler)
        delivered = supervisor.get(f"/sessions/{session}/status")["points_delivered"]
        eventually(lambda: supervisor.get(f"/sessions/{session}/status")["points_delivered"] > delivered + 20, "delivery again")
        values = [item["value"] for item in supervisor.history(session, "COUNT") if item["quality"] == "good"]
        assert values == sorted(set(values))
        assert supervisor.status("T")["pid"] == pid
    finally:
        supervisor.stop()
        supervisor.end_orphans()
