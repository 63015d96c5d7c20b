"""Minutes of devices in their states, with real processes: counted, kept over a kill of the supervisor, never twice."""
import time

import openpyxl
import pytest
from harness import Supervisor, Workbook, eventually
from test_mqtt_peer import broker  # noqa: F401, a fixture

STATES = "welding=2,3; standby=1; alarm=10..19; shutdown=0"


class StatusWorkbook(Workbook):
    COLUMNS = {**Workbook.COLUMNS, "device_types": ["type_code", "type_name", "status_point", "state_map"]}

    def __init__(self, status_point="STATE", state_map=STATES):
        super().__init__()
        self.rows["device_types"] = []
        self.add("device_types", type_code="T1", type_name="Welder", status_point=status_point, state_map=state_map)
        self.add("device_types", type_code="T2", type_name="Plain")


def plant_book(port, **status):
    book = StatusWorkbook(**status)
    book.device("W1", port)
    book.device("P1", port, type_code="T2")
    book.point("W1_STATE", "W1", "hr:30000", "uint16", access="rw")
    book.point("P1_VALUE", "P1", "hr:100", "float32")
    return book.task("T", "W1,P1", 50)


@pytest.fixture
def plant(supervisor, simulator, tmp_path):
    supervisor.import_workbook(plant_book(simulator.ports[0]).save(tmp_path / "plant.xlsx"))
    return supervisor


def set_state(supervisor, value):
    # A point rests for 200 ms between two writes.
    eventually(lambda: supervisor.call("POST", "/points/W1_STATE/write", json={"value": value}).status_code == 200,
               f"{value} written")


def shown_state(supervisor):
    rows = supervisor.get("/tasks/T/points")["items"]
    return next(row["value"] for row in rows if row["point_code"] == "W1_STATE")


def statistics(supervisor, device, **query):
    return supervisor.get("/device/statistics", params={"device_code": device, **query})["items"][0]


def counted(supervisor, device, state, more_than=0.0):
    """The row, once the device has been in the state for more than so many minutes. Written every ten seconds."""

    def enough():
        row = statistics(supervisor, device)
        return row if row["states"].get(state, 0) > more_than else None

    return eventually(enough, f"{device} in {state} for more than {more_than} minutes")


def test_minutes_are_counted_and_outlive_the_supervisor(plant):
    began = time.monotonic()
    plant.start_task("T")
    set_state(plant, 2)
    row = counted(plant, "W1", "welding", 0.05)
    assert set(row["states"]) >= {"welding", "standby", "alarm", "shutdown"}
    assert row["type_code"] == "T1"
    plain = statistics(plant, "P1")
    assert plain["states"] == {} and plain["online_minutes"] > 0

    # A value out of the map is `other`; one in a range is its state.
    set_state(plant, 77)
    counted(plant, "W1", "other")
    set_state(plant, 15)
    before = counted(plant, "W1", "alarm")

    plant.kill()
    plant.start()
    plant.wait_running("T")  # the worker went on and was adopted
    kept = statistics(plant, "W1")
    assert kept["states"]["welding"] == before["states"]["welding"], "what was written is there, and once"
    after = counted(plant, "W1", "alarm", kept["states"]["alarm"] + 0.05)
    assert after["states"]["welding"] == before["states"]["welding"]

    # All minutes together are no more than have passed, and each a part of the day.
    passed = (time.monotonic() - began) / 60
    known = after["online_minutes"] + after["unknown_minutes"]
    assert sum(after["states"].values()) == pytest.approx(after["online_minutes"], abs=0.05)
    assert known <= passed + 0.05
    assert after["online_minutes"] <= after["total_minutes"]
    assert after["online_rate"] == pytest.approx(100 * after["online_minutes"] / after["total_minutes"], abs=0.1)

    # Another day is another count.
    assert statistics(plant, "W1", day="2020-02-29")["total_minutes"] == 1440
    assert statistics(plant, "W1", day="2020-02-29")["online_minutes"] == 0
    refused = plant.api("GET", "/device/statistics", 400, params={"day": "2021-02-29"})
    assert refused["errors"][0]["field"] == "day"
    plant.api("GET", "/device/statistics", 404, params={"device_code": "NONE"})
    plant.api("GET", "/device/statistics", 404, params={"type_code": "NONE"})


def test_an_unplugged_device_is_unknown_and_a_stop_writes_what_was_counted(plant, simulator):
    plant.start_task("T")
    set_state(plant, 1)
    counted(plant, "W1", "standby")
    simulator.control(device=0, unplugged=True)
    eventually(lambda: not plant.get("/device/realtime-data", params={"type_code": "T1"})["items"][0]["online"],
               "the device to be away")
    before = statistics(plant, "W1")
    row = eventually(lambda: (r := statistics(plant, "W1"))["unknown_minutes"] > before["unknown_minutes"] + 0.05 and r,
                     "unknown minutes")
    still = statistics(plant, "P1")
    assert row["states"]["standby"] > 0 and still["unknown_minutes"] > 0

    # Stopping writes the rest at once, whatever is left of the ten seconds.
    simulator.control(device=0, clear=True)
    eventually(lambda: plant.get("/device/realtime-data", params={"type_code": "T1"})["items"][0]["online"], "it is back")
    set_state(plant, 0)
    eventually(lambda: shown_state(plant) == 0, "the state among the live values")
    plant.stop()
    plant.start()
    assert statistics(plant, "W1")["unknown_minutes"] >= row["unknown_minutes"]
    assert statistics(plant, "W1")["states"]["standby"] >= row["states"]["standby"]


