"""Writing points and asking drivers for their counters, over the API and the command line, with real processes."""

import pytest
from harness import Workbook, eventually


@pytest.fixture
def plant(supervisor, simulator, tmp_path):
    book = Workbook()
    book.device("D", simulator.ports[0])
    book.point("SETPOINT", "D", "hr:30000", "uint16", scale=0.1, min_value=0, max_value=100, access="rw")
    book.point("SWITCH", "D", "co:5", "bool", access="rw")
    book.point("LABEL", "D", "hr:60000", "string(8)", access="rw")
    book.point("MEASURED", "D", "ir:30000", "uint16")
    book.task("T", "D", 50)
    supervisor.import_workbook(book.save(tmp_path / "plant.xlsx"))
    return supervisor


def value_of(supervisor, task, point):
    rows = supervisor.get(f"/tasks/{task}/points")["items"]
    return next(row["value"] for row in rows if row["point_code"] == point)


def test_an_operator_writes_and_everybody_sees_it(plant):
    plant.api("POST", "/tasks/T/start", 202)
    plant.wait_running("T")
    written = plant.api("POST", "/points/SETPOINT/write", 200, json={"value": 42.5})
    assert written["confirmed"] and written["read_back"]["value"] == 42.5 and written["task_code"] == "T"
    eventually(lambda: value_of(plant, "T", "SETPOINT") == 42.5, "the written value among the live ones")
    assert plant.api("POST", "/points/SWITCH/write", 200, json={"value": True})["confirmed"]
    assert plant.api("POST", "/points/LABEL/write", 200, json={"value": "LINE 1"})["confirmed"]
    # A point rests for 200 ms between two writes.
    eventually(lambda: plant.cli("write", "SETPOINT", "7.5", check=False).returncode == 0, "a write by the command line")
    eventually(lambda: value_of(plant, "T", "SETPOINT") == 7.5, "what the command line wrote")

    entries = [e for e in plant.get("/audit", params={"page_size": 200})["items"] if e["action"] == "point.write"]
    assert [e["subject"] for e in entries].count("SETPOINT") == 2
    assert entries[0]["detail"]["confirmed"] is True


def test_a_stopped_task_is_no_obstacle(plant):
    written = plant.api("POST", "/points/SETPOINT/write", 200, json={"value": 10})
    assert written["confirmed"] and written["task_code"] is None


def test_what_may_not_be_written_is_not(plant, simulator):
    plant.api("POST", "/tasks/T/start", 202)
    plant.wait_running("T")
    before = plant.api("POST", "/tasks/T/acquire_once", 200)
    for point, value, why in [
        ("MEASURED", 1, "read only"),
        ("SETPOINT", 100.1, "outside its range"),
        ("SETPOINT", 0.05, "whole numbers"),
        ("SETPOINT", "much", "takes a number"),
        ("SWITCH", 2, "true or false"),
        ("LABEL", "far too long a text", "bytes"),
    ]:
        def refused(point=point, value=value):
            response = plant.call("POST", f"/points/{point}/write", json={"value": value})
            return response.status_code != 429 and [response]  # a response of 4xx is false

        [response] = eventually(refused, "an answer")
        assert response.status_code == 422, (point, value, response.text)
        assert why in response.json()["detail"], response.text
    after = plant.api("POST", "/tasks/T/acquire_once", 200)
    label = [[p["value"] for p in scan["points"] if p["point_code"] == "LABEL"] for scan in (before, after)]
    assert label[0] == label[1]


def test_an_unreachable_device_says_so(plant, simulator):
    plant.api("POST", "/tasks/T/start", 202)
    plant.wait_running("T")
    simulator.control(unplugged=True)
    eventually(lambda: not plant.get("/processes/T")["connections"] or
               plant.get("/tasks/T/progress")["units"][0]["status"] != "connected", "the outage seen")
    response = plant.call("POST", "/points/SETPOINT/write", json={"value": 1})
    assert response.status_code in (503, 504), response.text
    assert "D" in response.json()["detail"]


def test_drivers_tell_what_they_counted(plant):
    assert plant.get("/devices/D/diagnostics")["items"] == []
    plant.api("POST", "/tasks/T/start", 202)
    plant.wait_running("T")
    counted = eventually(lambda: (i := plant.get("/devices/D/diagnostics")["items"]) and i[0]["requests"] > 5 and i[0],
                         "requests counted")
    assert counted["task_code"] == "T" and counted["bytes_received"] > 0
    assert 0 < counted["response_p50_ms"] <= counted["response_p99_ms"]
    assert counted["errors"] == {"timeouts": 0, "exceptions": 0, "broken_answers": 0, "lost_connections": 0}
    assert "P99" in plant.cli("diagnostics", "D").stdout


def test_a_protocol_without_browsing_says_so(plant):
    refused = plant.api("GET", "/devices/D/browse", 422)
    assert "no way to ask" in refused["detail"]
