"""The MQTT driver against independent peers: mosquitto as the broker, mosquitto_pub and our simulator as publishers.

The driver runs in driver_probe, which loads its module as a worker does and can be killed like one.
"""

import json
import os
import pathlib
import queue
import shutil
import signal
import socket
import subprocess
import threading

import pytest
from harness import BIN, DEADLINE, Workbook, eventually

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("FIELDWARDEN_BUILD", ROOT / "build" / "release"))
PROBE = BUILD / "tests" / "driver_probe"
MOSQUITTO = shutil.which("mosquitto") or "/usr/sbin/mosquitto"


def free_port():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return unused.getsockname()[1]


class Broker:
    def __init__(self, folder, settings="allow_anonymous true\n"):
        self.folder, self.settings, self.port = folder, settings, free_port()
        self.process = None
        self.start()

    def start(self):
        as_root = "user root\n" if os.geteuid() == 0 else ""
        (self.folder / "conf").write_text(
            f"{as_root}listener {self.port} 127.0.0.1\npersistence true\npersistence_location {self.folder}/\n"
            f"max_queued_messages 0\n{self.settings}")
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen([MOSQUITTO, "-c", self.folder / "conf"], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log)
        eventually(self.answers, "mosquitto")

    def answers(self):
        assert self.process.poll() is None, (self.folder / "log").read_text()
        with socket.create_connection(("127.0.0.1", self.port), timeout=DEADLINE):
            return True

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        self.process.wait(DEADLINE)

    def publish(self, topic, lines, *more):
        done = subprocess.run(["mosquitto_pub", "-h", "127.0.0.1", "-p", str(self.port), "-q", "1", "-t", topic, "-l", *more],
                              input="".join(f"{line}\n" for line in lines), text=True, capture_output=True, timeout=60,
                              check=False)
        assert done.returncode == 0, done.stderr


