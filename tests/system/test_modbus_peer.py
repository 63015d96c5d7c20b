"""The Modbus driver against an independent server: pymodbus, with its own encoder of every type and byte order."""

import asyncio
import json
import os
import pathlib
import socket
import subprocess
import threading

import pytest
from pymodbus.constants import Endian
from pymodbus.datastore import ModbusSequentialDataBlock, ModbusServerContext, ModbusSlaveContext
from pymodbus.payload import BinaryPayloadBuilder
from pymodbus.server.async_io import ModbusTcpServer

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


class Server:
    """A pymodbus TCP server on a free port, with its event loop on a thread of its own."""

    def __init__(self, slaves):
        self._slaves = slaves
        self._loop = asyncio.new_event_loop()
        self._listening = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._start())
        self._loop.run_forever()

    async def _start(self):
        context = ModbusServerContext(slaves=self._slaves, single=False)
        self._server = ModbusTcpServer(context, address=("127.0.0.1", 0), allow_reuse_address=True)
        self._serving = asyncio.ensure_future(self._server.serve_forever())
        await self._server.serving
        self.port = self._server.server.sockets[0].getsockname()[1]
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


def slave(registers, bits=None):
    words = ModbusSequentialDataBlock(BASE, registers or [0])
    flags = ModbusSequentialDataBlock(0, bits or [0])
    return ModbusSlaveContext(hr=words, ir=words, co=flags, di=flags, zero_mode=True)


def probe(port, points, options=""):
    """Reads points (address, type, order) with our driver: a list of {address, value, quality, quality_code}."""
    command = [str(PROBE), "modbus_tcp", f"127.0.0.1:{port}", options, *(",".join(point) for point in points)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("area", ["hr", "ir"])
def test_every_type_in_every_byte_order(area):
    registers, wanted = coded_values()
    with Server({1: slave(registers)}) as server:
        points = [(address.replace("hr", area), kind, order) for address, kind, order, _ in wanted]
        got = probe(server.port, points)
    assert len(got) == len(wanted)
    for sample, (address, kind, order, value) in zip(got, wanted):
        assert sample["quality"] == "good", (address, kind, order)
        assert sample["value"] == value, (address, kind, order)


def test_text_and_bcd():
    builder = BinaryPayloadBuilder(byteorder=Endian.Big, wordorder=Endian.Big)
    builder.add_string("Pump 7\0\0")
    registers = [int.from_bytes(word, "big") for word in builder.build()] + [0x1234, 0x9876, 0x5432, 0x00A0]
    with Server({1: slave(registers)}) as server:
        got = probe(
            server.port,
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
def test_bits(area):
    bits = [(i * i) % 3 == 1 for i in range(2100)]
    with Server({1: slave(None, [int(bit) for bit in bits])}) as server:
        got = probe(server.port, [(f"{area}:{i}", "bool", "ABCD") for i in range(2100)])
    assert [sample["value"] for sample in got] == bits


def test_unit_ids_share_one_connection():
    units = {unit: slave([unit * 11, unit]) for unit in (1, 7, 200)}
    with Server(units) as server:
        got = probe(server.port, [(f"hr:{BASE}@{unit}", "uint16", "ABCD") for unit in units], "unit_id=7")
        default = probe(server.port, [(f"hr:{BASE}", "uint16", "ABCD")], "unit_id=7")
    assert [sample["value"] for sample in got] == [11, 77, 2200]
    assert default[0]["value"] == 77


def test_illegal_addresses_stand_alone():
    registers = list(range(1000, 1050))  # offsets BASE to BASE + 49; the server refuses what lies beyond
    offsets = list(range(BASE, BASE + 50)) + [BASE + 50, BASE + 60]
    with Server({1: slave(registers)}) as server:
        got = probe(server.port, [(f"hr:{offset}", "uint16", "ABCD") for offset in offsets])
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
