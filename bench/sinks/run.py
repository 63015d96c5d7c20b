#!/usr/bin/env python3
"""Every sink behind spool and flusher against the bare floor of its store, and how old a sample is when it is stored.

Both sides take turns on the same server with the same rows; the median of the turns' ratios counts. The server is pinned to one CPU,
the client, ours or the bare one, to another. Ours is connected when its time begins, because a worker connects once; the start of psql
and curl and their connection are part of their time. The embedded history has no server: its floors are rows in a SQLite database of the
same durability on the same disk. It stores blocks of samples rather than rows and moves them into an order by point between deliveries,
which is part of its time here.
"""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve()
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parents[2] / "tests/system")]

from figures import figure, show  # noqa: E402
from stores import KafkaMock, Mosquitto, Postgres, VictoriaMetrics  # noqa: E402

PROGRAM = pathlib.Path(os.environ.get("FIELDWARDEN_BIN", "build/release/bin")).resolve().parent / "bench" / "bench_sinks"
ROUNDS, LEAST_ROUNDS, TARGET = 5, 3, 0.7
BUDGET = 35  # seconds for the rounds of one store: on a busy machine there are fewer
DEVICES, POINTS = 10, 1000
LATENCY_SECONDS = 6
FIRST = int(time.time()) // 86400 * 86400 - 86400  # yesterday's midnight: the rows of all rounds are in one day
CPUS = sorted(os.sched_getaffinity(0))
CLIENT, SERVER = {CPUS[0]}, {CPUS[-1]}
LAYOUT = "(ts timestamptz, site_code text, device_code text, point_code text, value float8, text_value text, quality smallint"


