"""The OPC UA driver against an independent server, node-opcua (tests/peers), and against servers that misbehave."""

import base64
import json
import os
import pathlib
import select
import signal
import socket
import struct
import subprocess
import threading

import pytest

from harness import DEADLINE, eventually

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("FIELDWARDEN_BUILD", ROOT / "build" / "release"))
PROBE = BUILD / "tests" / "driver_probe"
SERVER = ROOT / "tests" / "peers" / "opcua_server.js"
MODES = ["none", "basic256sha256_sign", "basic256sha256_sign_encrypt"]
USER = "username=operator; password=s3cret-pässword"


class JsonProcess:
    """A program that answers each JSON line on its standard input with one on its standard output."""

    def __init__(self, command, **environment):
        self.process = subprocess.Popen(
            [str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
            env={**os.environ, **environment})

    def read_line(self, deadline=DEADLINE):
        ready, _, _ = select.select([self.process.stdout], [], [], deadline)
        assert ready, f"no answer within {deadline} s"
        line = self.process.stdout.readline()
        assert line, f"the program ended: {self.process.wait(DEADLINE)}"
        return json.loads(line)

    def tell(self, **command):
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        return self.read_line()

    def stop(self):
        if self.process.poll() is None:
            self.process.stdin.close()
            try:
                self.process.wait(DEADLINE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(DEADLINE)
        self.process.stdout.close()


class Server(JsonProcess):
    def __init__(self, folder, port="", **environment):
        self.folder = folder
        super().__init__(["node", SERVER, folder, *([str(port)] if port else [])], **environment)
        hello = self.read_line(60)
        self.url, self.port = hello["url"], hello["port"]

    def do(self, **command):
        answer = self.tell(**command)
        assert answer["ok"], answer
        return answer

    def change(self, name, value):
        """A change that no later one hides: whoever is subscribed gets it."""
        self.do(do="set", node=name, value=value)
        eventually(lambda: self.do(do="sampled", node=name, value=value)["sampled"], f"{value} sampled")

    def kill(self):
        self.process.kill()
        self.process.wait(DEADLINE)


class Probe(JsonProcess):
    """The driver, told what to do. Points are (address, type)."""

    def __init__(self, url, data_dir, options, points):
        self.points = points
        super().__init__(
            [PROBE, "opcua", url, options, "--commands", *(f"{point[0]},{point[1]},ABCD" + "".join(
                f",{more}" for more in point[2:]) for point in points)],
            FIELDWARDEN_DATA_DIR=str(data_dir))

    def do(self, name, **arguments):
        answer = self.tell(do=name, **arguments)
        assert answer["ok"], answer
        return answer

    def read(self):
        samples = self.do("read")["samples"]
        assert [sample["point"] for sample in samples] == list(range(len(self.points)))
        return samples

    def take_until(self, done, what):
        """Takes until `done(all samples so far)`; returns them."""
        samples = []

        def more():
            samples.extend(self.do("take", wait_ms=200)["samples"])
            return done(samples)

        eventually(more, what)
        return samples

    def reconnect(self, subscribe=True, period_ms=100):
        """As the device loop does it: until it works. Another period than before makes another subscription."""

        def attempt():
            self.tell(do="disconnect")
            return self.tell(do="connect")["ok"] and (not subscribe or self.tell(do="subscribe", period_ms=period_ms)["ok"])

        eventually(attempt, "the driver connected again", 60)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("opcua"))
    yield server
    server.stop()


@pytest.fixture
def probes(tmp_path):
    running = []

    def start(url, points, options="", connect=True):
        probe = Probe(url, tmp_path, options, points)
        running.append(probe)
        if connect:
            probe.do("connect")
        return probe

    yield start
    for probe in running:
        probe.stop()


def value_of(samples, point):
    """The newest value of a point; None before there is one."""
    values = [sample["value"] for sample in samples if sample["point"] == point]
    return values[-1] if values else None


def node(name):
    return f"ns=1;s={name}"


# --- values ----------------------------------------------------------------------------------------------------------

FITTING = [
    ("Boolean", "bool", True),
    ("SByte", "int16", -128),
    ("Byte", "uint16", 255),
    ("Int16", "int16", -32768),
    ("UInt16", "uint16", 65535),
    ("Int32", "int32", -2147483648),
    ("UInt32", "uint32", 4294967295),
    ("Int64", "int64", -2),
    ("UInt64", "uint64", 0x8000000000000001),
    ("Float", "float32", 1.5),
    ("Double", "float64", 3.141592653589793),
    ("Float", "float64", 1.5),
    ("Int32", "float64", -2147483648.0),
    ("Byte", "int64", 255),
    ("String", "string(50)", "Grüße 中文"),
    ("DateTime", "string(30)", "2026-01-02T03:04:05.678Z"),
    ("DateTime", "int64", 1767323045678),
    ("Guid", "string(36)", "72962B91-FA75-4AE6-8D28-B404DC7DAF63"),
    ("ByteString", "string(20)", base64.b64encode(bytes([0, 1, 2, 253, 254, 255])).decode()),
    ("XmlElement", "string(20)", "<a>1</a>"),
    ("NodeId", "string(20)", "ns=1;s=Other"),
    ("StatusCode", "string(30)", "BadNodeIdUnknown"),
    ("QualifiedName", "string(20)", "1:Pump"),
    ("LocalizedText", "string(20)", "Pump seven"),
    ("Duration", "float64", 250.0),
    ("Double", "string(30)", "3.141592653589793"),
    ("Doubles[0]", "float64", 1.5),
    ("Doubles[2]", "float64", 1e10),
    ("Int32s[3]", "int16", 40),
    ("Strings[1]", "string(10)", 'b"c'),
    ("Booleans[1]", "bool", False),
    ("Doubles", "string(40)", "[1.5,-2.25,10000000000.0]"),
    ("Int32s", "string(40)", "[10,20,30,40]"),
    ("Strings", "string(40)", '["a","b\\"c",""]'),
    ("Empty", "string(40)", "[]"),
    ("Matrix", "string(40)", "[[1,2,3],[4,5,6]]"),
    ("Matrix[1,2]", "int16", 6),
    ("Named[3]", "int32", 33),
]
UNFITTING = [
    ("UInt16", "int16", "decode"),
    ("Int32", "uint32", "decode"),
    ("Double", "int32", "decode"),
    ("String", "float64", "decode"),
    ("String", "string(3)", "decode"),
    ("Byte", "bool", "decode"),
    ("Doubles", "float64", "decode"),
    ("Double[0]", "float64", "illegal_address"),
    ("Doubles[3]", "float64", "illegal_address"),
    ("Doubles", "string(5)", "decode"),
    ("Plant", "float64", "illegal_address"),
    ("Nowhere", "float64", "illegal_address"),
]


@pytest.mark.parametrize("security", MODES)
@pytest.mark.parametrize("user", ["", USER], ids=["anonymous", "user"])
def test_every_type_in_every_mode(server, probes, security, user):
    points = [(node(name), kind) for name, kind, _ in FITTING + UNFITTING]
    probe = probes(server.url, points, f"security={security}; mode=poll; {user}")
    samples = probe.read()
    for (name, kind, value), sample in zip(FITTING, samples):
        assert (sample["value"], sample["quality"]) == (value, "good"), (name, kind, sample)
    for (name, kind, code), sample in zip(UNFITTING, samples[len(FITTING):]):
        assert (sample["value"], sample["quality"]) == (None, "bad"), (name, kind, sample)
        assert sample["quality_code"] == code or name == "Double[0]", (name, kind, sample)
    assert "more" in probe.do("stats")["last_refusal"]


def test_one_shot_read_and_numeric_and_path_addresses(server):
    points = ["ns=1;i=4711", "path:/Objects/1:Plant/1:Boiler/1:Temp", "path:/Objects/1:Plant/1:Nothing"]
    done = subprocess.run(
        [PROBE, "opcua", server.url, "mode=poll", *(f"{point},float64,ABCD" for point in points)],
        capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    samples = [json.loads(line) for line in done.stdout.splitlines()]
    assert [sample["value"] for sample in samples] == [81.5, 81.5, None]
    assert samples[2]["quality_code"] == "illegal_address"


def test_more_points_than_the_server_reads_at_once(server, probes):
    probe = probes(server.url, [(node(f"V{i}"), "int32") for i in range(300)], "mode=poll")
    assert [sample["value"] for sample in probe.read()] == list(range(300))


def test_status_codes_are_qualities(server, probes):
    probe = probes(server.url, [(node("Float"), "float32")], "mode=poll")
    for code, quality, quality_code, value in [
        ("BadSensorFailure", "bad", "disconnected", None),
        ("BadOutOfRange", "bad", "out_of_range", None),
        ("BadWaitingForInitialData", "bad", "stale", None),
        ("UncertainLastUsableValue", "uncertain", "stale", 1.5),
        ("GoodLocalOverride", "good", "", 1.5),
        ("Good", "good", "", 1.5),
    ]:
        server.do(do="status", node="Float", code=code)
        sample = probe.read()[0]
        assert (sample["quality"], sample["quality_code"], sample["value"]) == (quality, quality_code, value), code
        assert quality == "good" or code in probe.do("stats")["last_refusal"]


# --- writing and browsing --------------------------------------------------------------------------------------------

def test_written_values_come_back(server, probes):
    writes = [
        ("Boolean", "bool", False), ("SByte", "int16", 100), ("Byte", "uint16", 7), ("Int16", "int16", 123),
        ("UInt16", "uint16", 40000), ("Int32", "int32", -5), ("UInt32", "uint32", 4000000000), ("Int64", "int64", -9),
        ("UInt64", "uint64", 18446744073709551615), ("Float", "float32", -0.25), ("Double", "float64", 1e300),
        ("String", "string(20)", "ab ü"), ("DateTime", "string(30)", "2026-05-06T07:08:09.010Z"),
        ("Guid", "string(36)", "00112233-4455-6677-8899-AABBCCDDEEFF"), ("ByteString", "string(20)", "AAECAw=="),
        ("LocalizedText", "string(20)", "Valve"), ("Int32s[2]", "int32", 77), ("Matrix[0,1]", "int16", -4),
        ("Duration", "float64", 12.5),
    ]
    probe = probes(server.url, [(node(name), kind) for name, kind, _ in writes], "mode=poll")
    before = [sample["value"] for sample in probe.read()]
    for i, (_, _, value) in enumerate(writes):
        probe.do("write", point=i, value=value)
    after = [sample["value"] for sample in probe.read()]
    assert after == [value for _, _, value in writes]
    assert server.do(do="get", node="Double")["value"] == 1e300
    for i, value in enumerate(before):
        probe.do("write", point=i, value=value)
    assert [sample["value"] for sample in probe.read()] == before


def test_a_refused_write_says_why_and_leaves_the_connection(server, probes):
    probe = probes(server.url, [(node("ReadOnly"), "int32"), (node("Byte"), "int32"), (node("Doubles"), "float64"),
                                (node("Nowhere"), "int32"), (node("Int32"), "string(9)")], "mode=poll")
    for point, value, why in [(0, 1, "BadNotWritable"), (1, 256, "Byte"), (2, 1.0, "[0]"), (3, 1, "BadNodeIdUnknown"),
                              (4, "x", "Int32")]:
        answer = probe.tell(do="write", point=point, value=value)
        assert (answer["ok"], answer["kind"]) == (False, "invalid_argument"), answer
        assert why in answer["error"]
    assert probe.read()[0]["value"] == 7


def test_browse(server, probes):
    probe = probes(server.url, [], "mode=poll")
    top = {entry["name"]: entry for entry in probe.do("browse")["nodes"]}
    assert top["Plant"]["kind"] == "object" and top["Plant"]["has_children"]
    plant = {entry["name"]: entry for entry in probe.do("browse", node=top["Plant"]["address"])["nodes"]}
    assert plant["Double"] == {"address": node("Double"), "name": "Double", "kind": "variable", "data_type": "float64",
                               "device_type": "Double", "has_children": False, "writable": True}
    assert (plant["Doubles"]["device_type"], plant["Doubles"]["data_type"]) == ("Double[]", "")
    assert plant["Matrix"]["device_type"] == "Int16[2,3]"
    assert plant["Duration"]["data_type"] == "float64"
    assert not plant["ReadOnly"]["writable"]
    many = probe.do("browse", node=plant["Many"]["address"])
    assert len(many["nodes"]) == 300 and not many["truncated"]
    assert probe.tell(do="browse", node=node("Nowhere"))["kind"] == "not_found"
    assert probe.tell(do="browse", node="?")["kind"] == "invalid_argument"


# --- subscriptions ---------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("security", MODES)
def test_changes_come_by_themselves(server, probes, security):
    points = [(node("Double"), "float64"), (node("Int32s[1]"), "int32"), (node("Nowhere"), "int32")]
    probe = probes(server.url, points, f"security={security}; queue_size=100; publishing_interval_ms=50")
    probe.do("subscribe", period_ms=10)
    first = probe.take_until(lambda samples: len({sample["point"] for sample in samples}) == 3, "first values")
    assert value_of(first, 1) == 20
    assert [sample["quality_code"] for sample in first if sample["point"] == 2] == ["illegal_address"]
    for i in range(20):
        server.do(do="set", node="Double", value=float(i))
    seen = probe.take_until(lambda samples: value_of(samples, 0) == 19.0, "the last change")
    changes = [sample["value"] for sample in seen if sample["point"] == 0]
    assert changes == sorted(changes)
    server.do(do="status", node="Double", code="BadSensorFailure")
    bad = probe.take_until(lambda samples: any(sample["quality"] == "bad" for sample in samples), "the bad status")
    assert value_of(bad, 0) is None
    server.do(do="set", node="Double", value=3.141592653589793)
    probe.take_until(lambda samples: value_of(samples, 0) == 3.141592653589793, "the good value")
    # read() works beside it.
    assert probe.read()[1]["value"] == 20
    probe.do("disconnect")
    eventually(lambda: server.do(do="sessions")["sessions"] == 0, "the session closed on the server")


@pytest.mark.parametrize("security", MODES)
def test_an_interrupted_driver_still_closes_its_session(server, probes, security):
    before = server.do(do="sessions")
    probe = probes(server.url, [(node("Int16"), "int16")], f"security={security}")
    probe.do("subscribe", period_ms=100)
    probe.take_until(lambda samples: samples, "the first value")
    assert server.do(do="sessions")["sessions"] == before["sessions"] + 1
    probe.do("interrupt")
    for name in ("take", "read", "connect"):
        assert not probe.tell(do=name)["ok"], name
    probe.do("disconnect")
    eventually(lambda: server.do(do="sessions") == before, "the session closed on the server")
    probe.do("connect")
    assert probe.read()[0]["quality"] == "good"


def test_a_subscription_of_many_items(server, probes):
    probe = probes(server.url, [(node(f"V{i}"), "int32") for i in range(300)])
    probe.do("subscribe", period_ms=100)
    samples = probe.take_until(lambda samples: len(samples) >= 300, "all first values")
    assert sorted(sample["value"] for sample in samples) == list(range(300))


def test_nothing_new_is_confirmed(server, probes):
    probe = probes(server.url, [(node("Int16"), "int16")])
    probe.do("subscribe", period_ms=100)
    probe.take_until(lambda samples: samples, "the first value")
    first = probe.do("take", wait_ms=0)["confirmed_at"]
    eventually(lambda: probe.do("take", wait_ms=1000)["confirmed_at"] > first, "a keep-alive")


def test_the_server_applies_the_deadband(server, probes):
    # Raw deadband: 5 / 2. The string has none, and keeps being reported.
    probe = probes(server.url, [(node("Double"), "float64", 2, 5), (node("String"), "string(20)", 1, 5)],
                   "server_deadband=true; queue_size=100; publishing_interval_ms=50")
    probe.do("subscribe", period_ms=10)
    probe.take_until(lambda samples: len({sample["point"] for sample in samples}) == 2, "first values")
    server.do(do="set", node="Double", value=100.0)
    probe.take_until(lambda samples: value_of(samples, 0) == 100.0, "a large change")
    server.do(do="set", node="Double", value=102.0)
    server.do(do="set", node="Double", value=110.0)
    seen = probe.take_until(lambda samples: value_of(samples, 0) == 110.0, "the next large change")
    assert [sample["value"] for sample in seen if sample["point"] == 0] == [110.0]
    server.do(do="set", node="Double", value=3.141592653589793)


def test_a_node_that_appears_later_and_goes_again(server, probes):
    probe = probes(server.url, [(node("Extra"), "int32"), ("path:/Objects/1:Plant/1:Extra", "int32")],
                   "illegal_retry_s=1")
    probe.do("subscribe", period_ms=100)
    probe.take_until(lambda samples: len(samples) >= 2, "the bad samples")
    server.do(do="add", node="Extra")
    probe.take_until(lambda samples: value_of(samples, 0) == 5 and value_of(samples, 1) == 5, "the new node")
    server.do(do="remove", node="Extra")


def test_channels_are_renewed(tmp_path, probes):
    server = Server(tmp_path / "server", TOKEN_LIFETIME_MS="1500")
    try:
        probe = probes(server.url, [(node("Double"), "float64")], "security=basic256sha256_sign_encrypt")
        probe.do("subscribe", period_ms=50)
        probe.take_until(lambda samples: samples, "the first value")
        # Far more messages than tokens: every renewal happens between them.
        for i in range(120):
            server.do(do="set", node="Double", value=float(i))
            probe.take_until(lambda samples, want=float(i): value_of(samples, 0) == want, f"change {i}")
        stats = probe.do("stats")
        assert (stats["lost_connections"], stats["broken_answers"], stats["timeouts"]) == (0, 0, 0)
    finally:
        server.stop()


# --- breaks ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("security", ["none", "basic256sha256_sign_encrypt"])
def test_a_broken_connection_loses_no_change(server, probes, security):
    probe = probes(server.url, [(node("Double"), "float64")],
                   f"security={security}; queue_size=100; publishing_interval_ms=50")
    probe.do("subscribe", period_ms=10)
    probe.take_until(lambda samples: samples, "the first value")
    server.do(do="set", node="Double", value=500.0)
    probe.take_until(lambda samples: value_of(samples, 0) == 500.0, "a change")
    server.do(do="cut")
    eventually(lambda: not probe.tell(do="take", wait_ms=200)["ok"], "the broken connection noticed")
    for i in range(1, 6):
        server.change("Double", 500.0 + i)
    before = server.do(do="sessions")
    probe.reconnect(period_ms=10)
    seen = probe.take_until(lambda samples: value_of(samples, 0) == 505.0, "the newest change")
    # The old subscription went on: it was neither made anew nor left behind.
    assert server.do(do="sessions")["subscriptions"] == before["subscriptions"]
    assert [sample["value"] for sample in seen] == [500.0 + i for i in range(1, 6)]
    server.do(do="set", node="Double", value=3.141592653589793)


@pytest.mark.parametrize("security", ["none", "basic256sha256_sign_encrypt"])
def test_a_session_the_server_ends_loses_and_doubles_no_change(server, probes, security):
    before = server.do(do="sessions")
    probe = probes(server.url, [(node("Double"), "float64")],
                   f"security={security}; queue_size=100; publishing_interval_ms=50")
    probe.do("subscribe", period_ms=10)
    probe.take_until(lambda samples: samples, "the first value")
    server.do(do="set", node="Double", value=600.0)
    seen = probe.take_until(lambda samples: value_of(samples, 0) == 600.0, "a change")
    # The connection stays, and so does the subscription: the next session takes it over, with what it kept.
    server.do(do="end_sessions", subscriptions=False)
    for i in range(1, 6):
        server.change("Double", 600.0 + i)
    eventually(lambda: not probe.tell(do="take", wait_ms=200)["ok"], "the end of the session noticed")
    probe.reconnect(period_ms=10)
    seen += probe.take_until(lambda samples: value_of(samples, 0) == 605.0, "the newest change")
    server.do(do="set", node="Double", value=606.0)
    seen += probe.take_until(lambda samples: value_of(samples, 0) == 606.0, "a change after it")
    assert [sample["value"] for sample in seen if sample["value"] >= 600] == [600.0 + i for i in range(7)]
    assert server.do(do="sessions") == {"ok": True, "sessions": before["sessions"] + 1,
                                        "subscriptions": before["subscriptions"] + 1}
    server.do(do="set", node="Double", value=3.141592653589793)


def test_a_session_ended_with_its_subscription_gets_a_new_one(server, probes):
    probe = probes(server.url, [(node("Double"), "float64")], "queue_size=100; publishing_interval_ms=50")
    probe.do("subscribe", period_ms=10)
    probe.take_until(lambda samples: samples, "the first value")
    server.do(do="end_sessions", subscriptions=True)
    server.do(do="set", node="Double", value=700.0)
    eventually(lambda: not probe.tell(do="take", wait_ms=200)["ok"], "the end of the session noticed")
    probe.reconnect(period_ms=10)
    probe.take_until(lambda samples: value_of(samples, 0) == 700.0, "the newest value")
    server.do(do="set", node="Double", value=3.141592653589793)
    probe.take_until(lambda samples: value_of(samples, 0) == 3.141592653589793, "a change after it")


def test_a_server_that_is_killed_and_started_again(tmp_path, probes):
    server = Server(tmp_path / "server")
    points = [(node("Double"), "float64"), ("path:/Objects/1:Plant/1:Boiler/1:Temp", "float64")]
    pushed = probes(server.url, points, "security=basic256sha256_sign_encrypt")
    polled = probes(server.url, points, "mode=poll")
    pushed.do("subscribe", period_ms=100)
    pushed.take_until(lambda samples: len(samples) >= 2, "first values")
    polled.read()
    server.kill()
    eventually(lambda: not pushed.tell(do="take", wait_ms=200)["ok"], "the death noticed")
    answer = polled.tell(do="read")
    assert not answer["ok"] and {sample["quality"] for sample in answer["samples"]} == {"bad"}
    assert "connection refused" in (pushed.tell(do="disconnect"), pushed.tell(do="connect"))[1]["error"]
    again = Server(tmp_path / "server", server.port)
    try:
        pushed.reconnect()
        pushed.take_until(lambda samples: value_of(samples, 0) == 3.141592653589793 and value_of(samples, 1) == 81.5,
                          "values after the restart")
        polled.reconnect(subscribe=False)
        assert [sample["value"] for sample in polled.read()] == [3.141592653589793, 81.5]
    finally:
        again.stop()


def test_a_frozen_server_times_out_and_comes_back(tmp_path, probes):
    server = Server(tmp_path / "server")
    try:
        polled = probes(server.url, [(node("Double"), "float64")], "mode=poll; timeout_ms=500")
        pushed = probes(server.url, [(node("Double"), "float64")], "timeout_ms=500; publishing_interval_ms=100")
        pushed.do("subscribe", period_ms=100)
        pushed.take_until(lambda samples: samples, "the first value")
        os.kill(server.process.pid, signal.SIGSTOP)
        answer = polled.tell(do="read")
        assert (answer["kind"], answer["samples"][0]["quality_code"]) == ("timeout", "timeout")

        def gone():
            taken = pushed.tell(do="take", wait_ms=500)
            return None if taken["ok"] else taken

        # Without this no keep-alive would be missed: silence alone tells.
        assert eventually(gone, "the silence noticed")["kind"] == "timeout"
        os.kill(server.process.pid, signal.SIGCONT)
        polled.reconnect(subscribe=False)
        assert polled.read()[0]["quality"] == "good"
        pushed.reconnect()
        server.do(do="set", node="Double", value=42.0)
        pushed.take_until(lambda samples: value_of(samples, 0) == 42.0, "a change after the freeze")
    finally:
        os.kill(server.process.pid, signal.SIGCONT)
        server.stop()


# --- security --------------------------------------------------------------------------------------------------------

def trusted_files(data_dir):
    return list((data_dir / "pki" / "opcua" / "trusted").glob("*.der"))


def test_a_changed_certificate_is_refused_until_it_is_trusted(tmp_path, probes):
    server = Server(tmp_path / "first")
    probe = probes(server.url, [(node("Int32"), "int32")], "mode=poll; security=basic256sha256_sign")
    probe.read()
    key = tmp_path / "pki" / "opcua" / "own" / "private_key.pem"
    assert key.stat().st_mode & 0o777 == 0o600
    assert len(trusted_files(tmp_path)) == 1
    probe.do("disconnect")
    server.stop()
    other = Server(tmp_path / "second", server.port)  # a key of its own
    try:
        answer = probe.tell(do="connect")
        assert not answer["ok"] and "has changed" in answer["error"], answer
        assert str(trusted_files(tmp_path)[0]) in answer["error"]
        trusted_files(tmp_path)[0].unlink()
        probe.do("disconnect")
        probe.do("connect")
        assert probe.read()[0]["quality"] == "good"
        # A plain connection has no certificate to check.
        assert probes(other.url, [(node("Int32"), "int32")], "mode=poll").read()[0]["quality"] == "good"
    finally:
        other.stop()


def test_a_pinned_certificate(server, probes, tmp_path):
    pem = subprocess.run(["openssl", "x509", "-in", server.folder / "certificate.pem", "-noout", "-fingerprint", "-sha256"],
                         capture_output=True, text=True, check=True).stdout
    right = pem.strip().split("=", 1)[1]
    options = "mode=poll; security=basic256sha256_sign; server_certificate_sha256="
    assert probes(server.url, [(node("Int32"), "int32")], options + right).read()[0]["quality"] == "good"
    wrong = probes(server.url, [], options + "00" * 32, connect=False).tell(do="connect")
    assert not wrong["ok"] and right in wrong["error"] and "server_certificate_sha256" in wrong["error"]
    assert trusted_files(tmp_path) == []
    unknown = probes(server.url, [], "security=basic256sha256_sign; trust=known", connect=False).tell(do="connect")
    assert not unknown["ok"] and "trust=first_use" in unknown["error"]


@pytest.mark.parametrize("options, why", [
    ("username=operator; password=wrong", "BadUserAccessDenied"),
    ("username=operator; password=wrong; security=basic256sha256_sign", "BadUserAccessDenied"),
])
def test_a_wrong_password_is_refused(server, probes, options, why):
    answer = probes(server.url, [], options, connect=False).tell(do="connect")
    assert not answer["ok"] and why in answer["error"] and "password" in answer["error"]
    assert "wrong" not in answer["error"]


# --- servers that misbehave ------------------------------------------------------------------------------------------

def chunk(kind, body, final=b"F"):
    return kind + final + struct.pack("<I", len(body) + 8) + body


ACK = chunk(b"ACK", struct.pack("<5I", 0, 65535, 65535, 0, 0))
# Policy None, no certificates, sequence 1, request 1; token 1, an hour, no nonce.
OPENED = chunk(
    b"OPN",
    struct.pack("<II", 7, 47) + b"http://opcfoundation.org/UA/SecurityPolicy#None" + struct.pack("<iiII", -1, -1, 1, 1)
    + b"\x01\x00" + struct.pack("<H", 449) + struct.pack("<qII", 0, 0, 0) + b"\x00" + struct.pack("<i", -1) + b"\x00\x00\x00"
    + struct.pack("<I", 0) + struct.pack("<IIqI", 7, 1, 0, 3600000) + struct.pack("<i", -1))


def message(body, sequence=2, request=2, channel=7, token=1, final=b"F"):
    return chunk(b"MSG", struct.pack("<4I", channel, token, sequence, request) + body, final)


def response(kind, payload):
    return b"\x01\x00" + struct.pack("<H", kind) + struct.pack("<qII", 0, 0, 0) + b"\x00" + struct.pack("<i", -1) + b"\x00\x00\x00" + payload


class Impostor:
    """Answers the n-th message of every connection with the n-th of `answers`; None hangs up."""

    def __init__(self, answers):
        self._answers = answers
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"opc.tcp://127.0.0.1:{self._listener.getsockname()[1]}/x"
        self._connections = []
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._connections.append(connection)
            try:
                for answer in self._answers:
                    header = connection.recv(8, socket.MSG_WAITALL)
                    if len(header) < 8:
                        break
                    connection.recv(struct.unpack("<I", header[4:])[0] - 8, socket.MSG_WAITALL)
                    if answer is None:
                        connection.shutdown(socket.SHUT_RDWR)
                        break
                    connection.sendall(answer)
                else:
                    connection.recv(1)
            except OSError:
                pass

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._connections:
            connection.close()
        self._thread.join(DEADLINE)


@pytest.mark.parametrize("answers, why", [
    ([None], "closed the connection"),
    ([b"HTTP/1.1 400 Bad Request\r\n\r\n"], "no OPC UA message"),
    ([chunk(b"ERR", struct.pack("<Ii", 0x80830000, 4) + b"oops")], "BadTcpEndpointUrlInvalid: oops"),
    ([chunk(b"ERR", struct.pack("<Ii", 0x80830000, 0x7fffffff))], "BadTcpEndpointUrlInvalid"),
    ([b"ACKF" + struct.pack("<I", 0xffffffff)], "agreed were at most"),
    ([b"ACKF" + struct.pack("<I", 7)], "says it has 7 bytes"),
    ([chunk(b"ACK", struct.pack("<5I", 0, 16, 16, 0, 0))], "8192"),
    ([ACK[:11]], "does not answer Hello"),
    ([ACK, OPENED[:20]], "does not answer OpenSecureChannel"),
    ([ACK, OPENED[:20], None], "does not answer OpenSecureChannel"),
    ([ACK, OPENED.replace(b"#None", b"#Nine")], "security policy 'Nine'"),
    ([ACK, OPENED, message(response(431, struct.pack("<i", 0)), request=9)], "which was not asked"),
    ([ACK, OPENED, message(response(431, struct.pack("<i", 0)), sequence=5)], "sequence number 5 came after 1"),
    ([ACK, OPENED, message(response(431, struct.pack("<i", 0)), channel=8)], "of channel 8, ours is 7"),
    ([ACK, OPENED, message(response(431, struct.pack("<i", 0)), token=3)], "token that is not valid"),
    ([ACK, OPENED, message(response(431, struct.pack("<i", 0x7fffffff)))], "does not decode"),
    ([ACK, OPENED, message(response(634, struct.pack("<i", 0)))], "type 634"),
    ([ACK, OPENED, message(response(431, struct.pack("<i", 0)))], "it offers: none"),
    ([ACK, OPENED, message(struct.pack("<Ii", 0x80b90000, -1), final=b"A")], "BadResponseTooLarge"),
    ([ACK, OPENED, message(response(431, struct.pack("<i", 0)))[:30]], "timed out"),
    ([ACK, OPENED, message(b"\x00" * 60000, final=b"C") +
      b"".join(message(b"\x00" * 60000, sequence=i, final=b"C") for i in range(3, 80))], "longer than agreed"),
    ([ACK, OPENED, message(b"x", final=b"C") + message(b"x", sequence=3, request=1)], "mixed"),
])
def test_hostile_servers_are_errors(probes, answers, why):
    with Impostor(answers) as impostor:
        probe = probes(impostor.url, [("i=2258", "string(30)")], "mode=poll; timeout_ms=300; connect_timeout_ms=300",
                       connect=False)
        for _ in range(2):
            answer = probe.tell(do="connect")
            assert not answer["ok"] and why in answer["error"], answer
            assert answer["kind"] != "invalid_argument"
            probe.do("disconnect")
