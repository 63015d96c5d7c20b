#!/usr/bin/env python3
"""The loss audit: is everything that was spooled in every sink, once and in order?

A counter that rises with every read makes samples distinguishable. While it is acquired into several sinks at once, workers,
the supervisor and the stores are killed, frozen and restarted at random. At the end every store is compared with the
embedded history, and that with the counter.

    /usr/bin/python3 tests/system/loss_audit.py [--seconds 600] [--seed N]
"""

import argparse
import os
import pathlib
import random
import signal
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from harness import Simulator, Supervisor, Workbook, eventually  # noqa: E402
from stores import Postgres, VictoriaMetrics  # noqa: E402

PERIOD_MS = 20


def plant(path, port, postgres, victoria):
    book = Workbook().device("D", port).point("COUNT", "D", "hr:0", "uint32").task("T", "D", PERIOD_MS, sinks="history,PG,VM")
    book.add("sinks", sink_code="PG", type="postgres", url=postgres.url, options="timeout_ms=2000; connect_timeout_ms=1000")
    book.add("sinks", sink_code="VM", type="influxdb", url=victoria.url,
             options="org=plant; bucket=points; token=unused-here; timeout_ms=2000; connect_timeout_ms=1000")
    return book.save(path)


class Audit:
    def __init__(self, folder, seed):
        self.random = random.Random(seed)
        self.faults, self.started = {}, []
        try:
            self.start(folder)
        except BaseException:
            self.close()
            raise

    def start(self, folder):
        self.simulator = self.own(Simulator(1))
        self.postgres = self.own(Postgres(folder / "postgres")).start()
        self.victoria = self.own(VictoriaMetrics(folder / "victoria")).start()
        (folder / "data").mkdir()
        self.supervisor = self.own(Supervisor(folder / "data", restart_max_attempts=1000, restart_longest_delay="1s"))
        self.supervisor.start()
        self.supervisor.import_workbook(plant(folder / "plant.xlsx", self.simulator.ports[0], self.postgres, self.victoria))
        for sink in ("PG", "VM"):
            probed = self.supervisor.api("POST", "/test-storage", 200, json={"sink_code": sink})
            assert probed["ok"], probed
        self.session = self.supervisor.start_task("T")

    def own(self, process):
        self.started.append(process)
        return process

    def fault(self):
        """One fault, and its end."""
        kinds = {"worker killed": self.kill_worker, "worker frozen": self.freeze_worker, "supervisor killed": self.kill_supervisor,
                 "PostgreSQL crashed": self.crash_postgres, "PostgreSQL frozen": lambda: self.freeze(self.postgres),
                 # It acknowledges before it has written, so that kill -9 would lose data of its own.
                 "VictoriaMetrics restarted": self.restart_victoria, "VictoriaMetrics frozen": lambda: self.freeze(self.victoria)}
        kind = self.random.choice(sorted(kinds))
        self.faults[kind] = self.faults.get(kind, 0) + 1
        kinds[kind]()

    def pause(self, least, most):
        time.sleep(self.random.uniform(least, most))  # what a fault lasts is its point, not a wait for something

    def worker(self):
        return eventually(lambda: self.supervisor.status("T")["pid"], "a worker")

    def kill_worker(self):
        os.kill(self.worker(), signal.SIGKILL)

    def freeze_worker(self):
        pid = self.worker()
        os.kill(pid, signal.SIGSTOP)
        self.pause(0.2, 1)
        os.kill(pid, signal.SIGCONT)

    def kill_supervisor(self):
        self.supervisor.kill()
        self.pause(0, 1)
        self.supervisor.start()

    def crash_postgres(self):
        self.postgres.crash()
        self.pause(0, 2)
        self.postgres.start()

    def restart_victoria(self):
        self.victoria.stop()
        self.pause(0, 2)
        self.victoria.start()

    def freeze(self, store):
        store.freeze()
        self.pause(0.5, 4)
        store.thaw()

    def run(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.pause(0.2, 2)
            self.fault()
        self.supervisor.wait_running("T")
        # Paused, it acquires nothing more and still delivers.
        self.supervisor.api("POST", "/tasks/T/pause", 202)
        eventually(lambda: self.supervisor.status("T")["status"] == "PAUSED", "the pause")
        empty = set()  # heartbeats since then that knew of nothing to deliver

        def delivered():
            status = self.supervisor.status("T")
            pending = self.supervisor.get("/sessions/active")["items"][0]["spool_pending"]
            empty.add(status["last_heartbeat"]) if pending == 0 else empty.clear()
            return len(empty) > 3
        eventually(delivered, "the spool to empty", 120)
        self.supervisor.api("POST", "/tasks/T/stop", 202)
        eventually(lambda: self.supervisor.status("T")["status"] == "STOPPED", "the stop")

    def spooled(self):
        """Everything good, in order: the embedded history is written from the spool too."""
        return [int(item["value"]) for item in self.supervisor.history(self.session, "COUNT") if item["quality"] == "good"]

    def compare(self):
        """What is wrong, in words; empty when all is well."""
        wrong = []
        counted = self.spooled()
        if counted != sorted(set(counted)):
            wrong.append("the history has doubled or misplaced samples")
        sql = "SELECT value::bigint FROM points WHERE point_code = 'COUNT' AND quality = 0 ORDER BY ts"
        held = {"PostgreSQL": [int(value) for value, in self.postgres.query(sql)],
                "VictoriaMetrics": [int(value) for _, value in self.victoria.values("COUNT")]}
        for store, values in held.items():
            missing, extra = set(counted) - set(values), set(values) - set(counted)
            doubled = len(values) - len(set(values))
            in_order = values == sorted(values)
            print(f"{store}: {len(values)} samples, {len(missing)} missing, {len(extra)} unknown, {doubled} doubled, "
                  f"{'in' if in_order else 'NOT in'} order")
            if missing or extra or doubled or not in_order:
                wrong.append(f"{store}: {len(missing)} missing {sorted(missing)[:5]}, {len(extra)} unknown {sorted(extra)[:5]}, "
                             f"{doubled} doubled, in order: {in_order}")
        print(f"spooled: {len(counted)} good samples; faults: " + ", ".join(f"{n} × {k}" for k, n in sorted(self.faults.items())))
        return wrong, len(counted)

    def close(self):
        for each in reversed(self.started):
            each.stop()
            if isinstance(each, Supervisor):
                each.end_orphans()


def audit(folder, seconds, seed):
    print(f"seed {seed}, {seconds} s")
    run = Audit(pathlib.Path(folder), seed)
    try:
        run.run(seconds)
        return run.compare()
    finally:
        run.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 30))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        wrong, _ = audit(folder, arguments.seconds, arguments.seed)
    for line in wrong:
        print("WRONG:", line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
