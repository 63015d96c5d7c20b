#!/usr/bin/env python3
"""Registers a second of one device's driver and pipeline against a bare libmodbus loop; cost of 100 devices in one task."""

import json
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
from figures import figure, show  # noqa: E402

PROGRAM = pathlib.Path(os.environ.get("FIELDWARDEN_BIN", "build/release/bin")).parent / "bench" / "bench_modbus"


def run(*arguments):
    return json.loads(subprocess.run([PROGRAM, *arguments], check=True, capture_output=True, text=True).stdout)


def main():
    figures = []
    # Client and server on one CPU, then on two: a shared CPU saves the wake-ups between them.
    for cpus, words in (("same", "client and server on one CPU"), ("split", "client and server on a CPU each")):
        rate = run("rate", "--cpus", cpus)
        figures.append(figure(f"Modbus registers read, {words}", rate["registers_per_second"], "registers/s",
                              rate["bare_libmodbus_registers_per_second"], "bare libmodbus loop", target="≥ 0.9 of the bare loop",
                              met=rate["ratio"] >= 0.9, raw=rate))
        figures[-1]["ratio"] = rate["ratio"]  # the median of the rounds' ratios
    devices = run("devices", "--devices", "100")
    figures.append(figure("100 devices in one task, 1 s period", devices["cpu_cores"] * 100, "% of a core", raw=devices))
    figures.append(figure("100 devices in one task, private memory", devices["private_mb"], "MB"))
    show("modbus", *figures)


if __name__ == "__main__":
    main()