def test_a_resumed_device_that_sends_by_itself_is_in_the_state_it_said_last(broker, supervisor, tmp_path):
    book = StatusWorkbook().add("devices", device_code="M1", device_name="M1", site_code="S1", protocol="mqtt",
                                address=f"mqtt://127.0.0.1:{broker.port}", type_code="T1")
    book.point("M1_STATE", "M1", "m1/state", "uint16").task("T", "M1", 50)
    supervisor.import_workbook(book.save(tmp_path / "plant.xlsx"))
    supervisor.api("POST", "/tasks/T/start", 202)  # no data until the device says something

    def shown():
        return next((row["value"], row["quality"]) for row in supervisor.get("/tasks/T/points")["items"])

    def pause_and(*messages):
        supervisor.api("POST", "/tasks/T/pause", 202)
        eventually(lambda: supervisor.status("T")["status"] == "PAUSED", "the pause")
        before = statistics(supervisor, "M1")["unknown_minutes"]
        if messages:
            broker.publish("m1/state", messages)
        eventually(lambda: statistics(supervisor, "M1")["unknown_minutes"] > before, "a paused device counted as unknown")
        supervisor.api("POST", "/tasks/T/resume", 202)
        supervisor.wait_running("T")

    eventually(lambda: supervisor.get("/processes/T")["connection_status"] == "connected", "the subscription")
    broker.publish("m1/state", [2])
    eventually(lambda: shown() == (2, "good"), "the first state")
    pause_and()  # nothing new comes, for hours
    at_resume = statistics(supervisor, "M1")["states"].get("welding", 0)
    counted(supervisor, "M1", "welding", at_resume + 0.05)
    pause_and(0, 15)  # nor is what came during the pause said again
    eventually(lambda: shown() == (15, "good"), "what it said last")
    row = counted(supervisor, "M1", "alarm")
    assert row["states"].get("shutdown", 0) == 0


def test_a_changed_map_takes_effect_without_a_restart(plant):
    plant.start_task("T")
    set_state(plant, 2)
    counted(plant, "W1", "welding")
    pid = plant.status("T")["pid"]
    changed = plant.api("PATCH", "/device-types/T1", 200, json={"state_map": "arc=2,3; rest=0,1"})
    assert changed["state_map"] == "arc=2,3; rest=0,1"
    row = counted(plant, "W1", "arc")
    assert row["states"]["welding"] > 0, "what was counted under the old name stays"
    assert plant.status("T")["pid"] == pid and plant.status("T")["restart_count"] == 0


def test_a_workbook_with_a_bad_map_is_refused_and_says_why(supervisor, simulator, tmp_path):
    for status, code, column, words in [
        ({"state_map": "welding=1; standby=1"}, "bad_state_map", "state_map", "'welding' and 'standby'"),
        ({"state_map": "online=1"}, "bad_state_map", "state_map", "another name"),
        ({"state_map": "welding=5..2"}, "bad_state_map", "state_map", "turn it round"),
        ({"state_map": None}, "missing_value", "state_map", "both or neither"),
        ({"status_point": None}, "missing_value", "status_point", "both or neither"),
        ({"status_point": "STATUS"}, "dangling_reference", "status_point", "did you mean 'STATE'"),
    ]:
        job = supervisor.import_workbook(plant_book(simulator.ports[0], **status).save(tmp_path / "bad.xlsx"), apply=False)
        assert job["status"] == "invalid"
        [error] = job["errors"]
        assert (error["sheet"], error["row"], error["column"], error["code"]) == ("device_types", 2, column, code)
        assert words in error["message"]
    supervisor.api("POST", f"/import-jobs/{job['id']}/apply", 409)


def test_the_export_keeps_the_columns(plant, tmp_path):
    exported = tmp_path / "export.xlsx"
    exported.write_bytes(plant.call("GET", "/export").content)
    sheet = openpyxl.load_workbook(exported)["device_types"]
    head = [str(cell.value).split("*")[0].split("\n")[0].strip() for cell in sheet[1]]
    row = dict(zip(head, (cell.value for cell in sheet[2])))
    assert row["status_point"] == "STATE" and row["state_map"] == STATES
    job = plant.import_workbook(exported, apply=False)
    assert job["status"] == "validated"
    diff = plant.get(f"/import-jobs/{job['id']}/diff")
    assert not diff["device_types"]["changed"], diff["device_types"]
