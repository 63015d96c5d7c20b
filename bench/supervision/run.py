#!/usr/bin/env python3
"""What supervising costs and how fast it is, beside a bare wait-and-spawn loop, runit, s6, supervisord and PM2 in one run.

1. kill -9 to the replacement's main(): one worker, and a hundred at once; with a stub program, so that supervisors are
   compared and not what a worker links, and with the product's own worker.
2. kill -9 to the first good sample, cold and with a warm spare.
3. Processor time and memory at a growing number of real workers on simulated devices, and what one worker keeps to itself.
4. Event to subscriber (ZeroMQ PUB and WebSocket).
5. A storm (all workers of a large fleet die together) and a crash loop.

BENCH_FLEET="200 500 1000" chooses the fleets; BENCH_ONLY="kill sample fleet storm" the parts.
"""

import contextlib
import datetime
import json
import os
import pathlib
import signal
import statistics
import sys
import tempfile
import threading
import time

sys.path[:0] = [str(pathlib.Path(__file__).parents[1]), str(pathlib.Path(__file__).parents[2] / "tests/system")]

import zmq  # noqa: E402
from arrivals import RECORD, STUB, Arrivals, eventually, floor  # noqa: E402
from figures import figure, memory_mb, process_cpu_seconds, show, spread  # noqa: E402
from harness import BIN, Simulator, Supervisor, Workbook, counter_plant  # noqa: E402
from peers import PEERS, Pm2  # noqa: E402

ROUNDS, PEER_ROUNDS, CROWD, CROWD_ROUNDS = 20, 5, 100, 3
FLEETS = [int(n) for n in os.environ.get("BENCH_FLEET", "200 500 1000").split()]
ONLY = os.environ.get("BENCH_ONLY", "kill sample fleet storm").split()
WATCHED_SECONDS = 10
# Every run counts as stable, so that each kill meets the first, immediate restart.
STABLE = {"restart_stable_period": "0s"}
WORKER = BIN / "fieldwarden-worker"


def fleet_plant(path, ports, tasks, period_ms=1000):
    book = Workbook()
    for index in range(tasks):
        book.device(f"D{index}", ports[index % len(ports)])
        book.point(f"P{index}", f"D{index}", "hr:0", "uint32")
        book.task(f"T{index:04d}", f"D{index}", period_ms)
    return book.save(path)


@contextlib.contextmanager
def supervisor_in(folder, environment=None, **settings):
    """A running supervisor on an empty data directory; it, its workers and nothing else end with the block."""
    data = pathlib.Path(tempfile.mkdtemp(prefix="data-", dir=folder))
    supervisor = Supervisor(data, **settings)
    before = {name: os.environ.get(name) for name in environment or {}}
    os.environ.update(environment or {})
    try:
        supervisor.start()
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
    try:
        yield supervisor
    finally:
        supervisor.stop()
        supervisor.end_orphans()


def start_all(supervisor, folder, ports, tasks):
    supervisor.import_workbook(fleet_plant(pathlib.Path(folder, "plant.xlsx"), ports, tasks))
    supervisor.api("POST", "/tasks/actions", json={"action": "start", "all": True})


def processes(supervisor):
    items, page = [], 1
    while True:
        answer = supervisor.get("/processes", params={"page": page, "page_size": 1000})
        items += answer["items"]
        if len(items) >= answer["total"]:
            return items
        page += 1


def all_running(supervisor, deadline=300):
    def running():
        found = processes(supervisor)
        return found if all(p["status"] == "RUNNING" and p["last_data_time"] for p in found) else None

    return eventually(running, "all tasks running with data", deadline, 0.5)


# --- kill to main() --------------------------------------------------------------------------------------------------


def ours_to_main(folder, count, rounds, program, ports):
    """Kills all workers at once, again and again; a supervisor over `program` (None: its own worker)."""
    arrivals = Arrivals(folder)
    arrivals.clear()
    settings = {**STABLE, "worker_warm_spares": 0, "worker_start_timeout": "10m"}
    if program:
        settings["worker_program"] = program
    with supervisor_in(folder, arrivals.environment(shim=program is None), **settings) as supervisor:
        start_all(supervisor, folder, ports, count)
        eventually(lambda: arrivals.path.stat().st_size >= count * RECORD.size, "the workers at main()")
        if program is None:
            all_running(supervisor)
        pids, times = list(arrivals.read()), []
        for _ in range(rounds):
            took, pids = arrivals.after_kill(pids)
            times.append(took)
            if program is None:
                all_running(supervisor)
    return times


