"""The Modbus driver against an independent server: pymodbus, with its own encoder and decoder of every type and byte
order, over TCP, RTU over TCP, and RTU on a line of two pseudo terminals."""

import asyncio
import json
import os
import pathlib
import select
import socket
import subprocess
import threading
import tty

import pytest
from pymodbus.constants import Endian
from pymodbus.datastore import ModbusSequentialDataBlock, ModbusServerContext, ModbusSlaveContext
from pymodbus.payload import BinaryPayloadBuilder, BinaryPayloadDecoder
from pymodbus.server.async_io import ModbusSerialServer, ModbusTcpServer
from pymodbus.transaction import ModbusRtuFramer, ModbusSocketFramer

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("FIELDWARDEN_BUILD", ROOT / "build" / "release"))
PROBE = BUILD / "tests" / "driver_probe"

# pymodbus writes the bytes of a word by `byteorder` and the words of a value by `wordorder`.
ORDERS = {
    "ABCD": (Endian.Big, Endian.Big),
    "CDAB": (Endian.Big, Endian.Little),
    "BADC": (Endian.Little, Endian.Big),
    "DCBA": (Endian.Little, Endian.Little),
}
VALUES = {
    "int16": ("add_16bit_int", [0, 1, -1, 32767, -32768, 4660]),
    "uint16": ("add_16bit_uint", [0, 1, 65535, 4660]),
    "int32": ("add_32bit_int", [0, -1, 2147483647, -2147483648, 305419896]),
    "uint32": ("add_32bit_uint", [0, 4294967295, 305419896]),
    "int64": ("add_64bit_int", [-1, 9223372036854775807, -9223372036854775808, 81985529216486895]),
    "uint64": ("add_64bit_uint", [18446744073709551615, 81985529216486895]),
    "float32": ("add_32bit_float", [0.0, 1.5, -273.125, 16777216.0]),
    "float64": ("add_64bit_float", [0.0, 3.141592653589793, -1e300]),
}
BASE = 100  # of the coded values, so that a server which counts from one instead of zero is noticed


def coded_values():
    """Every value in every byte order: (address, type, order, value) and the registers that hold them."""
    registers, wanted = [], []
    for order, (byte_order, word_order) in ORDERS.items():
        for kind, (add, values) in VALUES.items():
            for value in values:
                builder = BinaryPayloadBuilder(byteorder=byte_order, wordorder=word_order)
                getattr(builder, add)(value)
                wanted.append((f"hr:{BASE + len(registers)}", kind, order, value))
                registers += [int.from_bytes(word, "big") for word in builder.build()]
    return registers, wanted


class Line:
    """Two pseudo terminals joined at their masters: a serial line with two ends that programs can open."""

    def __init__(self):
        self._ends = [os.openpty(), os.openpty()]
        for _, end in self._ends:
            tty.setraw(end)
        self.paths = [os.ttyname(end) for _, end in self._ends]
        self._stop_read, self._stop_write = os.pipe()
        self._thread = threading.Thread(target=self._carry, daemon=True)
        self._thread.start()

    def _carry(self):
        (one, _), (two, _) = self._ends
        while True:
            ready, _, _ = select.select([one, two, self._stop_read], [], [])
            if self._stop_read in ready:
                return
            for here, there in ((one, two), (two, one)):
                if here in ready:
                    os.write(there, os.read(here, 4096))

    def close(self):
        os.write(self._stop_write, b"x")
        self._thread.join(20)
        for descriptor in [*self._ends[0], *self._ends[1], self._stop_read, self._stop_write]:
            os.close(descriptor)


