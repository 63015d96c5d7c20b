"""OPC UA in a whole product: a task on the simulated server, browsing, writing, an outage, by API and command line."""

import pytest
from harness import Workbook, eventually
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
