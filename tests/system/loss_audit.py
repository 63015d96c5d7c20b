#!/usr/bin/env python3
"""The loss audit: is everything that was spooled in every sink, once and in order?

A counter that rises with every read makes samples distinguishable. While it is acquired into several sinks at once, workers,
the supervisor and the stores are killed, frozen and restarted, and the connections to the stores cut, at random. At the end every
store is compared with the embedded history, and that with the counter. Then the spool of a second task is filled while its
stores are away: what is missing there must be what the task said it has dropped.

    /usr/bin/python3 tests/system/loss_audit.py [--seconds 600] [--seed N]

Kafka is librdkafka's mock cluster, which shows what was produced in aborted transactions as well, and MQTT has no store that
could recognise a repeat: in both, repeats of one sample are told and left out of the comparison. VictoriaMetrics takes the last
line of a request whose connection is reset for a whole one, though its value or its time is cut off: what it made up that way,
at a time at which nothing was spooled, is told, must not be more than there were resets, and is left out as well.
"""

import argparse
import datetime
import os
import pathlib
import random
import re
import signal
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from harness import Simulator, Supervisor, Workbook, eventually  # noqa: E402
from relay import Relay  # noqa: E402
from stores import KafkaMock, Mosquitto, MqttListener, Postgres, VictoriaMetrics  # noqa: E402

PERIOD_MS = 20
FILLING = 500  # points of the task whose spool is filled
SPOOL_BYTES = 1 << 20
PATIENT = "timeout_ms=2000; connect_timeout_ms=1000"
KAFKA_REQUESTS = {"Produce": 0, "TxnOffsetCommit": 28, "EndTxn": 26}
LOST = re.compile(r"dropped the oldest segment .*; (\d+) samples are lost to the slowest sink")


