"""The simulated Mitsubishi PLC and our MC driver against an independent client: the npm package mcprotocol 0.1.2.

The package and our driver meet in the PLC's memory: what one writes the other reads. What the package cannot do is
not asked of it: it finds out the result of a write wrongly (see tests/peers/mc_client.js), writes bits in 3E frames
with a subcommand that does not exist, gives the points of an ASCII 3E frame in decimal, reads across CN199 and CN200
in one request, and knows neither 4E nor iQ-R frames. So items are read one by one, and few points at a time.
"""

import json
import os
import pathlib
import re
import subprocess

import pytest

from harness import Simulator, Workbook, eventually

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("FIELDWARDEN_BUILD", ROOT / "build" / "release"))
PROBE = BUILD / "tests" / "driver_probe"
PEERS = ROOT / "tests" / "peers"

KINDS = [(frame, ascii) for frame in ("3E", "1E") for ascii in (False, True)]


@pytest.fixture(scope="module")
def plc():
    assert (PEERS / "node_modules" / "mcprotocol").is_dir(), "the peers are not installed: npm ci --prefix tests/peers"
    running = Simulator(1, "--mc", "127.0.0.1:0", "--mc-1e", "127.0.0.1:0")
    yield running
    running.stop()


def port_of(plc, frame):
    return plc.mc_ports[1 if frame == "1E" else 0]


def peer(plc, frame, ascii, *steps):
    """Runs steps ({"read": [names]} or {"write": {name: value}}) with the package; a result per step."""
    order = {"port": port_of(plc, frame), "frame": frame, "ascii": ascii, "steps": steps}
    done = subprocess.run(["node", str(PEERS / "mc_client.js"), json.dumps(order)], capture_output=True, text=True,
                          timeout=60, check=False)
    results = [json.loads(line) for line in re.findall(r"^RESULT (.*)$", done.stdout, re.MULTILINE)]
    assert done.returncode == 0 and results, done.stdout[-2000:] + done.stderr
    return results


def peer_read(plc, frame, ascii, *names):
    values = {}
    for result in peer(plc, frame, ascii, *({"read": [name]} for name in names)):
        assert result["bad"] is False, result
        values |= result["values"]
    return values


