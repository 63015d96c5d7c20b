#!/usr/bin/env python3
"""100,000 float points a second over 10 tasks with spool and history, through the whole product.

The simulator runs beside it and is not counted; the supervisor and all workers are.
"""

import os
import pathlib
import sys
import tempfile
import time

sys.path[:0] = [str(pathlib.Path(__file__).parents[1]), str(pathlib.Path(__file__).parents[2] / "tests/system")]

from figures import figure, memory_mb, process_cpu_seconds, show  # noqa: E402
from harness import Simulator, Supervisor, Workbook, eventually  # noqa: E402

TASKS, POINTS, SECONDS = 10, 10_000, 20


def plant(path, ports):
    book = Workbook()
    for task in range(TASKS):
        device = f"D{task}"
        book.device(device, ports[task], options="timeout_ms=2000")
        for number in range(POINTS):
            book.point(f"D{task}_P{number}", device, f"hr:{2 + 2 * number}", "float32")
        book.task(f"T{task}", device, 1000)
    return book.save(path)


def main():
    simulator = Simulator(TASKS)
    with tempfile.TemporaryDirectory() as folder:
        data = pathlib.Path(folder, "data")
        data.mkdir(mode=0o700)
        supervisor = Supervisor(data).start()
        try:
            supervisor.import_workbook(plant(pathlib.Path(folder, "plant.xlsx"), simulator.ports))
            for task in range(TASKS):
                supervisor.start_task(f"T{task}")
            pids = [supervisor.status(f"T{task}")["pid"] for task in range(TASKS)] + [supervisor.pid]

            def delivered():
                return sum(item["points_delivered"] for item in supervisor.get("/sessions/active")["items"])

            before, cpu_before, at = delivered(), sum(map(process_cpu_seconds, pids)), time.monotonic()
            time.sleep(SECONDS)
            cpu, wall = sum(map(process_cpu_seconds, pids)) - cpu_before, time.monotonic() - at
            rate = (delivered() - before) / wall
            memory = {pid: memory_mb(pid) for pid in pids}
            eventually(lambda: supervisor.history(supervisor.get("/sessions/active")["items"][0]["session_id"], "D0_P9999", limit=5)
                       or supervisor.get("/sessions/active"), "history")
        finally:
            supervisor.stop()
            supervisor.end_orphans()
            simulator.stop()
    cores = cpu / wall
    show("throughput",
         figure("Float points delivered to the history, 10 tasks", rate, "points/s", target="100,000", met=rate > 95_000),
         figure("… processor time, supervisor and workers", cores, "cores", 0.75, "Neuron, storing nothing (measured earlier)",
                target="under 0.25", met=cores < 0.25),
         figure("… memory (proportional), supervisor and workers", sum(memory.values()), "MB", 191,
                "Neuron, storing nothing (measured earlier)", target="under 100", met=sum(memory.values()) < 100,
                supervisor=memory[pids[-1]]))


if __name__ == "__main__":
    main()
