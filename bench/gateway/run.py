#!/usr/bin/env python3
"""What the HTTP and WebSocket side gives at 500 tasks, beside supervisord's XML-RPC in the same run.

1. The state of one task and of all of them, asked by four connections at once as fast as answers come: answers a second and p99.
2. One event to 1,000 WebSocket subscribers: from the time in its envelope until each of them has it. They poll; what it takes
   with receivers that sleep, which the sender's kernel then wakes one by one, stands beside it.
3. What a subscriber that hears nothing costs in memory, and whether 2,000 find room.

Clients and server share the machine's processors.
"""

import json
import multiprocessing
import os
import pathlib
import socket
import statistics
import subprocess
import sys
import tempfile
import time

sys.path[:0] = [str(pathlib.Path(__file__).parents[1]), str(pathlib.Path(__file__).parents[1] / "supervision"),
                str(pathlib.Path(__file__).parents[2] / "tests/system")]

from arrivals import RECORD, STUB, Arrivals, eventually  # noqa: E402
from figures import figure, memory_mb, show  # noqa: E402
from harness import Simulator, Supervisor, Workbook  # noqa: E402
from peers import Supervisord  # noqa: E402

TASKS, CONNECTIONS, SECONDS, ROUNDS = 500, 4, 4, 3
SUBSCRIBERS = STUB.parent / "bench_subscribers"
XML = b"<?xml version='1.0'?><methodCall><methodName>supervisor.getAllProcessInfo</methodName><params></params></methodCall>"


def answer(stream):
    """Reads one response over the connection; its status."""
    status, length = int(stream.readline().split()[1]), 0
    while (line := stream.readline()) != b"\r\n":
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    assert len(stream.read(length)) == length
    return status


def ask(family, address, request, seconds, out):
    with socket.socket(family) as connection:
        connection.connect(address)
        stream, times, end = connection.makefile("rb"), [], time.monotonic() + seconds
        while (begun := time.monotonic()) < end:
            connection.sendall(request)
            assert answer(stream) == 200
            times.append((time.monotonic() - begun) * 1000)
    out.put(times)


def measured(family, address, request):
    """Answers a second and their p99 in milliseconds."""
    out = multiprocessing.Queue()
    askers = [multiprocessing.Process(target=ask, args=(family, address, request, SECONDS, out)) for _ in range(CONNECTIONS)]
    for asker in askers:
        asker.start()
    times = sorted(t for _ in askers for t in out.get(timeout=SECONDS + 60))
    for asker in askers:
        asker.join()
    return len(times) / SECONDS, times[int(0.99 * (len(times) - 1))]


class AskedSupervisord(Supervisord):
    """With its RPC over a Unix socket."""

    def command(self, count):
        command = super().command(count)
        self.address = str(pathlib.Path(self.folder, "rpc"))
        with open(command[-1], "a") as file:
            file.write(f"""[unix_http_server]
file={self.address}
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
""")
        return command


def plant(path, port, tasks):
    book = Workbook()
    for index in range(tasks):
        book.device(f"D{index}", port)
        book.point(f"P{index}", f"D{index}", "hr:0", "uint32")
        book.task(f"T{index:04d}", f"D{index}", 1000)
    return book.save(path)


def query_figures(supervisor):
    host, port = supervisor.address.rsplit(":", 1)
    one = "/processes/T0250"
    rounds = {path: [] for path in (one, "/processes?page_size=500", "/tasks?page_size=500")}
    theirs = []
    peer = AskedSupervisord()
    try:
        peer.start(TASKS)
        call = (b"POST /RPC2 HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n" % len(XML)) + XML
        for _ in range(ROUNDS):
            theirs.append(measured(socket.AF_UNIX, peer.address, call))
            for path, found in rounds.items():
                request = f"GET /api/v1{path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {supervisor.token}\r\n\r\n"
                found.append(measured(socket.AF_INET, (host, int(port)), request.encode()))
    finally:
        peer.stop()
    median = lambda runs, at: statistics.median(run[at] for run in runs)  # noqa: E731
    figures = [figure(f"state of one task of {TASKS} a second, {CONNECTIONS} connections", median(rounds.pop(one), 0), "answers/s")]
    for path, found in rounds.items():
        name = path.split("?")[0]
        rate, p99, reference = median(found, 0), median(found, 1), median(theirs, 0)
        figures += [
            figure(f"{name}: all {TASKS} a second, {CONNECTIONS} connections", rate, "answers/s", reference, "supervisord's getAllProcessInfo",
                   target="50 times or more", met=rate >= 50 * reference),
            figure(f"{name}: p99 of one answer meanwhile", p99, "ms", median(theirs, 1), "supervisord's getAllProcessInfo",
                   target="under 10 ms", met=p99 < 10)]
    return figures


