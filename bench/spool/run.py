#!/usr/bin/env python3
"""Spool append against a bare write + fdatasync of the same bytes in the same groups, in turns on the same disk."""

import json
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
from figures import figure, show  # noqa: E402

PROGRAM = pathlib.Path(os.environ.get("FIELDWARDEN_BIN", "build/release/bin")).parent / "bench" / "bench_spool"


def main():
    raw = json.loads(subprocess.run([PROGRAM], check=True, capture_output=True, text=True).stdout)
    rate = figure("Spool append, durable", raw["spool_samples_per_second"], "samples/s", raw["bare_samples_per_second"],
                  "bare write + fdatasync", raw=raw)
    rate["ratio"] = raw["ratio"]
    show("spool", rate, figure("Spool, processor time on top of the bare write", raw["extra_cpu_ns_per_sample"], "ns/sample"))


if __name__ == "__main__":
    main()
