"""Real stores for tests of the sinks, each in a folder of its own on a free port of the loopback."""

import json
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import urllib.parse
import urllib.request

from harness import BIN, DEADLINE, eventually

PROXYLESS = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def free_port():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return unused.getsockname()[1]


class Store:
    """A server process that faults can be done to."""

    def __init__(self, folder):
        self.folder, self.port, self.process = pathlib.Path(folder), free_port(), None
        self.folder.mkdir(parents=True, exist_ok=True)

    def command(self):
        raise NotImplementedError

    def ready(self):
        with socket.create_connection(("127.0.0.1", self.port), timeout=DEADLINE):
            return True

    def start(self):
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)

        def serves():
            assert self.process.poll() is None, (self.folder / "log").read_text()[-2000:]
            return self.ready()
        eventually(serves, f"{type(self).__name__} on port {self.port}")
        return self

    def stop(self, how=signal.SIGTERM):
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            try:
                self.process.wait(DEADLINE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def signal_all(self, number):
        """The process and its children: PostgreSQL serves each connection by one."""
        pid = self.process.pid
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for each in [pid, *map(int, children)]:
            os.kill(each, number)

    def freeze(self):
        self.signal_all(signal.SIGSTOP)

    def thaw(self):
        self.signal_all(signal.SIGCONT)


class Postgres(Store):
    """PostgreSQL refuses to run as root: it runs as the user that its package makes."""

    BIN = max(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), default=pathlib.Path("/usr/bin"))

    def __init__(self, folder, durable=False):
        super().__init__(folder)
        self.as_user, self.more = [], [] if durable else ["-c", "fsync=off"]
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            self.as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
            # Its folders up to the first that everybody may enter.
            for part in [self.folder, *self.folder.parents][:4]:
                if part != pathlib.Path("/tmp") and part.stat().st_uid == 0:
                    part.chmod(part.stat().st_mode | 0o011)
            os.chown(self.folder, user.pw_uid, user.pw_gid)
        subprocess.run([*self.as_user, self.BIN / "initdb", "-D", self.folder / "data", "-U", "postgres", "-A", "trust", "-E", "UTF8",
                        "--locale=C", "--no-sync"], check=True, capture_output=True, cwd=self.folder)

    def command(self):
        return [*self.as_user, self.BIN / "postgres", "-D", self.folder / "data", "-p", str(self.port), "-c", "listen_addresses=127.0.0.1",
                "-c", f"unix_socket_directories={self.folder}", *self.more]

    @property
    def url(self):
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def crash(self):
        """PostgreSQL's "immediate shutdown": ends its children too, which would outlive a killed parent for a moment."""
        self.stop(signal.SIGQUIT)

    def psql(self, sql):
        return subprocess.run([self.BIN / "psql", "-XAtq", "-F", "\t", self.url, "-c", sql], capture_output=True, text=True,
                              timeout=60, check=False)

    def ready(self):
        return self.psql("SELECT 1").returncode == 0

    def query(self, sql):
        done = self.psql(sql)
        assert done.returncode == 0, done.stderr
        return [line.split("\t") for line in done.stdout.splitlines()]


class VictoriaMetrics(Store):
    def command(self):
        program = shutil.which("victoria-metrics") or "/usr/bin/victoria-metrics"
        return [program, "-storageDataPath", self.folder / "data", "-httpListenAddr", f"127.0.0.1:{self.port}",
                "-dedup.minScrapeInterval=1ms", "-retentionPeriod=100y"]

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def ready(self):
        return PROXYLESS.open(self.url + "/health", timeout=5).status == 200

    def values(self, point, field="value"):
        """[(time in ms, value)] of one point, by time."""
        PROXYLESS.open(self.url + "/internal/force_flush", timeout=30).read()
        match = urllib.parse.quote(f'{{__name__="points_{field}",point="{point}"}}')
        rows = []
        with PROXYLESS.open(f"{self.url}/api/v1/export?match[]={match}", timeout=60) as answer:
            for line in answer:
                series = json.loads(line)
                rows += zip(series["timestamps"], series["values"])
        return sorted(rows)


class KafkaMock(Store):
    """librdkafka's mock cluster (tests/contract/kafka_mock_broker.cpp). It keeps its log in memory: ended, it has lost everything."""

    TOPIC = "fieldwarden.points"

    def __init__(self, folder):
        super().__init__(folder)
        self.control_port = free_port()

    def command(self):
        return [BIN.parent / "tests" / "kafka_mock_broker", str(self.port), str(self.control_port), self.TOPIC]

    def control(self, line):
        """See the head of kafka_mock_broker.cpp."""
        with socket.create_connection(("127.0.0.1", self.control_port), timeout=DEADLINE) as control:
            control.sendall(line.encode() + b"\n")
            assert control.recv(16).startswith(b"ok"), line

    def messages(self):
        """The objects of all messages, in the order of the log (one partition: that of the device's key)."""
        done = subprocess.run(["kcat", "-C", "-q", "-e", "-o", "beginning", "-b", f"127.0.0.1:{self.port}", "-t", self.TOPIC,
                               "-X", "isolation.level=read_committed", "-f", "%s\\n"],
                              capture_output=True, text=True, timeout=120, check=True)
        return [json.loads(line) for line in done.stdout.splitlines()]


class Mosquitto(Store):
    """It keeps sessions and messages over a stop, not over a crash: what it wrote last may be half an hour old."""

    def __init__(self, folder):
        super().__init__(folder)
        root = "user root\n" if os.geteuid() == 0 else ""
        (self.folder / "conf").write_text(
            f"{root}listener {self.port} 127.0.0.1\nallow_anonymous true\npersistence true\npersistence_location {self.folder}/\n"
            "max_queued_messages 0\n")

    def command(self):
        return [shutil.which("mosquitto") or "/usr/sbin/mosquitto", "-c", self.folder / "conf"]


class MqttListener:
    """An independent subscriber with a session that the broker keeps; what it gets goes to a file."""

    def __init__(self, broker, folder):
        self.path = pathlib.Path(folder) / "heard"
        log = open(pathlib.Path(folder) / "listener.log", "ab")
        command = ["mosquitto_sub", "-d", "-h", "127.0.0.1", "-p", str(broker.port), "-i", "listener", "-c", "-q", "1", "-t", "#", "-F", "%p"]
        self.output = open(self.path, "wb")
        # Without -d it says nothing about its subscription, with it everything: its messages are the lines that are JSON.
        self.process = subprocess.Popen(["stdbuf", "-oL", *command], stdin=subprocess.DEVNULL, stdout=self.output, stderr=log)
        eventually(lambda: b"Subscribed" in self.path.read_bytes(), "the subscription")

    def messages(self):
        lines = self.path.read_text(errors="replace").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.output.close()