class Server:
    """A pymodbus server, with its event loop on a thread of its own. `address` is where our driver finds it."""

    def __init__(self, slaves, transport="modbus_tcp"):
        self._slaves = slaves
        self._transport = transport
        self._line = Line() if transport == "serial" else None
        self.protocol = "modbus_tcp" if transport == "modbus_tcp" else "modbus_rtu"
        self._loop = asyncio.new_event_loop()
        self._listening = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._start())
        self._loop.run_forever()

    async def _start(self):
        context = ModbusServerContext(slaves=self._slaves, single=False)
        if self._line:
            self._server = ModbusSerialServer(context, framer=ModbusRtuFramer, port=self._line.paths[0], baudrate=115200,
                                              parity="N", ignore_missing_slaves=True)
            await self._server.start()
            assert self._server.transport is not None, "pymodbus cannot open its end of the line"
            self._serving = asyncio.ensure_future(self._server.serve_forever())
            self.address = self._line.paths[1]
        else:
            framer = ModbusSocketFramer if self._transport == "modbus_tcp" else ModbusRtuFramer
            self._server = ModbusTcpServer(context, framer=framer, address=("127.0.0.1", 0), allow_reuse_address=True)
            self._serving = asyncio.ensure_future(self._server.serve_forever())
            await self._server.serving
            self.port = self._server.server.sockets[0].getsockname()[1]
            self.address = f"127.0.0.1:{self.port}"
        self._listening.set()

    async def _stop(self):
        await self._server.shutdown()
        self._serving.cancel()
        await asyncio.gather(self._serving, return_exceptions=True)
        self._loop.stop()

    def __enter__(self):
        self._thread.start()
        assert self._listening.wait(20), "pymodbus does not listen"
        return self

    def __exit__(self, *_):
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop)
        self._thread.join(20)
        assert not self._thread.is_alive()
        self._loop.close()
        if self._line:
            self._line.close()


@pytest.fixture(params=["modbus_tcp", "rtu_over_tcp", "serial"])
def transport(request):
    return request.param


def slave(registers, bits=None):
    words = ModbusSequentialDataBlock(BASE, registers or [0])
    flags = ModbusSequentialDataBlock(0, bits or [0])
    return ModbusSlaveContext(hr=words, ir=words, co=flags, di=flags, zero_mode=True)


