"""The OPC UA server of the simulator against an independent client: node-opcua (tests/peers)."""

import json
import pathlib
import select
import socket
import struct
import subprocess

import pytest
from harness import BIN, DEADLINE, eventually

PEER = pathlib.Path(__file__).resolve().parents[1] / "peers" / "opcua_client.js"


class Server:
    """`fieldwarden simulate --opcua` with its control port."""

    def __init__(self, *flags):
        self.process = subprocess.Popen(
            [BIN / "fieldwarden", "simulate", "--opcua", "127.0.0.1:0", "--opcua-control", "127.0.0.1:0", *flags],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        ready, _, _ = select.select([self.process.stdout], [], [], DEADLINE)
        assert ready, "the simulator did not say it is ready"
        hello = json.loads(self.process.stdout.readline())
        assert hello["ready"] and hello["modbus"] == []
        self.port = hello["opcua"][0]
        self.url = f"opc.tcp://127.0.0.1:{self.port}"
        self._control = socket.create_connection(("127.0.0.1", hello["opcua_control"]), timeout=DEADLINE)
        self._answers = self._control.makefile("r")

    def control(self, **command):
        self._control.sendall(json.dumps(command).encode() + b"\n")
        return json.loads(self._answers.readline())

    def stop(self):
        self._control.close()
        self.process.terminate()
        assert self.process.wait(DEADLINE) == 0


class Client:
    """node-opcua in a process of its own."""

    def __init__(self, folder):
        self.process = subprocess.Popen(["node", PEER, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True)

    def ask(self, verb, **arguments):
        self.process.stdin.write(json.dumps({"do": verb, **arguments}) + "\n")
        self.process.stdin.flush()
        ready, _, _ = select.select([self.process.stdout], [], [], 60)
        assert ready, f"node-opcua does not answer {verb}"
        return json.loads(self.process.stdout.readline())

    def do(self, verb, **arguments):
        answer = self.ask(verb, **arguments)
        assert "ok" in answer, f"{verb}: {answer}"
        return answer["ok"]

    def values(self, *nodes):
        return [each["value"] for each in self.do("read", nodes=list(nodes))]

    def stop(self):
        self.process.stdin.close()
        try:
            self.process.wait(DEADLINE)
        finally:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def server():
    running = Server()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where node-opcua keeps the certificate it makes, which takes it seconds."""
    return tmp_path_factory.mktemp("pki")


@pytest.fixture
def client(server, folder):
    running = Client(folder)
    assert running.do("connect", url=server.url) == "connected"
    yield running
    running.stop()


def test_every_type_as_the_documentation_says(client):
    wanted = {
        "Boolean": True, "SByte": -8, "Byte": 8, "Int16": -1600, "UInt16": 1600, "Int32": -320000, "UInt32": 320000,
        "Int64": "-6400000000", "UInt64": "6400000000", "Float": 1.5, "Double": 2.25, "String": "text",
        "DateTime": "2026-01-01T00:00:00.000Z", "Guid": "72962B91-FA75-4AE6-8D28-B404DC7DAF63", "ByteString": "010203",
        "LocalizedText": "local",
    }
    got = client.do("read", nodes=[f"ns=2;s=Types.{name}" for name in wanted])
    assert [each["type"] for each in got] == list(wanted)
    assert [each["value"] for each in got] == list(wanted.values())
    assert {each["status"] for each in got} == {"Good"}
    arrays = client.do("read", nodes=[f"ns=2;s=Arrays.{name}" for name in ("Boolean", "Int32", "UInt16", "Double", "String")])
    assert [each["value"] for each in arrays] == [[True, False, True], [-1, 0, 1], [1, 2, 3], [0.5, 1.5, 2.5], ["a", "b", "c"]]
    assert all(each["array"] for each in arrays)
    assert client.values("ns=2;i=1001", "ns=2;g=72962B91-FA75-4AE6-8D28-B404DC7DAF63", "ns=2;b=QUJD") == [1001, 16, 3]


def test_statuses(client):
    nodes = ["ns=2;s=nope", "ns=2;s=Broken", "ns=2;s=Uncertain", "ns=2;s=WriteOnly", "ns=2;s=Sim"]
    assert [each["status"] for each in client.do("read", nodes=nodes)] == [
        "BadNodeIdUnknown", "BadSensorFailure", "UncertainLastUsableValue", "BadNotReadable", "BadAttributeIdInvalid"]


def test_the_standard_nodes(client):
    namespaces, state = client.values("i=2255", "i=2259")
    assert namespaces == ["http://opcfoundation.org/UA/", "urn:fieldwarden:simulator", "urn:fieldwarden:simulator:signals"]
    assert state == 0
    assert client.values("i=11705", "i=11714") == [500, 500]
    assert "ServerStatusDataType" in client.values("i=2256")[0]
    endpoints = client.do("endpoints")
    assert [(each["mode"], each["tokens"]) for each in endpoints] == [("None", ["Anonymous"])]


def test_attributes(client):
    def attribute(number):
        return client.do("read", nodes=["ns=2;s=Arrays.Int32"], attribute=number)[0]["value"]

    assert attribute(2) == 2  # a variable
    assert "Int32" in attribute(3)
    assert attribute(4) == "Int32"
    assert "i=6" in attribute(14)
    assert attribute(15) == 1
    assert attribute(17) == 1


def test_writing(client):
    for kind, value in [("Boolean", True), ("SByte", -5), ("Byte", 200), ("Int16", -7), ("UInt16", 60000), ("Int32", -70000),
                        ("UInt32", 4000000000), ("Float", 0.5), ("Double", 1e300), ("String", "grüße")]:
        node = f"ns=2;s=Writable.{kind}"
        assert client.do("write", node=node, type=kind, value=value) == "Good"
        assert client.values(node) == [value]
    assert client.do("write", node="ns=2;s=Writable.Int32", type="Double", value=1) == "BadTypeMismatch"
    assert client.do("write", node="ns=2;s=Sine", type="Double", value=1) == "BadNotWritable"
    assert client.do("write", node="ns=2;s=nope", type="Double", value=1) == "BadNodeIdUnknown"
    assert client.do("write", node="ns=2;s=WriteOnly", type="Int32", value=1) == "Good"


def test_browsing(client):
    objects = client.do("browse", node="i=85", max=0)
    assert [(each["node"], each["name"], each["class"]) for each in objects["nodes"]] == [
        ("ns=0;i=2253", "Server", "Object"), ("ns=2;s=Sim", "Sim", "Object")]
    names = {each["name"]: each["class"] for each in client.do("browse", node="ns=2;s=Sim", max=0)["nodes"]}
    assert names["Sine"] == "Variable" and names["Types"] == "Object"
    assert client.do("browse", node="ns=2;s=nope", max=0)["status"] == "BadNodeIdUnknown"
    assert client.do("translate", start="i=85", path="/2:Sim/2:Sine") == {"status": "Good", "node": "ns=2;s=Sine"}
    assert client.do("translate", start="i=85", path="/2:Sim/2:None")["status"] == "BadNoMatch"


def test_browsing_page_by_page(client):
    many = client.do("browse", node="ns=2;s=Many", max=30)
    assert [each["node"] for each in many["nodes"]] == [f"ns=2;s=Many.{i}" for i in range(100)]
    assert many["pages"] == 3  # 30, then pages of 50


def test_subscribing_brings_every_change_in_order(server, client):
    statuses = client.do("subscribe", nodes=["ns=2;s=Counter", "ns=2;s=Writable.Int32", "ns=2;s=nope"],
                         interval=50, sampling=10, queue=100)
    assert statuses[:2] == ["Good", "Good"] and "BadNodeIdUnknown" in statuses[2]
    counts = [each["value"] for each in client.do("changes", node="ns=2;s=Counter", count=10)]
    assert counts == list(range(counts[0], counts[0] + len(counts)))
    assert [each["value"] for each in client.do("changes", node="ns=2;s=Writable.Int32", count=1)] == [0]
    assert server.control(pin="Writable.Int32", values=list(range(1, 51)))["ok"]
    changed = client.do("changes", node="ns=2;s=Writable.Int32", count=50)
    assert [each["value"] for each in changed] == list(range(1, 51))
    assert server.control(node="Writable.Int32", status=0x80340000)["ok"]
    assert client.do("changes", node="ns=2;s=Writable.Int32", count=1)[0]["status"] == "BadNodeIdUnknown"
    assert client.do("close") == "closed"
    eventually(lambda: server.control()["sessions"] == 0, "the session's end")
    counters = server.control()
    assert counters["subscriptions"] == 0 and counters["monitored_items"] == 0


def test_the_queue_of_an_item_is_bounded_and_tells_its_overflow(server, client):
    client.do("subscribe", nodes=["ns=2;s=Writable.Int32"], interval=50, sampling=10, queue=5)
    client.do("changes", node="ns=2;s=Writable.Int32", count=1)
    server.control(pin="Writable.Int32", values=list(range(1, 1001)))
    got = [each["value"] for each in client.do("changes", node="ns=2;s=Writable.Int32", count=5)]
    assert got == [996, 997, 998, 999, 1000]


def test_the_client_survives_a_cut_and_a_restart(server, client):
    client.do("subscribe", nodes=["ns=2;s=Writable.Int32"], interval=50, sampling=10, queue=100)
    client.do("changes", node="ns=2;s=Writable.Int32", count=1)
    before = server.control()["accepted"]
    server.control(drop=True)
    eventually(lambda: server.control()["accepted"] > before and server.control()["connections"] > 0, "a new connection")
    server.control(pin="Writable.Int32", values=[7])
    eventually(lambda: 7 in [each["value"] for each in client.do("changes", node="ns=2;s=Writable.Int32", count=1)], "7")
    server.control(forget_sessions=True, drop=True)
    eventually(lambda: server.control()["monitored_items"] == 1, "the subscription made again")
    server.control(pin="Writable.Int32", values=[8])
    eventually(lambda: 8 in [each["value"] for each in client.do("changes", node="ns=2;s=Writable.Int32", count=1)], "8")


def test_users(folder):
    server = Server("--opcua-user", "op", "--opcua-password", "secret")
    client = Client(folder)
    try:
        assert "error" in client.ask("connect", url=server.url, user="op", password="wrong")
        assert "error" in client.ask("connect", url=server.url)
        assert client.do("connect", url=server.url, user="op", password="secret") == "connected"
        assert client.do("endpoints")[0]["tokens"] == ["UserName"]
        assert client.values("ns=2;s=Types.Int16") == [-1600]
    finally:
        client.stop()
        server.stop()


def test_channels_are_renewed(folder):
    server = Server("--opcua-channel-lifetime-ms", "1000")
    client = Client(folder)
    try:
        client.do("connect", url=server.url)
        eventually(lambda: server.control()["renewals"] >= 2, "two renewals")
        assert client.values("ns=2;s=Types.Int16") == [-1600]
        assert server.control()["accepted"] == 1
    finally:
        client.stop()
        server.stop()


def text(value):
    return struct.pack("<i", len(value)) + value


def framed(kind, body):
    return kind + struct.pack("<I", 8 + len(body)) + body


def hello(url):
    return framed(b"HELF", struct.pack("<IIIII", 0, 65536, 65536, 0, 0) + text(url.encode()))


NULL = struct.pack("<i", -1)
POLICY = text(b"http://opcfoundation.org/UA/SecurityPolicy#None")


def request_header(handle):
    return b"\0\0" + struct.pack("<qII", 0, handle, 0) + NULL + struct.pack("<I", 0) + b"\0\0\0"


class RawClient:
    """Frames written by hand from OPC 10000-6, 6.7 and 7.1: it sees what a library would hide."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=DEADLINE)
        self.sequence = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def read(self, size):
        data = b""
        while len(data) < size:
            more = self.socket.recv(size - len(data))
            if not more:
                raise ConnectionError(f"closed after {len(data)} of {size} bytes")
            data += more
        return data

    def frame(self):
        head = self.read(8)
        return head, self.read(struct.unpack("<I", head[4:])[0] - 8)

    def open(self):
        self.socket.sendall(hello("opc.tcp://x"))
        assert self.frame()[0][:4] == b"ACKF"
        self.sequence += 1
        body = (b"\x01\0" + struct.pack("<H", 446) + request_header(1) + struct.pack("<III", 0, 0, 1) + NULL
                + struct.pack("<I", 60000))
        self.socket.sendall(framed(b"OPNF", struct.pack("<I", 0) + POLICY + NULL + NULL
                                   + struct.pack("<II", self.sequence, self.sequence) + body))
        head, answer = self.frame()
        assert head[:4] == b"OPNF"
        self.channel = struct.unpack("<I", answer[:4])[0]
        at = 4 + len(POLICY) + 8  # past the security header
        self.last_answer_sequence = struct.unpack("<I", answer[at:at + 4])[0]
        self.token = struct.unpack("<I", answer[-20:-16])[0]
        return self

    def send_get_endpoints(self, handle, chunks=1):
        self.sequence += 1
        first = self.sequence
        body = b"\x01\0" + struct.pack("<H", 428) + request_header(handle) + text(b"opc.tcp://x") + NULL + NULL
        size = -(-len(body) // chunks)
        for i in range(chunks):
            self.sequence = first + i
            kind = b"MSGF" if i + 1 == chunks else b"MSGC"
            self.socket.sendall(framed(kind, struct.pack("<IIII", self.channel, self.token, self.sequence, first)
                                       + body[i * size:(i + 1) * size]))
        return first

    def answer(self):
        """channel, sequence, request id, response type, request handle, service result"""
        head, body = self.frame()
        assert head[:4] == b"MSGF", head + body
        channel, _, sequence, request = struct.unpack("<IIII", body[:16])
        kind = struct.unpack("<H", body[18:20])[0]
        handle, result = struct.unpack("<II", body[28:36])
        return channel, sequence, request, kind, handle, result


@pytest.mark.parametrize("garbage", [
    b"GET / HTTP/1.1\r\n\r\n" + b"x" * 100,
    b"HELF" + struct.pack("<I", 0x7FFFFFFF),
    b"HELF" + struct.pack("<I", 3) + b"x" * 20,
    b"MSGF" + struct.pack("<I", 24) + b"\0" * 16,
    b"OPNF" + struct.pack("<I", 12) + b"\xff" * 4,
    hello("opc.tcp://x") + b"OPNF" + struct.pack("<I", 20) + b"\0" * 4 + struct.pack("<i", 0x7FFFFFFF) + b"\0" * 4,
])
def test_garbage_ends_its_connection_alone(server, garbage):
    with socket.create_connection(("127.0.0.1", server.port), timeout=DEADLINE) as raw:
        raw.sendall(garbage)
        answer = b""
        while chunk := raw.recv(65536):
            answer += chunk
    assert b"ERRF" in answer
    eventually(lambda: server.control()["connections"] == 0, "the connection's end")


def test_faults_show(server, client):
    node = ["ns=2;s=Types.Int16"]
    server.control(service_status=0x800A0000)
    assert "BadTimeout" in client.ask("read", nodes=node)["error"]
    server.control(service_status=0)
    assert client.values(*node) == [-1600]
    server.control(delay_ms=20)
    assert client.values(*node) == [-1600]
    server.control(clear=True)
    refused = server.control(reply="nonsense")
    assert not refused["ok"] and "reply" in refused["error"]


def test_a_request_by_hand(server):
    with RawClient(server.port).open() as raw:
        request = raw.send_get_endpoints(77)
        assert raw.answer() == (raw.channel, raw.last_answer_sequence + 1, request, 431, 77, 0)
        request = raw.send_get_endpoints(78, chunks=3)
        assert raw.answer() == (raw.channel, raw.last_answer_sequence + 2, request, 431, 78, 0)


def test_a_sequence_number_that_does_not_follow_is_refused(server):
    with RawClient(server.port).open() as raw:
        raw.sequence += 5
        raw.send_get_endpoints(1)
        head, body = raw.frame()
        assert head[:4] == b"ERRF" and struct.unpack("<I", body[:4])[0] == 0x80880000


@pytest.mark.parametrize("fault", ["wrong_handle", "wrong_request_id", "wrong_channel", "bad_sequence"])
def test_spoilt_answers(server, fault):
    with RawClient(server.port).open() as raw:
        assert server.control(reply=fault, after=1, times=1)["ok"]
        answers = []
        for handle in (10, 20, 30):
            request = raw.send_get_endpoints(handle)
            channel, sequence, answered, _, told, _ = raw.answer()
            answers.append((channel - raw.channel, sequence - raw.last_answer_sequence, answered - request, told - handle))
            raw.last_answer_sequence = sequence
        spoilt = {"wrong_handle": (0, 1, 0, 1), "wrong_request_id": (0, 1, 1000, 0), "wrong_channel": (1, 1, 0, 0),
                  "bad_sequence": (0, 101, 0, 0)}[fault]
        assert answers == [(0, 1, 0, 0), spoilt, (0, 1, 0, 0)]


def test_broken_answers(server):
    def spoil(fault):
        raw = RawClient(server.port).open()
        server.control(reply=fault, times=1)
        raw.send_get_endpoints(5)
        return raw

    with spoil("oversize_length") as raw:
        assert struct.unpack("<I", raw.read(8)[4:])[0] == 0x7FFFFFFF
    with spoil("half_then_close") as raw, pytest.raises(ConnectionError, match="closed after [1-9]"):
        raw.frame()
    with spoil("drop") as raw, pytest.raises(ConnectionError, match="closed after 0 of 8"):
        raw.frame()
    with spoil("garbage") as raw:
        assert raw.frame()[1][16:] == b"\xff" * len(raw_body(server))
    with spoil("silent") as raw:
        eventually(lambda: server.control()["requests"] >= 5, "the request")
        raw.send_get_endpoints(6)
        assert raw.answer()[4] == 6


def raw_body(server):
    """A good answer to what spoil() asks."""
    with RawClient(server.port).open() as raw:
        raw.send_get_endpoints(5)
        return raw.frame()[1][16:]


def test_an_unplugged_server_refuses_and_comes_back(server):
    with RawClient(server.port).open() as raw:
        server.control(unplugged=True)
        with pytest.raises(OSError):
            raw.frame()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port), timeout=DEADLINE)
    server.control(unplugged=False)
    RawClient(server.port).open().socket.close()