class Listening:
    def __init__(self, supervisor, count, seconds, topic, way="sleep"):
        self.process = subprocess.Popen([SUBSCRIBERS, supervisor.address.rsplit(":", 1)[1], str(count), str(seconds), topic, way],
                                        env={**os.environ, "FIELDWARDEN_TOKEN": supervisor.token}, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n"

    def result(self):
        out, _ = self.process.communicate("\n", timeout=120)
        return json.loads(out)

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


def stream_figures(supervisor):
    figures = []
    before = memory_mb(supervisor.pid)
    idle = Listening(supervisor, 2000, 1, "-")
    time.sleep(2)
    each = (memory_mb(supervisor.pid) - before) * 1024 / 2000
    held = idle.result()
    figures.append(figure("memory of one idle WebSocket client, of 2,000", each, "KiB", lost=held["lost"]))
    for count in (1000, 2000):
        runs, woken = [], []
        for _ in range(ROUNDS):
            runs.append(Listening(supervisor, count, 8, "process_status.T0000", "poll").result())
            woken.append(Listening(supervisor, count, 8, "process_status.T0000").result())
        p99 = statistics.median(run["p99"] for run in runs)
        figures.append(figure(f"an event to {count:,} WebSocket clients, p99", p99, "ms", target="under 20 ms" if count == 1000 else None,
                              met=p99 < 20 if count == 1000 else None, p50=statistics.median(run["p50"] for run in runs),
                              worst=max(run["max"] for run in runs),
                              p99_receiver_asleep=statistics.median(run["p99"] for run in woken), events=sum(run["events"] for run in runs),
                              lost=sum(run["lost"] for run in runs)))
    return figures


def main():
    if not Supervisord.installed():
        sys.exit("supervisord is not installed: deploy/packages bench")
    figures = []
    with tempfile.TemporaryDirectory() as folder:
        data = pathlib.Path(folder, "data")
        data.mkdir()
        arrivals = Arrivals(folder)
        os.environ.update(arrivals.environment())
        supervisor = Supervisor(data, worker_program=STUB, worker_start_timeout="10m", worker_warm_spares=0)
        supervisor.start()
        try:
            supervisor.import_workbook(plant(pathlib.Path(folder, "plant.xlsx"), 1502, TASKS))
            supervisor.api("POST", "/tasks/actions", json={"action": "start", "all": True})
            eventually(lambda: arrivals.path.stat().st_size >= TASKS * RECORD.size, "the stubs")
            figures += query_figures(supervisor)
        finally:
            supervisor.stop()
            supervisor.end_orphans()
    simulator = Simulator(1)
    with tempfile.TemporaryDirectory() as folder:
        data = pathlib.Path(folder, "data")
        data.mkdir()
        supervisor = Supervisor(data, server_max_streams_per_user=4000)
        supervisor.start()
        try:
            supervisor.import_workbook(plant(pathlib.Path(folder, "plant.xlsx"), simulator.ports[0], 10))
            supervisor.api("POST", "/tasks/actions", json={"action": "start", "all": True})
            supervisor.wait_running("T0000")
            figures += stream_figures(supervisor)
        finally:
            supervisor.stop()
            supervisor.end_orphans()
            simulator.stop()
    show("gateway", *figures)


if __name__ == "__main__":
    main()
