#!/usr/bin/env python3
"""Every driver against the plainest client of its protocol on the same server: points a second, and processor time per million points."""

import json
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
from figures import figure, show  # noqa: E402

PROGRAM = pathlib.Path(os.environ.get("FIELDWARDEN_BIN", "build/release/bin")).parent / "bench" / "bench_drivers"


def main():
    done = json.loads(subprocess.run([PROGRAM], check=True, capture_output=True, text=True).stdout)
    figures = []
    for row in done["rows"]:
        figures.append(figure(f"{row['name']} driver, client and server on one CPU", row["points_per_second"], "points/s",
                              row["plain_points_per_second"], "plain client that looks at nothing", raw=row))
        figures[-1]["ratio"] = row["ratio"]  # the median of the rounds' ratios
        figures.append(figure(f"{row['name']} driver, processor time", row["cpu_seconds_per_million_points"], "CPU s per million points",
                              row["plain_cpu_seconds_per_million_points"], "plain client"))
        figures[-1]["ratio"] = row["cpu_ratio"]
    show("drivers", *figures)


if __name__ == "__main__":
    main()