def peer_to_main(peer_class, count, rounds):
    peer = peer_class()
    try:
        pids, times = peer.start(count), []
        for _ in range(rounds):
            took, pids = peer.arrivals.after_kill(pids, 1.3)
            times.append(took)
        return times
    finally:
        peer.stop()


def kill_figures(peers):
    simulator = Simulator(4)
    own = {"FIELDWARDEN_LAUNCH_KEY": "none", "FIELDWARDEN_CONTROL": "/nonexistent", "FIELDWARDEN_DATA_DIR": "/nonexistent"}
    figures = []
    try:
        with tempfile.TemporaryDirectory() as folder:
            shim = Arrivals(folder).environment(shim=True)
            for count, ours_rounds, peer_rounds in ((1, ROUNDS, PEER_ROUNDS), (CROWD, CROWD_ROUNDS, 3)):
                what = "kill -9 to the replacement's main()" if count == 1 else f"{count} killed at once, last one back at main()"
                target, limit = ("median under 2.5 ms", 2.5) if count == 1 else ("under 150 ms", 150)
                bare = floor(folder, ours_rounds, count, STUB, {})
                ours = ours_to_main(folder, count, ours_rounds, STUB, simulator.ports)
                bare_worker = floor(folder, ours_rounds, count, WORKER, {**shim, **own})
                worker = ours_to_main(folder, count, ours_rounds, None, simulator.ports)
                beside = {peer.name: peer_to_main(peer, count, peer_rounds) for peer in peers}
                median = statistics.median(ours)
                names = ", ".join(f"{name} {statistics.median(times):.3g}" for name, times in beside.items())
                figures += [
                    figure(f"{what}, stub program", median, "ms", statistics.median(bare),
                           "bare wait-and-spawn loop" + (f"; {names}" if names else ""), target=target, met=median < limit,
                           spread=spread(ours), bare=spread(bare), peers={name: spread(times) for name, times in beside.items()}),
                    figure(f"{what}, our worker", statistics.median(worker), "ms", statistics.median(bare_worker),
                           "bare wait-and-spawn loop over our worker", target=target, met=statistics.median(worker) < limit,
                           spread=spread(worker), bare=spread(bare_worker))]
        return figures
    finally:
        simulator.stop()


# --- kill to the first good sample -----------------------------------------------------------------------------------


def seconds_of(stamp):
    return datetime.datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp()