def plant(path, ports, postgres, victoria, kafka, mqtt):
    book = Workbook().device("D", ports[0]).point("COUNT", "D", "hr:0", "uint32")
    book.task("T", "D", PERIOD_MS, sinks="history,PG,VM,KF,MQ")
    book.device("F", ports[1])
    for number in range(FILLING):
        # One register read over and over; scaled, a value takes eight bytes in the spool.
        book.point(f"F{number}", "F", "hr:0", "uint32", scale=0.1 if number else None)
    book.task("FULL", "F", PERIOD_MS, sinks="history,PG,VM", options=f"spool_max_bytes={SPOOL_BYTES}")
    book.add("sinks", sink_code="PG", type="postgres", url=f"postgresql://postgres@127.0.0.1:{postgres}/postgres", options=PATIENT)
    book.add("sinks", sink_code="VM", type="influxdb", url=f"http://127.0.0.1:{victoria}",
             options="org=plant; bucket=points; token=unused-here; " + PATIENT)
    book.add("sinks", sink_code="KF", type="kafka", url=f"kafka://127.0.0.1:{kafka}", options=PATIENT)
    book.add("sinks", sink_code="MQ", type="mqtt", url=f"mqtt://127.0.0.1:{mqtt}",
             options="topic=plant/{site}/{device}/{point}; " + PATIENT)
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
        self.simulator = self.own(Simulator(2))
        self.postgres = self.own(Postgres(folder / "postgres")).start()
        self.victoria = self.own(VictoriaMetrics(folder / "victoria")).start()
        self.kafka = self.own(KafkaMock(folder / "kafka")).start()
        self.mosquitto = self.own(Mosquitto(folder / "mosquitto")).start()
        self.listener = self.own(MqttListener(self.mosquitto, folder / "mosquitto"))
        # Kafka's clients go where the cluster says, past any relay but its own, which takes commands.
        self.relays = {name: self.own(Relay(store.port)) for name, store in
                       {"PostgreSQL": self.postgres, "VictoriaMetrics": self.victoria, "MQTT": self.mosquitto}.items()}
        (folder / "data").mkdir()
        self.supervisor = self.own(Supervisor(folder / "data", restart_max_attempts=1000, restart_longest_delay="1s"))
        self.supervisor.start()
        book = plant(folder / "plant.xlsx", self.simulator.ports, self.relays["PostgreSQL"].port, self.relays["VictoriaMetrics"].port,
                     self.kafka.port, self.relays["MQTT"].port)
        self.supervisor.import_workbook(book)
        for sink in ("PG", "VM", "KF", "MQ"):
            probed = self.supervisor.api("POST", "/test-storage", 200, json={"sink_code": sink})
            assert probed["ok"], probed
        self.session = self.supervisor.start_task("T")

    def own(self, process):
        self.started.append(process)
        return process

    def fault(self):
        """One fault, and its end."""
        frozen = {"PostgreSQL": self.postgres, "VictoriaMetrics": self.victoria, "Kafka": self.kafka, "mosquitto": self.mosquitto}
        kinds = {"worker killed": self.kill_worker, "worker frozen": self.freeze_worker, "supervisor killed": self.kill_supervisor,
                 "PostgreSQL crashed": lambda: self.restart(self.postgres, self.postgres.crash),
                 # These acknowledge before they have written, so that kill -9 would lose data of their own.
                 "VictoriaMetrics restarted": lambda: self.restart(self.victoria, self.victoria.stop),
                 "mosquitto restarted": lambda: self.restart(self.mosquitto, self.mosquitto.stop),
                 "Kafka away": self.take_kafka_away,
                 **{f"{name} frozen": lambda store=store: self.freeze(store) for name, store in frozen.items()},
                 **{f"{name} connections cut": lambda relay=relay: self.cut(relay) for name, relay in self.relays.items()},
                 **{f"Kafka cut before the answer to {name}": lambda api=api: self.kafka.control(f"cut {api}")
                    for name, api in KAFKA_REQUESTS.items()}}
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

    def restart(self, store, end):
        end()
        self.pause(0, 2)
        store.start()

    def freeze(self, store):
        store.freeze()
        self.pause(0.5, 4)
        store.thaw()

    def take_kafka_away(self):
        self.kafka.control("down")
        self.pause(0, 2)
        self.kafka.control("up")

    def cut(self, relay):
        """Some times in a row, each somewhere in what is on its way then."""
        for _ in range(self.random.randint(1, 4)):
            relay.cut(self.random.choice((0, self.random.randint(1, 5000))))
            self.pause(0, 0.5)

    def run(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.pause(0.2, 2)
            self.fault()
        self.finish("T")

    def finish(self, task):
        self.supervisor.wait_running(task)
        # Paused, it acquires nothing more and still delivers.
        self.supervisor.api("POST", f"/tasks/{task}/pause", 202)
        eventually(lambda: self.supervisor.status(task)["status"] == "PAUSED", "the pause")
        empty = set()  # heartbeats since then that knew of nothing to deliver

        def delivered():
            status = self.supervisor.status(task)
            pending = self.supervisor.get("/sessions/active")["items"][0]["spool_pending"]
            empty.add(status["last_heartbeat"]) if pending == 0 else empty.clear()
            return len(empty) > 1
        eventually(delivered, f"the spool of {task} to empty", 120)
        self.supervisor.api("POST", f"/tasks/{task}/stop", 202)
        eventually(lambda: self.supervisor.status(task)["status"] == "STOPPED", "the stop")

    def fill_spool(self):
        """A second task runs while its stores are away, until its spool has dropped some of what it held."""
        self.full = self.supervisor.start_task("FULL")
        eventually(lambda: self.in_postgres("F0") and self.in_victoria("F0"), "the first samples in the stores")
        self.postgres.crash()
        self.victoria.stop()
        least = self.random.randint(1, 3) * FILLING * 5

        def said():
            lines = self.supervisor.get("/tasks/FULL/logs", params={"limit": 1000})["items"]
            return [int(found[1]) for line in lines if (found := LOST.search(line["message"]))]
        eventually(lambda: max(said(), default=0) >= least, "a spool that drops its oldest samples", 60)
        self.postgres.start()
        self.victoria.start()
        self.finish("FULL")
        self.dropped = max(said())

    def spooled(self, session, point):
        """Everything good, in order: the embedded history is written from the spool too."""
        return [int(item["value"]) for item in self.supervisor.history(session, point) if item["quality"] == "good"]

    def spooled_times(self, session, point):
        """In milliseconds since 1970."""
        return {round(datetime.datetime.fromisoformat(item["timestamp"]).timestamp() * 1000)
                for item in self.supervisor.history(session, point)}

    def in_postgres(self, point):
        sql = f"SELECT value::bigint FROM points WHERE point_code = '{point}' AND quality = 0 ORDER BY ts"
        return [int(value) for value, in self.postgres.query(sql)]

    def in_victoria(self, point):
        return [int(value) for _, value in self.victoria.values(point)]

    @staticmethod
    def good(messages):
        return [int(message["value"]) for message in messages if message["point"] == "COUNT" and message["quality"] == "good"]

    def heard(self, counted):
        """What the subscriber has, once it has what it should, or no more comes."""
        def all_there():
            return set(counted) <= set(self.good(self.listener.messages()))
        try:
            eventually(all_there, "the subscriber", 20)
        except AssertionError:
            pass  # the comparison says what is missing
        return self.good(self.listener.messages())

    def compare(self):
        """What is wrong, in words; empty when all is well."""
        wrong = []
        counted = self.spooled(self.session, "COUNT")
        if counted != sorted(set(counted)):
            wrong.append("the history has doubled or misplaced samples")
        times = self.spooled_times(self.session, "COUNT")
        made_up = [row for row in self.victoria.values("COUNT") if row[0] not in times]
        print(f"VictoriaMetrics made up {len(made_up)} samples from lines that were cut: {made_up[:5]}")
        if len(made_up) > self.relays["VictoriaMetrics"].cuts:
            wrong.append(f"VictoriaMetrics: {len(made_up)} samples at times at which nothing was spooled")
        in_victoria = [int(value) for time_ms, value in self.victoria.values("COUNT") if time_ms in times]
        for store, held, repeats_seen in (("PostgreSQL", self.in_postgres("COUNT"), False),
                                          ("VictoriaMetrics", in_victoria, False),
                                          ("Kafka", self.good(self.kafka.messages()), True),
                                          ("MQTT", self.heard(counted), True)):
            values = list(dict.fromkeys(held)) if repeats_seen else held
            missing, extra = set(counted) - set(values), set(values) - set(counted)
            doubled = len(held) - len(set(held))
            in_order = values == sorted(values)
            print(f"{store}: {len(set(held))} samples, {len(missing)} missing, {len(extra)} unknown, "
                  f"{doubled} {'repeated' if repeats_seen else 'doubled'}, {'in' if in_order else 'NOT in'} order")
            if missing or extra or (doubled and not repeats_seen) or not in_order:
                wrong.append(f"{store}: {len(missing)} missing {sorted(missing)[:5]}, {len(extra)} unknown {sorted(extra)[:5]}, "
                             f"{doubled} doubled, in order: {in_order}")
        cuts = ", ".join(f"{relay.cuts} of {name}" for name, relay in self.relays.items())
        print(f"spooled: {len(counted)} good samples; faults: " + ", ".join(f"{n} × {k}" for k, n in sorted(self.faults.items())))
        print(f"connections cut: {cuts}")
        return wrong + self.compare_full(), len(counted)

    def compare_full(self):
        """What a store lacks of the task whose spool was full is what the task said; all else is there, in order."""
        wrong, worst = [], 0
        counted = self.spooled(self.full, "F0")
        for store, held in (("PostgreSQL", self.in_postgres("F0")), ("VictoriaMetrics", self.in_victoria("F0"))):
            missing, extra = set(counted) - set(held), set(held) - set(counted)
            # Whole segments, the oldest first: no hole but one.
            gap = [value for value in counted if value in missing]
            first = counted.index(gap[0]) if gap else 0
            one_gap = counted[first:first + len(gap)] == gap
            worst = max(worst, len(missing) * FILLING)
            print(f"spool full: {store} has {len(held)} of {len(counted)} scans, lacks {len(missing)} = {len(missing) * FILLING} samples")
            # A store that was further on may lack nothing: what was dropped had been delivered to it.
            if extra or held != sorted(set(held)) or not one_gap:
                wrong.append(f"spool full: {store}: {len(extra)} unknown, one gap: {one_gap}, in order: {held == sorted(set(held))}")
        print(f"spool full: the task said that {self.dropped} samples are lost to the slowest sink")
        if worst != self.dropped:
            wrong.append(f"spool full: {worst} samples are missing, {self.dropped} were said to be dropped")
        return wrong

    def close(self):
        for each in reversed(self.started):
            each.stop()
            if isinstance(each, Supervisor):
                each.end_orphans()


def audit(folder, seconds, seed):
    print(f"seed {seed}, {seconds} s", flush=True)
    run = Audit(pathlib.Path(folder), seed)
    try:
        run.run(seconds)
        run.fill_spool()
        return run.compare()
    finally:
        run.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 30))
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what it started ends with it
    with tempfile.TemporaryDirectory() as folder:
        wrong, _ = audit(folder, arguments.seconds, arguments.seed)
    for line in wrong:
        print("WRONG:", line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