def ours(plc, options, *points):
    """Writes and reads with our driver: {address: value}."""
    frame = options.get("frame", "3E")
    text = "; ".join(f"{key}={value}" for key, value in options.items())
    done = subprocess.run([str(PROBE), "mitsubishi_mc", f"127.0.0.1:{port_of(plc, frame)}", text, *points], capture_output=True,
                          text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    samples = [json.loads(line) for line in done.stdout.splitlines()]
    assert all(sample["quality"] == "good" and "refused" not in sample for sample in samples), samples
    return {sample["address"]: sample["value"] for sample in samples}


@pytest.mark.parametrize("frame,ascii", KINDS)
def test_what_our_driver_writes_the_peer_reads(plc, frame, ascii):
    options = {"frame": frame, "encoding": "ascii" if ascii else "binary"}
    ours(plc, options, "D100,int16=-1234", "D101,uint16=40000", "D110,float32=-273.125", "D112,int32=-70000",
         "D120,string(6)=\"Pump-7\"", "R30,float32=16777216", "M50,bool=true", "M51,bool=false", "M52,bool=true",
         "TN7,uint16=321", "D130,uint16=4")
    values = peer_read(plc, frame, ascii, "D100", "DFLOAT110", "DDINT112", "DSTR120,6", "RFLOAT30", "M50,3", "TN7", "D130.2",
                       "D130.1")
    assert values == {"D100": -1234, "DFLOAT110": -273.125, "DDINT112": -70000, "DSTR120,6": "Pump-7",
                      "RFLOAT30": 16777216, "M50,3": [True, False, True], "TN7": 321, "D130.2": True, "D130.1": False}


@pytest.mark.parametrize("frame,ascii", KINDS)
def test_what_the_peer_writes_our_driver_reads(plc, frame, ascii):
    options = {"frame": frame, "encoding": "ascii" if ascii else "binary"}
    steps = [{"D200,3": [1, -2, 30000]}, {"DFLOAT210": 1.5}, {"DDINT212": 305419896}, {"RFLOAT40": -0.25}]
    bits = frame == "1E"
    if bits:
        steps += [{"M70,5": [True, True, False, True, False]}, {"Y12": True}]
    for step in steps:
        peer(plc, frame, ascii, {"write": step})
    points = ["D200,int16", "D201,int16", "D202,int16", "D210,float32", "D212,int32", "R40,float32"]
    if bits:
        points += [f"M{70 + i},bool" for i in range(5)] + ["Y12,bool"]
    got = ours(plc, options, *points)
    assert [got[f"D{200 + i}"] for i in range(3)] == [1, -2, 30000]
    assert (got["D210"], got["D212"], got["R40"]) == (1.5, 305419896, -0.25)
    if bits:
        assert [got[f"M{70 + i}"] for i in range(5)] == [True, True, False, True, False]
        assert got["Y12"] is True


def test_fx_counters_are_32_bits_for_both(plc):
    ours(plc, {"frame": "1E"}, "CN199,int16=77", "CN201,int32=-70000")
    assert peer_read(plc, "1E", False, "CN199", "CN201") == {"CN199": 77, "CN201": -70000}
    peer(plc, "1E", False, {"write": {"CN202": 123456789}})
    assert ours(plc, {"frame": "1E"}, "CN202,uint32") == {"CN202": 123456789}


def test_octal_inputs_and_outputs_are_the_same_to_both(plc):
    for number in range(0o20, 0o40):
        ours(plc, {"frame": "1E"}, f"Y{number:o},bool={'true' if number % 3 == 0 else 'false'}")
    values = peer_read(plc, "1E", False, "Y20,16")
    assert values["Y20,16"] == [number % 3 == 0 for number in range(0o20, 0o40)]


def test_the_same_memory_in_every_frame_kind(plc):
    """3E and 4E, both codes, both series: one port, told apart by the first bytes."""
    ours(plc, {}, "D300,float64=2.5", "W1F,uint16=4660", "B2A,bool=true", "ZR60000,int16=5")
    wanted = {"D300": 2.5, "W1F": 4660, "B2A": True, "ZR60000": 5}
    for frame in ("3E", "4E"):
        for encoding in ("binary", "ascii"):
            for series in ("q", "iqr"):
                options = {"frame": frame, "encoding": encoding, "series": series}
                points = ("D300,float64", "W1F,uint16", "B2A,bool", "ZR60000,int16")
                assert ours(plc, options, *points) == wanted, options


def live(supervisor, point):
    items = supervisor.get("/tasks/T/points")["items"]
    return next(item for item in items if item["point_code"] == point)


def test_a_plc_in_a_task(supervisor, plc, tmp_path):
    book = Workbook()
    options = "timeout_ms=500; connect_timeout_ms=500; reconnect_min_ms=50; reconnect_max_ms=200"
    book.device("PLC", plc.mc_ports[0], protocol="mitsubishi_mc", options=options + "; frame=4E")
    book.device("FX", plc.mc_ports[1], protocol="mitsubishi_mc", options=options + "; frame=1E")
    book.point("COUNT", "PLC", "D0", "uint32").point("TEMP", "PLC", "D6", "float32").point("RUN", "PLC", "M100", "bool")
    book.point("FX_COUNT", "FX", "D0", "uint32").point("FX_IN", "FX", "X17", "bool")
    book.task("T", "PLC,FX", 50)
    supervisor.import_workbook(book.save(tmp_path / "plc.xlsx"))
    supervisor.start_task("T")
    eventually(lambda: all(live(supervisor, point)["quality"] == "good" for point in ("COUNT", "TEMP", "RUN", "FX_COUNT", "FX_IN")),
               "good values of both PLCs")
    assert live(supervisor, "TEMP")["value"] == 21
    before = live(supervisor, "COUNT")["value"]
    eventually(lambda: live(supervisor, "COUNT")["value"] > before, "a counter that rises")
    plc.control(protocol="mc", device=1, unplugged=True)
    eventually(lambda: live(supervisor, "FX_COUNT")["quality"] == "bad", "bad quality of the PLC that is gone")
    before = live(supervisor, "COUNT")["value"]
    eventually(lambda: live(supervisor, "COUNT")["value"] > before + 3, "the other PLC going on")
    plc.control(protocol="mc", device=1, clear=True)
    eventually(lambda: live(supervisor, "FX_COUNT")["quality"] == "good", "good quality again")