def sample_times(spares, rounds=int(os.environ.get("BENCH_ROUNDS", "12"))):
    """Timestamps have whole milliseconds, so every figure is up to 1 ms too small; half of that is added back."""
    simulator, times = Simulator(), []
    try:
        with tempfile.TemporaryDirectory() as folder, supervisor_in(
                folder, worker_warm_spares=spares, restart_stable_period="100ms") as supervisor:
            supervisor.import_workbook(counter_plant(pathlib.Path(folder, "plant.xlsx"), simulator.ports[0], period_ms=10))
            session = supervisor.start_task("T")
            for _ in range(rounds):
                pid = supervisor.wait_running("T")["pid"]
                time.sleep(1.5)  # past the stable period; a new spare is there again
                killed = time.time()
                os.kill(pid, signal.SIGKILL)
                since = datetime.datetime.fromtimestamp(killed, datetime.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")

                def first():
                    if supervisor.status("T")["pid"] in (pid, None):
                        return None
                    for item in supervisor.history(session, "COUNT", start=since, limit=50):
                        # What the killed worker read within the same millisecond has its timestamp before the kill.
                        if item["quality"] == "good" and seconds_of(item["timestamp"]) > killed:
                            return seconds_of(item["timestamp"])
                    return None

                times.append((eventually(first, "a sample after the kill") - killed) * 1000 + 0.5)
        return times
    finally:
        simulator.stop()


def sample_figures():
    cold, warm = sample_times(0), sample_times(1)
    return [figure("kill -9 to the first good sample, cold", statistics.median(cold), "ms", target="median under 25 ms",
                   met=statistics.median(cold) < 25, spread=spread(cold)),
            figure("kill -9 to the first good sample, with a warm spare", statistics.median(warm), "ms", statistics.median(cold), "cold",
                   target="median under 5 ms", met=statistics.median(warm) < 5, spread=spread(warm))]


# --- a fleet ---------------------------------------------------------------------------------------------------------


class PubListener(threading.Thread):
    """Latencies of status events over ZeroMQ; envelope times have whole milliseconds, which the latency includes."""

    def __init__(self, supervisor):
        super().__init__(daemon=True)
        self.socket = zmq.Context.instance().socket(zmq.SUB)
        self.socket.connect(f"ipc://{supervisor.data_dir}/run/status.sock")
        self.socket.subscribe(b"process_status.")
        self.latencies, self.ending, self.begun = [], False, time.time()

    def run(self):
        while not self.ending:
            if not self.socket.poll(100):
                continue
            frames = self.socket.recv_multipart()
            now = time.time()
            at = seconds_of(json.loads(frames[1])["ts"])
            if at > self.begun + 1:  # not the replay
                self.latencies.append((now - at) * 1000)
        self.socket.close(0)


class WebSocketListener(threading.Thread):
    def __init__(self, supervisor):
        import websocket
        super().__init__(daemon=True)
        self.socket = websocket.create_connection(supervisor.base.replace("http", "ws") + "/ws",
                                                  header=[f"Authorization: Bearer {supervisor.token}"], timeout=0.5,
                                                  skip_utf8_validation=True)  # in Python, slower than the server
        self.socket.send(json.dumps({"action": "subscribe", "topics": ["process_status"]}))
        self.latencies, self.ending, self.begun = [], False, time.time()

    def run(self):
        import websocket
        while not self.ending:
            try:
                text = self.socket.recv()
            except websocket.WebSocketTimeoutException:
                continue
            now = time.time()
            message = json.loads(text)
            if message.get("type") == "process_status_update" and (at := seconds_of(message["ts"])) > self.begun + 1:
                self.latencies.append((now - at) * 1000)
        self.socket.close()


def percentile(values, share):
    return sorted(values)[int(share * (len(values) - 1))]


def latency_figures(supervisor, tasks):
    figures = []
    for kind, name in ((PubListener, "ZeroMQ PUB"), (WebSocketListener, "WebSocket")):
        listener = kind(supervisor)
        listener.start()
        time.sleep(WATCHED_SECONDS / 2)
        listener.ending = True
        listener.join()
        p99 = percentile(listener.latencies, 0.99)
        figures.append(figure(f"event to subscriber, {name}, p99 at {tasks} tasks", p99, "ms", target="under 5 ms", met=p99 < 5,
                              p50=percentile(listener.latencies, 0.5), events=len(listener.latencies)))
    return figures


def idle_peer(peer_class, count):
    """Memory (proportional, MB) and share of a core of a peer that does nothing but hold its programs."""
    peer = peer_class()
    try:
        peer.start(count)
        own = peer.own_pids()
        cpu, begun = sum(map(process_cpu_seconds, own)), time.monotonic()
        time.sleep(WATCHED_SECONDS / 2)
        cpu = 100 * (sum(map(process_cpu_seconds, own)) - cpu) / (time.monotonic() - begun)
        return {"memory_mb": sum(map(memory_mb, own)), "cpu_percent": cpu}
    finally:
        peer.stop()


def fleet_figures(peers):
    figures = []
    for tasks in FLEETS:
        simulator = Simulator(20)
        try:
            with tempfile.TemporaryDirectory() as folder, supervisor_in(folder) as supervisor:
                start_all(supervisor, folder, simulator.ports, tasks)
                running = all_running(supervisor)
                time.sleep(8)  # the start is over, its memory given back
                cpu, begun = process_cpu_seconds(supervisor.pid), time.monotonic()
                time.sleep(WATCHED_SECONDS)
                cpu = 100 * (process_cpu_seconds(supervisor.pid) - cpu) / (time.monotonic() - begun)
                memory = memory_mb(supervisor.pid)
                private = [memory_mb(p["pid"], "Private_Dirty") + memory_mb(p["pid"], "Private_Clean") for p in running]
                last = tasks == FLEETS[-1]
                beside = {peer.name: idle_peer(peer, tasks) for peer in peers if tasks == FLEETS[0]}
                others = ", ".join(f"{name} {value['memory_mb']:.0f} MB and {value['cpu_percent']:.2g} %" for name, value in beside.items())
                figures += [
                    figure(f"supervisor's processor time at {tasks} workers", cpu, "% of a core", target="under 5 % at 1,000",
                           met=cpu < 5 if tasks == 1000 else None),
                    figure(f"supervisor's memory at {tasks} workers" + (f" (idle: {others})" if others else ""), memory, "MB",
                           target="under 60 MB at 1,000", met=memory < 60 if tasks == 1000 else None, peers=beside)]
                if last:
                    median = statistics.median(private)
                    figures.append(figure("private memory of a worker, one point", median, "MB", target="under 4 MB", met=median < 4,
                                          spread=spread(private)))
                if tasks == FLEETS[0]:
                    figures += latency_figures(supervisor, tasks)
        finally:
            simulator.stop()
    return figures


# --- storms ----------------------------------------------------------------------------------------------------------


def storm_figures():
    tasks, figures = FLEETS[-1], []
    simulator = Simulator(20)
    try:
        with tempfile.TemporaryDirectory() as folder:
            arrivals = Arrivals(folder)
            with supervisor_in(folder, arrivals.environment(shim=True), worker_warm_spares=0) as supervisor:
                start_all(supervisor, folder, simulator.ports, tasks)
                all_running(supervisor)
                time.sleep(3)
                arrivals.clear()
                pids = [p["pid"] for p in processes(supervisor)]
                killed, slowest = time.monotonic_ns(), 0.0
                for pid in pids:
                    os.kill(pid, signal.SIGKILL)
                while arrivals.path.stat().st_size < tasks * RECORD.size:
                    asked = time.monotonic()
                    supervisor.get("/processes/T0000")
                    slowest = max(slowest, (time.monotonic() - asked) * 1000)
                    time.sleep(0.05)
                took = (max(arrivals.read().values()) - killed) / 1e9
                all_running(supervisor)
                acquiring = (time.monotonic_ns() - killed) / 1e9
                figures += [
                    figure(f"storm: {tasks} workers killed at once, last one back at main()", took, "s"),
                    figure(f"storm: all {tasks} acquire again", acquiring, "s"),
                    figure("storm: slowest answer of the API meanwhile", slowest, "ms")]
        with tempfile.TemporaryDirectory() as folder:
            arrivals = Arrivals(folder)
            with supervisor_in(folder, {**arrivals.environment(), "BENCH_EXIT": "70"}, worker_program=STUB, worker_warm_spares=0,
                               restart_max_attempts=1000) as supervisor:
                start_all(supervisor, folder, [1502], 1)

                def used():
                    stat = pathlib.Path(f"/proc/{supervisor.pid}/stat").read_text().rsplit(")", 1)[1].split()
                    return sum(map(int, stat[11:15])) / os.sysconf("SC_CLK_TCK")

                eventually(lambda: arrivals.read(), "the first crash")
                cpu, begun = used(), time.monotonic()
                time.sleep(30)
                share = 100 * (used() - cpu) / (time.monotonic() - begun)
                figures.append(figure("one crash-looping task, supervisor and its children", share, "% of a core", target="under 1 %",
                                      met=share < 1, starts=arrivals.path.stat().st_size // RECORD.size))
        return figures
    finally:
        simulator.stop()


def main():
    try:
        peers = [peer for peer in PEERS if peer.installed()] if {"kill", "fleet"} & set(ONLY) else []
        parts = {"kill": lambda: kill_figures(peers), "sample": sample_figures, "fleet": lambda: fleet_figures(peers),
                 "storm": storm_figures}
        figures, failed = [], []
        for name in (name for name in parts if name in ONLY):
            begun = time.monotonic()
            try:
                figures += parts[name]()
            except Exception as error:  # what the other parts measured is kept
                failed.append(name)
                print(f"{name}: {error!r}", file=sys.stderr)
            print(f"{name}: {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)
        show("supervision", *figures)
        return 1 if failed else 0
    finally:
        Pm2.clean()


if __name__ == "__main__":
    # A run that is cut off ends what it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