def bench(verb, *arguments):
    done = subprocess.run([PROGRAM, verb, *map(str, arguments)], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def timed(command):
    """Seconds of a bare client from its start to its end."""
    at = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - at


class Case:
    """One store: our way and the bare ones, each `seconds(first)` for the rows that begin at `first`."""

    url_options = ()
    scans = 50

    def __init__(self, folder):
        self.folder = folder
        os.sched_setaffinity(0, SERVER)
        self.store = self.server(folder / self.type)
        self.store.start()
        os.sched_setaffinity(0, CLIENT)
        os.chmod(folder, 0o755)

    def arguments(self, first, url=None):
        return ["--type", self.type, "--url", self.url() if url is None else url, "--devices", DEVICES, "--points", POINTS, "--scans", self.scans,
                "--first", first, "--to", self.folder]

    def options(self):
        return [word for option in self.url_options for word in ("--option", option)]

    def ours(self, first):
        return bench("drain", *self.arguments(first), *self.options())["seconds"]

    def prepare(self, first, name):
        """Before each turn of `name`, and not measured."""

    def measure(self):
        rows = DEVICES * POINTS * self.scans
        floors = self.floors()
        seconds = {"ours": [], **{name: [] for name in floors}}
        end = time.monotonic() + BUDGET
        for turn in range(ROUNDS + 1):
            if turn > LEAST_ROUNDS and time.monotonic() > end:
                break
            # Each side has seconds of its own, so that no store meets a row twice.
            for side, (name, run) in enumerate({"ours": self.ours, **floors}.items()):
                first = FIRST + (turn * (len(floors) + 1) + side) * (self.scans + 1)
                self.prepare(first, name)
                took = run(first)
                if turn > 0:  # the first one makes tables and series
                    seconds[name].append(took)
        return rows, seconds

    def latency(self):
        return bench("latency", *self.arguments(FIRST), *self.options(), "--seconds", LATENCY_SECONDS)


class PostgresCase(Case):
    type, title, scans = "postgres", "PostgreSQL", 30
    words = {"same key": "psql \\copy into a table with the same key", "no key": "psql \\copy into a table without a key"}

    def server(self, folder):
        return Postgres(folder, durable=True)

    def url(self):
        return self.store.url

    def psql(self, sql):
        done = self.store.psql(sql)
        assert done.returncode == 0, done.stderr

    def prepare(self, first, name):
        # Rows of one size of table in every turn, and no checkpoint of the last turn in this one.
        self.psql("DROP TABLE IF EXISTS floor; " + f"CREATE TABLE floor {LAYOUT}" + (")" if name == "no key" else ", PRIMARY KEY (point_code, ts))"))
        if name == "ours":
            self.psql("DO $$BEGIN IF to_regclass('points') IS NOT NULL THEN TRUNCATE points; END IF; END$$")
        else:
            bench("content", *self.arguments(first))
        self.psql("CHECKPOINT")

    def floors(self):
        command = [Postgres.BIN / "psql", "-XAtq", self.url(), "-v", "ON_ERROR_STOP=1", "-c", f"\\copy floor from '{self.folder}/rows.tsv'"]
        return {name: lambda first: timed(command) for name in self.words}


class InfluxCase(Case):
    type, title = "influxdb", "InfluxDB line protocol into VictoriaMetrics"
    url_options = ("org=plant", "bucket=points", "token=unused-here")
    words = {"packed": "curl posting the same gzipped batches", "plain": "curl posting the same batches, not compressed"}

    def server(self, folder):
        return VictoriaMetrics(folder)

    def url(self):
        return self.store.url

    def prepare(self, first, name):
        if name != "ours":
            bench("content", *self.arguments(first, self.url() + "/api/v2/write?org=plant&bucket=points"))

    def floors(self):
        return {name: lambda first, name=name: timed(["curl", "-K", self.folder / f"{name}.conf"]) for name in self.words}


class KafkaCase(Case):
    type, title, scans = "kafka", "Kafka (mock cluster)", 50
    words = {"idempotent": "librdkafka producer, idempotent, no transactions"}

    def server(self, folder):
        return KafkaMock(folder)

    def url(self):
        return f"kafka://127.0.0.1:{self.store.port}"

    def floors(self):
        return {"idempotent": lambda first: bench("floor", *self.arguments(first, f"127.0.0.1:{self.store.port}"))["seconds"]}


class NoServer:
    """The embedded history writes files by itself."""

    def start(self):
        pass

    stop = start


class HistoryCase(Case):
    type, title, scans = "history", "Embedded history", 50
    words = {"": "SQLite, a row per sample, no key", "keyed": "SQLite, a row per sample, key (point, time)"}

    def server(self, _folder):
        return NoServer()

    def url(self):
        return ""

    def floors(self):
        return {name: lambda first, name=name: bench("floor", *self.arguments(first, name))["seconds"] for name in self.words}


class MqttCase(Case):
    type, title, scans = "mqtt", "MQTT at QoS 1 (mosquitto)", 10
    url_options = ("topic=fieldwarden/{site}/{device}/{point}", "qos=1")
    words = {"paho": "paho client, ready-made messages"}

    def server(self, folder):
        return Mosquitto(folder)

    def url(self):
        return f"mqtt://127.0.0.1:{self.store.port}"

    def floors(self):
        return {"paho": lambda first: bench("floor", *self.arguments(first, f"tcp://127.0.0.1:{self.store.port}"))["seconds"]}


def figures_of(case, folder):
    work = folder / case.type
    work.mkdir()
    case = case(work)
    try:
        rows, seconds = case.measure()
        age = case.latency()
    finally:
        case.store.stop()
        os.sched_setaffinity(0, CPUS)
    figures = []
    for number, (name, words) in enumerate(case.words.items()):
        ratio = statistics.median(bare / own for bare, own in zip(seconds[name], seconds["ours"]))
        each = figure(f"{case.title}: spool, flusher and sink", rows / statistics.median(seconds["ours"]), "rows/s",
                      rows / statistics.median(seconds[name]), words, target="" if number else "≥ 0.7 of the floor",
                      met=None if number else ratio >= TARGET, rows=rows, seconds=seconds)
        each["ratio"] = ratio
        figures.append(each)
    for quantile in ("p50", "p99"):
        figures.append(figure(f"{case.title}: age of a sample when it is stored, {age['points_per_second']:,} points/s, {quantile}",
                              age[f"{quantile}_ms"], "ms", raw=age))
    return figures


def main():
    cases = [HistoryCase, PostgresCase, InfluxCase, KafkaCase, MqttCase]
    wanted = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        figures = [each for case in cases if not wanted or case.type in wanted for each in figures_of(case, pathlib.Path(folder))]
    show("sinks", *figures)


if __name__ == "__main__":
    main()
