"""The shape every benchmark prints: one JSON object with its figures, each with what stands beside it and its target."""

import json
import os
import platform
import statistics


def figure(name, ours, unit, reference=None, reference_name=None, target=None, met=None, **more):
    """`target` is text for the table, `met` says whether it was; ratio is ours over the reference."""
    ratio = ours / reference if reference else None
    return {"name": name, "ours": ours, "unit": unit, "reference": reference, "reference_name": reference_name,
            "ratio": ratio, "target": target, "met": met, **more}


def spread(values):
    ordered = sorted(values)
    return {"runs": len(ordered), "min": ordered[0], "median": statistics.median(ordered),
            "p90": ordered[int(0.9 * (len(ordered) - 1))], "max": ordered[-1]}


def show(bench, *figures):
    print(json.dumps({"bench": bench, "cpus": os.cpu_count(), "kernel": platform.release(), "figures": list(figures)}, indent=2))


def process_cpu_seconds(pid):
    """User and system time of one process so far."""
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid, key="Pss"):
    """A line of smaps_rollup in MB: Pss (shared pages divided among their users) or Private_Dirty, …"""
    for line in open(f"/proc/{pid}/smaps_rollup"):
        if line.startswith(key + ":"):
            return int(line.split()[1]) / 1024
    return 0.0
