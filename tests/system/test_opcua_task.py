"""OPC UA in a whole product: a task on the simulated server, browsing, writing, an outage, by API and command line."""

import json
import os
import signal

import pytest
from harness import Workbook, eventually
from test_opcua_peer import Server as Peer, node
from test_opcua_simulator import Server


@pytest.fixture
def server():
    running = Server()
    yield running
    running.stop()


@pytest.fixture(params=["subscribe", "poll"])
def plant(request, supervisor, server, tmp_path):
    book = Workbook()
    book.device("UA", 0, protocol="opcua", address=server.url,
                options=f"mode={request.param}; reconnect_min_ms=50; reconnect_max_ms=200")
    book.point("COUNT", "UA", "ns=2;s=FastCounter", "uint32")
    book.point("SINE", "UA", "ns=2;s=Sine", "float64")
    book.point("TEXT", "UA", "ns=2;s=Text", "string(20)")
    book.point("SETPOINT", "UA", "ns=2;s=Writable.Int32", "int32", access="rw")
    book.point("NOWHERE", "UA", "ns=2;s=Nowhere", "float64")
    book.task("T", "UA", 50)
    supervisor.import_workbook(book.save(tmp_path / "plant.xlsx"))
    supervisor.api("POST", "/tasks/T/start", 202)
    supervisor.wait_running("T")
    return supervisor


def live(supervisor):
    return {row["point_code"]: row for row in supervisor.get("/tasks/T/points")["items"]}


def test_values_writes_and_an_outage(plant, server):
    rows = eventually(lambda: (r := live(plant))["TEXT"]["value"] == "pump 7" and r["COUNT"]["quality"] == "good" and r,
                      "live values")
    assert rows["SINE"]["quality"] == "good" and 20 <= rows["SINE"]["value"] <= 80
    eventually(lambda: (r := live(plant)["NOWHERE"])["quality"] == "bad" and r["quality_code"] == "illegal_address",
               "the unknown node said to be one")

    written = plant.api("POST", "/points/SETPOINT/write", 200, json={"value": -77})
    assert written["confirmed"] and written["task_code"] == "T"
    eventually(lambda: live(plant)["SETPOINT"]["value"] == -77, "the written value")

    once = plant.api("POST", "/tasks/T/acquire_once", 200)
    assert {p["point_code"]: p["quality"] for p in once["points"]}["SINE"] == "good"

    server.control(unplugged=True)
    eventually(lambda: live(plant)["SINE"]["quality"] == "bad", "the outage")
    server.control(forget_sessions=True, unplugged=False)
    eventually(lambda: live(plant)["SINE"]["quality"] == "good", "the way back after a restart of the server")

    session = plant.get("/processes/T")
    assert session["connection_status"]
    counted = plant.get("/devices/UA/diagnostics")["items"][0]
    assert counted["requests"] > 0 and counted["bytes_received"] > 0


def test_browsing_gives_rows_for_the_workbook(plant, tmp_path):
    root = plant.get("/devices/UA/browse")
    assert root["items"], root
    sim = plant.get("/devices/UA/browse", params={"node": "ns=2;s=Sim"})["items"]
    sine = next(n for n in sim if n["address"] == "ns=2;s=Sine")
    assert sine["data_type"] == "float64" and sine["kind"].lower() == "variable"
    assert plant.call("GET", "/devices/UA/browse", params={"node": "ns=2;s=None"}).status_code == 404

    rows = tmp_path / "points.csv"
    plant.cli("browse", "UA", "ns=2;s=Sim", "--depth", "2", "--rows", rows)
    text = rows.read_text()
    assert "point_code,point_name,device_code,address,data_type,access" in text
    assert "ns=2;s=Sine,float64" in text and "ns=2;s=Writable.Int32,int32,rw" in text
    assert "Sine" in plant.cli("browse", "UA", "ns=2;s=Sim").stdout


@pytest.mark.parametrize("forget", [False, True])
def test_what_does_not_change_is_good_again_after_an_outage(plant, server, forget):
    before = eventually(lambda: (row := live(plant)["TEXT"])["quality"] == "good" and row, "the text")
    server.control(unplugged=True)
    eventually(lambda: live(plant)["TEXT"]["quality"] == "bad", "the outage")
    server.control(forget_sessions=forget, unplugged=False)
    after = eventually(lambda: (row := live(plant)["TEXT"])["quality"] == "good" and row, "the text again")
    assert after["value"] == before["value"]


@pytest.mark.parametrize("mode", ["subscribe", "poll"])
def test_a_value_of_long_ago_stays_good_through_whatever_happens(supervisor, tmp_path, mode):
    """Its server says of a value when it changed last, which is before every outage."""
    peer = Peer(tmp_path / "peer")
    try:
        book = Workbook().device("UA", 0, protocol="opcua", address=peer.url,
                                 options=f"mode={mode}; timeout_ms=500; reconnect_min_ms=50; reconnect_max_ms=200")
        book.point("DOUBLE", "UA", node("Double"), "float64").task("T", "UA", 50)
        supervisor.import_workbook(book.save(tmp_path / "plant.xlsx"))
        session = supervisor.start_task("T")

        def good():
            row = live(supervisor)["DOUBLE"]
            return (row["value"], row["quality"]) == (3.141592653589793, "good")

        eventually(good, "the value")
        for _ in range(2):
            os.kill(peer.process.pid, signal.SIGSTOP)
            eventually(lambda: live(supervisor)["DOUBLE"]["quality"] == "bad", "the frozen server", 60)
            os.kill(peer.process.pid, signal.SIGCONT)
            eventually(good, "the value after the freeze")
        peer.do(do="cut")
        eventually(lambda: supervisor.history(session, "DOUBLE")[-1]["quality"] == "good" and good(), "the value after the cut")
        os.kill(supervisor.status("T")["pid"], signal.SIGKILL)
        eventually(lambda: not good(), "the worker's end")
        supervisor.wait_running("T")
        eventually(good, "the value after the worker's restart")
        supervisor.api("POST", "/tasks/T/stop", 202)
        eventually(lambda: not good(), "the stop")
        supervisor.start_task("T")
        eventually(good, "the value after the task's restart")
        # Whoever asks the store for the newest is not told of an outage that is over.
        stored = supervisor.get("/device/history", params={"device_code": "UA", "order": "desc", "limit": 1})["items"]
        assert "3.14159" in json.dumps(stored)
    finally:
        peer.process.send_signal(signal.SIGCONT)
        peer.stop()
