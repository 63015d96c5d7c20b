#!/usr/bin/env python3
"""kill -9 of a worker to the first good sample of its replacement, through the whole product on a simulated device.

Beside it the floor: the same kill and wait with a bare loop that only starts `fieldwarden-worker` (which leaves at once,
having no launch key), so that what the operating system needs to start this program is visible.
"""

import os
import pathlib
import signal
import statistics
import subprocess
import sys
import tempfile
import time

sys.path[:0] = [str(pathlib.Path(__file__).parents[1]), str(pathlib.Path(__file__).parents[2] / "tests/system")]

from figures import figure, show, spread  # noqa: E402
from harness import BIN, Simulator, Supervisor, counter_plant, eventually  # noqa: E402

ROUNDS = 25


def first_good_after(supervisor, session, moment):
    since = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment)) + f".{int(moment % 1 * 1000):03d}Z"
    for item in supervisor.history(session, "COUNT", start=since, limit=10):
        if item["quality"] == "good":
            stamp = item["timestamp"]
            whole = time.strptime(stamp[:19] + "UTC", "%Y-%m-%dT%H:%M:%S%Z")
            at = __import__("calendar").timegm(whole) + int(stamp[20:23]) / 1000
            if at > moment:
                return at
    return None


def bare_starts():
    """Time from fork to exit of the worker program started with nothing to do, in milliseconds."""
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        subprocess.run([BIN / "fieldwarden-worker"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, check=False)
        times.append((time.perf_counter() - start) * 1000)
    return times


def main():
    simulator = Simulator()
    with tempfile.TemporaryDirectory() as folder:
        data = pathlib.Path(folder, "data")
        data.mkdir(mode=0o700)
        # Every run counts as stable, so that each kill meets the first, immediate restart.
        supervisor = Supervisor(data, restart_stable_period="100ms").start()
        try:
            supervisor.import_workbook(counter_plant(pathlib.Path(folder, "plant.xlsx"), simulator.ports[0], period_ms=10))
            session = supervisor.start_task("T")
            times = []
            for _ in range(ROUNDS):
                pid = supervisor.wait_running("T")["pid"]
                time.sleep(0.4)  # past the stable period
                killed = time.time()
                os.kill(pid, signal.SIGKILL)
                first = eventually(lambda: first_good_after(supervisor, session, killed + 0.0005), "a sample after the kill")
                times.append((first - killed) * 1000)
        finally:
            supervisor.stop()
            supervisor.end_orphans()
            simulator.stop()
    bare = bare_starts()
    median = statistics.median(times)
    show("recovery", figure("kill -9 to first good sample", median, "ms", statistics.median(bare), "starting the worker program alone",
                            target="median under 25 ms", met=median < 25, spread=spread(times), bare=spread(bare)))


if __name__ == "__main__":
    main()