def probe(server, points, options=""):
    """Writes and reads points (address, type, order[, value]) with our driver: a list of {address, value, quality,
    quality_code}, and refused where the server refused the write."""
    if server.address.startswith("/"):
        options = "; ".join(filter(None, [options, "baud_rate=115200", "parity=none"]))
    words = [",".join(point[:3]) + (f"={json.dumps(point[3])}" if len(point) > 3 else "") for point in points]
    command = [str(PROBE), server.protocol, server.address, options, *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("area", ["hr", "ir"])
def test_every_type_in_every_byte_order(transport, area):
    registers, wanted = coded_values()
    with Server({1: slave(registers)}, transport) as server:
        points = [(address.replace("hr", area), kind, order) for address, kind, order, _ in wanted]
        got = probe(server, points)
    assert len(got) == len(wanted)
    for sample, (address, kind, order, value) in zip(got, wanted):
        assert sample["quality"] == "good", (address, kind, order)
        assert sample["value"] == value, (address, kind, order)


def test_text_and_bcd(transport):
    builder = BinaryPayloadBuilder(byteorder=Endian.Big, wordorder=Endian.Big)
    builder.add_string("Pump 7\0\0")
    registers = [int.from_bytes(word, "big") for word in builder.build()] + [0x1234, 0x9876, 0x5432, 0x00A0]
    with Server({1: slave(registers)}, transport) as server:
        got = probe(
            server,
            [
                (f"hr:{BASE}", "string(8)", "ABCD"),
                (f"hr:{BASE + 4}", "bcd16", "ABCD"),
                (f"hr:{BASE + 5}", "bcd32", "ABCD"),
                (f"hr:{BASE + 5}", "bcd32", "CDAB"),
                (f"hr:{BASE + 7}", "bcd16", "ABCD"),
                (f"hr:{BASE + 4}.2", "bool", "ABCD"),
                (f"hr:{BASE + 4}.3", "bool", "ABCD"),
            ],
        )
    assert [sample["value"] for sample in got] == ["Pump 7", 1234, 98765432, 54329876, None, True, False]
    assert got[4]["quality_code"] == "decode"


@pytest.mark.parametrize("area", ["co", "di"])
def test_bits(transport, area):
    bits = [(i * i) % 3 == 1 for i in range(2100)]
    with Server({1: slave(None, [int(bit) for bit in bits])}, transport) as server:
        got = probe(server, [(f"{area}:{i}", "bool", "ABCD") for i in range(2100)])
    assert [sample["value"] for sample in got] == bits


def test_unit_ids_share_one_connection(transport):
    units = {unit: slave([unit * 11, unit]) for unit in (1, 7, 200)}
    with Server(units, transport) as server:
        got = probe(server, [(f"hr:{BASE}@{unit}", "uint16", "ABCD") for unit in units], "unit_id=7")
        default = probe(server, [(f"hr:{BASE}", "uint16", "ABCD")], "unit_id=7")
    assert [sample["value"] for sample in got] == [11, 77, 2200]
    assert default[0]["value"] == 77


def test_illegal_addresses_stand_alone(transport):
    registers = list(range(1000, 1050))  # offsets BASE to BASE + 49; the server refuses what lies beyond
    offsets = list(range(BASE, BASE + 50)) + [BASE + 50, BASE + 60]
    with Server({1: slave(registers)}, transport) as server:
        got = probe(server, [(f"hr:{offset}", "uint16", "ABCD") for offset in offsets])
    assert [sample["value"] for sample in got[:50]] == registers
    assert [sample["quality_code"] for sample in got[50:]] == ["illegal_address", "illegal_address"]


def test_a_closed_port_is_an_error_that_says_so():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        done = subprocess.run(
            [str(PROBE), "modbus_tcp", f"127.0.0.1:{port}", "", "hr:0,uint16,ABCD"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1
    assert "connection refused" in done.stderr


DECODE = {"int16": "decode_16bit_int", "uint16": "decode_16bit_uint", "int32": "decode_32bit_int",
          "uint32": "decode_32bit_uint", "int64": "decode_64bit_int", "uint64": "decode_64bit_uint",
          "float32": "decode_32bit_float", "float64": "decode_64bit_float"}


def test_what_we_write_is_what_the_server_decodes(transport):
    registers, wanted = coded_values()
    server_side = slave([0] * len(registers))
    with Server({1: server_side}, transport) as server:
        got = probe(server, wanted)
    for sample, (address, kind, order, value) in zip(got, wanted):
        assert "refused" not in sample, sample
        assert sample["value"] == value, (address, kind, order)
        at = int(address.split(":")[1])
        words = server_side.getValues(3, at, registers_of(kind))
        byte_order, word_order = ORDERS[order]
        decoder = BinaryPayloadDecoder.fromRegisters(words, byteorder=byte_order, wordorder=word_order)
        assert getattr(decoder, DECODE[kind])() == value, (address, kind, order)
    assert server_side.getValues(3, BASE, len(registers)) == registers


def registers_of(kind):
    return int(kind[-2:]) // 16


def test_writing_text_bcd_coils_and_bits(transport):
    server_side = slave([0xA5C3] * 8, [0] * 20)
    with Server({1: server_side}, transport) as server:
        got = probe(server, [
            (f"hr:{BASE}", "string(5)", "ABCD", "Pumpe"),
            (f"hr:{BASE + 3}", "bcd16", "ABCD", 1234),
            (f"hr:{BASE + 4}", "bcd32", "CDAB", 98765432),
            (f"hr:{BASE + 6}.4", "bool", "ABCD", True),
            (f"hr:{BASE + 6}.15", "bool", "ABCD", False),
            (f"hr:{BASE + 7}.0", "bool", "BADC", False),
            ("co:3", "bool", "ABCD", True),
            ("co:4", "bool", "ABCD", False),
        ])
    assert not [sample for sample in got if "refused" in sample]
    assert [sample["value"] for sample in got] == ["Pumpe", 1234, 98765432, True, False, False, True, False]
    words = server_side.getValues(3, BASE, 8)
    assert words[:3] == [0x5075, 0x6D70, 0x6500]
    assert words[3:6] == [0x1234, 0x5432, 0x9876]
    assert words[6] == 0x25D3 and words[7] == 0xA4C3
    assert [bool(bit) for bit in server_side.getValues(1, 0, 6)] == [False, False, False, True, False, False]


def test_a_refused_write_is_told_and_the_connection_goes_on(transport):
    server_side = slave([7, 8])
    with Server({1: server_side}, transport) as server:
        got = probe(server, [(f"hr:{BASE}", "uint16", "ABCD"), (f"hr:{BASE + 40}", "uint16", "ABCD", 1),
                             (f"ir:{BASE}", "uint16", "ABCD", 1)])
    assert got[0]["value"] == 7
    assert "exception 2 (illegal data address)" in got[1]["refused"]
    assert "inputs cannot be written" in got[2]["refused"]
    assert server_side.getValues(3, BASE, 2) == [7, 8]
