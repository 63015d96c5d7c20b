"""Devices that go away, come back, stay silent or answer wrongly: only their own points suffer, and never as good."""

from harness import Simulator, Workbook, eventually

import pytest


@pytest.fixture
def pair():
    running = Simulator(2)
    yield running
    running.stop()


def start_two(supervisor, simulator, tmp_path):
    book = Workbook().device("A", simulator.ports[0]).device("B", simulator.ports[1])
    book.point("A_COUNT", "A", "hr:0", "uint32").point("B_COUNT", "B", "hr:0", "uint32")
    book.task("T", "A,B", 50)
    supervisor.import_workbook(book.save(tmp_path / "two.xlsx"))
    return supervisor.start_task("T")


def live(supervisor, point):
    items = supervisor.get("/tasks/T/points")["items"]
    return next(item for item in items if item["point_code"] == point)


def test_unplugged_and_replugged(supervisor, pair, tmp_path):
    session = start_two(supervisor, pair, tmp_path)
    pid = supervisor.status("T")["pid"]
    pair.control(device=0, unplugged=True)
    gone = eventually(lambda: (p := live(supervisor, "A_COUNT"))["quality"] == "bad" and p, "bad quality of A")
    assert gone["quality_code"] in ("disconnected", "timeout")
    before = live(supervisor, "B_COUNT")["value"]
    eventually(lambda: live(supervisor, "B_COUNT")["value"] > before + 5, "B going on")
    status = eventually(lambda: (s := supervisor.status("T"))["connection_status"] == "partial" and s, "a partial connection")
    assert status["pid"] == pid
    connection = next(c for c in status["connections"] if c["device_code"] == "A")
    assert not connection["is_connected"] and connection["last_error"]
    pair.control(device=0, clear=True)
    eventually(lambda: live(supervisor, "A_COUNT")["quality"] == "good", "good quality of A again")
    assert supervisor.status("T")["pid"] == pid and supervisor.status("T")["restart_count"] == 0
    eventually(lambda: [item for item in supervisor.history(session, "A_COUNT") if item["quality"] == "bad"], "the outage in the history")


@pytest.mark.parametrize("fault", ["silent", "drop", "wrong_transaction", "wrong_unit", "wrong_function", "truncate",
                                   "half_then_close", "oversize_length", "oversize_count"])
def test_wrong_answers_are_never_good(supervisor, pair, tmp_path, fault):
    session = start_two(supervisor, pair, tmp_path)
    pid = supervisor.status("T")["pid"]
    pair.control(device=0, reply=fault)
    eventually(lambda: live(supervisor, "A_COUNT")["quality"] == "bad", f"bad quality under {fault}")
    before = live(supervisor, "B_COUNT")["value"]
    eventually(lambda: live(supervisor, "B_COUNT")["value"] > before + 5, "the other device")
    pair.control(device=0, clear=True)
    eventually(lambda: live(supervisor, "A_COUNT")["quality"] == "good", "recovery")
    assert supervisor.status("T")["pid"] == pid
    back = live(supervisor, "A_COUNT")["value"]
    good = eventually(lambda: (good := [item["value"] for item in supervisor.history(session, "A_COUNT") if item["quality"] == "good"])
                      and good[-1] >= back and good, "the history")
    assert good == sorted(good), "a value that the device did not send then"


def test_a_dead_task_leaves_no_good_values_behind(supervisor, pair, tmp_path):
    start_two(supervisor, pair, tmp_path)
    supervisor.api("POST", "/tasks/T/stop", 202)
    eventually(lambda: live(supervisor, "A_COUNT")["quality"] != "good", "a stopped task's values")
    assert live(supervisor, "A_COUNT")["quality_code"] == "stale"
