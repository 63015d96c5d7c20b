"""Modbus RTU through the whole product: devices that share a serial line, a line that two tasks want, and a converter."""

import os

import pytest
from harness import DEADLINE, Simulator, Workbook, eventually

OPTIONS = "timeout_ms=500; reconnect_min_ms=50; reconnect_max_ms=200; baud_rate=115200"


@pytest.fixture
def line(tmp_path):
    """A simulated line and a converter: (simulator, path of the port, address of the converter)."""
    link = tmp_path / "line"
    running = Simulator(1, "--modbus-rtu", str(link), "--modbus-rtu-tcp", "127.0.0.1:0")
    running.link = os.path.realpath(link)
    yield running
    running.stop()


def rtu_device(book, code, address, unit):
    book.add("devices", device_code=code, device_name=code, site_code="S1", protocol="modbus_rtu", address=address,
             type_code="T1", options=f"unit_id={unit}; {OPTIONS}")
    return book.point(f"{code}_COUNT", code, "hr:0", "uint32").point(f"{code}_UNIT", code, "hr:6", "float32")


def live(supervisor, task, point):
    return next(item for item in supervisor.get(f"/tasks/{task}/points")["items"] if item["point_code"] == point)


def test_devices_of_one_task_share_a_line(supervisor, line, tmp_path):
    book = Workbook()
    for unit in (1, 2, 3):
        rtu_device(book, f"D{unit}", line.link, unit)
    supervisor.import_workbook(book.task("T", "D1,D2,D3", 50).save(tmp_path / "line.xlsx"))
    session = supervisor.start_task("T")
    for unit in (1, 2, 3):
        eventually(lambda u=unit: live(supervisor, "T", f"D{u}_UNIT")["value"] == 20.0 + u, f"unit {unit}'s own value")
    # One silent slave: the others go on.
    line.control(device=2, silent_units=[2])
    eventually(lambda: live(supervisor, "T", "D2_COUNT")["quality"] == "bad", "bad quality of the silent slave")
    before = live(supervisor, "T", "D3_COUNT")["value"]
    eventually(lambda: live(supervisor, "T", "D3_COUNT")["value"] > before + 5, "the next slave going on")
    line.control(device=2, clear=True)
    eventually(lambda: live(supervisor, "T", "D2_COUNT")["quality"] == "good", "the slave back")
    for unit in (1, 2, 3):
        values = {item["value"] for item in supervisor.history(session, f"D{unit}_UNIT") if item["quality"] == "good"}
        assert values == {20.0 + unit}


def test_a_line_belongs_to_one_task(supervisor, line, tmp_path):
    book = rtu_device(rtu_device(Workbook(), "D1", line.link, 1), "D2", line.link, 2)
    supervisor.import_workbook(book.task("FIRST", "D1", 50).task("SECOND", "D2", 50).save(tmp_path / "two.xlsx"))
    supervisor.start_task("FIRST")
    supervisor.api("POST", "/tasks/SECOND/start", 202)

    def refused():
        errors = [connection["last_error"] or "" for connection in supervisor.status("SECOND")["connections"]]
        return any("put all devices of one line into one task" in error for error in errors)

    eventually(refused, "the second task to be told why")
    before = live(supervisor, "FIRST", "D1_COUNT")["value"]
    eventually(lambda: live(supervisor, "FIRST", "D1_COUNT")["value"] > before + 5, "the first task going on")
    # The port is free with the end of its task.
    supervisor.api("POST", "/tasks/FIRST/stop", 202)
    supervisor.wait_running("SECOND", DEADLINE)


@pytest.mark.parametrize("fault", ["wrong_crc", "noise", "truncate", "duplicate", "wrong_unit", "silent", "drop"])
def test_a_converter_with_faults_never_tells_a_wrong_value(supervisor, line, tmp_path, fault):
    book = rtu_device(Workbook(), "C", f"127.0.0.1:{line.rtu_tcp_ports[0]}", 7)
    supervisor.import_workbook(book.task("T", "C", 50).save(tmp_path / "converter.xlsx"))
    session = supervisor.start_task("T")
    line.control(device=1, reply=fault, times=3)
    eventually(lambda: line.control(device=1)["devices"][0]["requests"] > 10, "more requests")
    line.control(device=1, clear=True)
    before = live(supervisor, "T", "C_COUNT")["value"] or 0
    eventually(lambda: (live(supervisor, "T", "C_COUNT")["value"] or 0) > before + 3, "the device going on")

    def good(point):
        return [item["value"] for item in supervisor.history(session, point) if item["quality"] == "good"]

    # What came behind the faults is in the history too, a moment later.
    counts = eventually(lambda: (counts := good("C_COUNT")) and counts[-1] > before and counts, "the history")
    assert counts == sorted(counts), "a value that the device did not send then"
    assert set(good("C_UNIT")) == {27.0}
