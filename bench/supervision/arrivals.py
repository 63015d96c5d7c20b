"""Reads what arrival.h writes: which process reached main(), and when."""

import os
import pathlib
import struct
import subprocess
import time

ROOT = pathlib.Path(__file__).parents[2]
BIN = pathlib.Path(os.environ.get("FIELDWARDEN_BIN", ROOT / "build/release/bin")).resolve()
BENCH = BIN.parent / "bench"
STUB, SHIM, FLOOR = BENCH / "bench_stub", BENCH / "libbench_shim.so", BENCH / "bench_spawn_floor"
RECORD = struct.Struct("<qq")


def eventually(condition, what, deadline=60.0, pause=0.02):
    end = time.monotonic() + deadline
    while not (value := condition()):
        assert time.monotonic() < end, f"{what}: not within {deadline} s"
        time.sleep(pause)
    return value


class Arrivals:
    def __init__(self, folder):
        self.path = pathlib.Path(folder, "arrivals")
        self.path.touch(mode=0o600)

    def environment(self, shim=False):
        """For the program that starts the workers; `shim` when they are the product's own."""
        return {"BENCH_ARRIVALS": str(self.path), **({"LD_PRELOAD": str(SHIM)} if shim else {})}

    def read(self):
        """{pid: nanoseconds at main()}"""
        content = self.path.read_bytes()
        return dict(RECORD.iter_unpack(content[:len(content) // RECORD.size * RECORD.size]))

    def clear(self):
        os.truncate(self.path, 0)

    def after_kill(self, pids, grace=1.0):  # the spawn rate's burst is full again by then
        """Kills the processes; milliseconds until the last replacement's main(), and the replacements."""
        time.sleep(grace)
        self.clear()
        killed = time.monotonic_ns()
        for pid in pids:
            os.kill(pid, 9)
        eventually(lambda: self.path.stat().st_size >= len(pids) * RECORD.size, f"{len(pids)} replacements")
        back = self.read()
        return (max(back.values()) - killed) / 1e6, list(back)


def floor(folder, rounds, count, program, environment):
    """The bare wait-and-spawn loop, its milliseconds per round."""
    arrivals = Arrivals(folder)
    arrivals.clear()
    output = subprocess.run([FLOOR, str(rounds), str(count), program], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True,
                            env={**os.environ, **arrivals.environment(), **environment}).stdout
    return [(int(end) - int(begin)) / 1e6 for begin, end in (line.split() for line in output.splitlines())]