class Probe:
    """driver_probe; its lines come in through a queue."""

    def __init__(self, broker, options, *points, scheme="mqtt"):
        self.process = subprocess.Popen([PROBE, "mqtt", f"{scheme}://127.0.0.1:{broker.port}",
                                         f"connect_timeout_ms=5000; timeout_ms=5000; {options}", "--follow", *points],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        self.samples = []

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(json.loads(line))
        self.lines.put(None)

    def next_event(self, name):
        while True:
            line = self.lines.get(timeout=DEADLINE)
            if line.get("event") == name:
                return line
            if "event" not in line:
                self.samples.append(line)

    def take(self, count):
        """Good values until there are `count` since the last call."""
        values = []
        while len(values) < count:
            line = self.samples.pop(0) if self.samples else self.lines.get(timeout=DEADLINE)
            if line.get("quality") == "good":
                values.append(line["value"])
        return values

    def kill(self):
        self.process.kill()
        self.process.wait(DEADLINE)

    def stop(self):
        """Returns the good values that were not taken yet."""
        self.process.stdin.close()
        assert self.process.wait(DEADLINE) == 0
        rest = self.samples + list(iter(lambda: self.lines.get(timeout=DEADLINE), None))
        return [line["value"] for line in rest if line.get("quality") == "good"]


@pytest.fixture
def broker(tmp_path):
    running = Broker(tmp_path)
    yield running
    running.stop(signal.SIGKILL)


@pytest.mark.parametrize("version", ["3.1.1", "5"])
def test_a_killed_worker_loses_nothing_it_had_not_taken(broker, version):
    first = Probe(broker, f"version={version}", "plant/a,int32")
    first.next_event("connected")
    broker.publish("plant/a", range(1, 101))
    assert first.take(100) == list(range(1, 101))
    first.kill()
    broker.publish("plant/a", range(101, 201))
    second = Probe(broker, f"version={version}", "plant/a,int32")
    assert second.take(100) == list(range(101, 201))
    second.stop()


def test_a_broker_that_is_stopped_and_started_loses_nothing(broker):
    probe = Probe(broker, "", "plant/a,int32")
    probe.next_event("connected")
    broker.publish("plant/a", range(10))
    assert probe.take(10) == list(range(10))
    broker.stop()
    why = probe.next_event("lost")["why"]
    assert f"127.0.0.1:{broker.port}" in why
    broker.start()
    broker.publish("plant/a", range(10, 20))
    assert probe.take(10) == list(range(10, 20))
    probe.stop()


def test_a_worker_and_a_broker_away_in_turn(broker):
    """The simulator counts on; every number arrives, in order, though both ends of the line fail."""
    simulator = subprocess.Popen([BIN / "fieldwarden", "simulate", "--mqtt-broker", f"127.0.0.1:{broker.port}",
                                  "--mqtt-period-ms", "10"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    try:
        probe = Probe(broker, "", "sim/dev0/counter,uint32")
        probe.next_event("connected")
        seen = probe.take(20) + probe.stop()
        probe = Probe(broker, "", "sim/dev0/counter,uint32")
        seen += probe.take(20)
        broker.stop()
        probe.next_event("lost")
        broker.start()
        seen += probe.take(50) + probe.stop()
    finally:
        simulator.terminate()
        assert simulator.wait(DEADLINE) == 0
    # At least once: a number may come twice where an acknowledgement was cut off, but none is missing.
    assert sorted(set(seen)) == list(range(min(seen), max(seen) + 1))


def test_a_flood_of_messages(broker):
    probe = Probe(broker, "queue_size=1000000", "plant/a,int32")
    probe.next_event("connected")
    broker.publish("plant/a", range(50_000))
    assert probe.take(50_000) == list(range(50_000))
    probe.stop()


def test_the_simulator_publishes_what_its_documentation_says(broker):
    simulator = subprocess.Popen([BIN / "fieldwarden", "simulate", "--mqtt-broker", f"127.0.0.1:{broker.port}",
                                  "--mqtt-period-ms", "20", "--mqtt-devices", "2"], stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, text=True)
    try:
        assert json.loads(simulator.stdout.readline())["mqtt_broker"] == f"127.0.0.1:{broker.port}"
        done = subprocess.run(["mosquitto_sub", "-h", "127.0.0.1", "-p", str(broker.port), "-t", "sim/dev1/#", "-v", "-C", "12"],
                              capture_output=True, text=True, timeout=30, check=True)
        said = dict(line.split(" ", 1) for line in done.stdout.splitlines())
        assert set(said) == {f"sim/dev1/{name}" for name in ("counter", "sine", "ramp", "toggle", "text", "state")}
        assert said["sim/dev1/text"] == "pump 1" and said["sim/dev1/toggle"] in ("true", "false")
        state = json.loads(said["sim/dev1/state"])
        assert set(state) == {"counter", "sine", "ramp", "toggle", "text", "time"}
        probe = Probe(broker, "timestamp=/time; subscribe=sim/#", "sim/dev1/state#/sine,float64")
        assert 20 <= probe.take(1)[0] <= 80
        probe.stop()
    finally:
        simulator.terminate()
        assert simulator.wait(DEADLINE) == 0


# --- sign-in and TLS -----------------------------------------------------------------------------------------


def once(broker, options, *points, scheme="mqtt", host="127.0.0.1"):
    return subprocess.run([PROBE, "mqtt", f"{scheme}://{host}:{broker.port}",
                           f"connect_timeout_ms=5000; timeout_ms=300; {options}", *(points or ["plant/a,int32"])],
                          capture_output=True, text=True, timeout=60, check=False)


def test_a_wrong_password(tmp_path):
    (tmp_path / "passwords").write_text("op:right\n")
    subprocess.run(["mosquitto_passwd", "-U", tmp_path / "passwords"], check=True, timeout=60)
    broker = Broker(tmp_path, f"allow_anonymous false\npassword_file {tmp_path}/passwords\n")
    try:
        for version in ("3.1.1", "5"):
            wrong = once(broker, f"version={version}; username=op; password=hunter2")
            assert wrong.returncode == 1 and "refuses the sign-in" in wrong.stderr and "hunter2" not in wrong.stderr
            assert once(broker, f"version={version}; username=op; password=right").returncode == 0
    finally:
        broker.stop()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """An authority, a broker's certificate for localhost, a client's, and an authority nobody trusts."""
    folder = tmp_path_factory.mktemp("certificates")

    def openssl(*arguments):
        subprocess.run(["openssl", *map(str, arguments)], cwd=folder, check=True, capture_output=True, timeout=60)

    for name in ("ca", "stranger"):
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.crt", "-subj",
                f"/CN={name}", "-days", "2")
    for name in ("server", "client"):
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        (folder / "names").write_text("subjectAltName=DNS:localhost\n")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-out",
                f"{name}.crt", "-days", "2", "-extfile", "names")
    return folder


@pytest.fixture
def tls_broker(tmp_path, certificates):
    running = Broker(tmp_path, f"allow_anonymous true\ncafile {certificates}/ca.crt\ncertfile {certificates}/server.crt\n"
                               f"keyfile {certificates}/server.key\nrequire_certificate true\n")
    yield running
    running.stop(signal.SIGKILL)


def test_tls(tls_broker, certificates):
    mine = f"cert_file={certificates}/client.crt; key_file={certificates}/client.key"
    trust = f"ca_file={certificates}/ca.crt"

    def attempt(options, host="localhost", scheme="mqtts"):
        return once(tls_broker, options, scheme=scheme, host=host)

    good = attempt(f"{trust}; {mine}")
    assert good.returncode == 0, good.stderr
    stranger = attempt(f"ca_file={certificates}/stranger.crt; {mine}")
    assert stranger.returncode == 1 and "TLS handshake" in stranger.stderr, stranger.stderr
    assert "certificate" in stranger.stderr
    # The certificate is made out to localhost, not to the address.
    other_name = attempt(f"{trust}; {mine}", host="127.0.0.1")
    assert other_name.returncode == 1 and "TLS handshake" in other_name.stderr, other_name.stderr
    assert attempt(f"verify=false; {mine}", host="127.0.0.1").returncode == 0
    without = attempt(trust)
    assert without.returncode == 1 and "TLS handshake" in without.stderr, without.stderr
    missing = attempt(f"ca_file={certificates}/none.crt; {mine}")
    assert missing.returncode == 1, missing.stderr
    plain = attempt("", scheme="mqtt")
    assert plain.returncode == 1 and "mqtts://" in plain.stderr, plain.stderr


def test_values_over_tls(tls_broker, certificates):
    mine = f"ca_file={certificates}/ca.crt; cert_file={certificates}/client.crt; key_file={certificates}/client.key; verify=false"
    probe = Probe(tls_broker, mine, "plant/a,int32", scheme="mqtts")
    probe.next_event("connected")
    tls_broker.publish("plant/a", range(10), "--cafile", str(certificates / "ca.crt"), "--cert",
                       str(certificates / "client.crt"), "--key", str(certificates / "client.key"), "--insecure")
    assert probe.take(10) == list(range(10))
    tls_broker.stop()
    probe.next_event("lost")
    tls_broker.start()
    probe.next_event("connected")
    probe.stop()


# --- in a task -----------------------------------------------------------------------------------------------


def test_a_task_keeps_what_a_broker_says(broker, supervisor, tmp_path):
    book = Workbook().add("devices", device_code="M", device_name="M", site_code="S1", protocol="mqtt",
                          address=f"mqtt://127.0.0.1:{broker.port}", type_code="T1")
    book.point("COUNT", "M", "sim/dev0/counter", "uint32").point("SINE", "M", "sim/dev0/state#/sine", "float64")
    book.task("T", "M", 50)
    simulator = subprocess.Popen([BIN / "fieldwarden", "simulate", "--mqtt-broker", f"127.0.0.1:{broker.port}",
                                  "--mqtt-period-ms", "20"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        supervisor.import_workbook(book.save(tmp_path / "plant.xlsx"))
        session = supervisor.start_task("T")

        def counted():
            samples = supervisor.history(session, "COUNT")
            return [each["value"] for each in samples if each["quality"] == "good"]

        eventually(lambda: len(set(counted())) >= 5, "five counts in the history")
        assert counted() == sorted(counted())
        eventually(lambda: any(20 <= each["value"] <= 80 for each in supervisor.history(session, "SINE")
                               if each["quality"] == "good"), "a sine in the history")
        # A test of the connection beside the running task throws nobody out of the broker.
        tested = supervisor.cli("test-connection", "M")
        assert "connected" in tested.stdout, tested.stdout
        seen = len(counted())
        eventually(lambda: len(counted()) > seen, "more counts")
        assert (broker.folder / "log").read_text().count("already connected") == 0
    finally:
        simulator.terminate()
        assert simulator.wait(DEADLINE) == 0
