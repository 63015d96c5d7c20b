"""Data that only TDengine holds: device history from it, and what realtime data shows after a cold start.

Against the stand-in of tests/contract (no TDengine server is packaged); it keeps its data in memory, so it outlives the supervisor.
"""

import datetime
import pathlib
import subprocess

import pytest
from harness import BIN, Workbook, eventually

SERVER = pathlib.Path(BIN).parent / "tests" / "tdengine_server"


@pytest.fixture
def tdengine():
    process = subprocess.Popen([SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield process.stdout.readline().strip()
    finally:
        process.stdin.close()
        process.wait(10)


def plant(path, port, url, history="history=false"):
    book = Workbook()
    book.device("D", port).point("D_COUNT", "D", "hr:0", "uint32").point("D_TEMP", "D", "hr:100", "float32")
    book.task("T", "D", 100, sinks="TD", options=history)
    book.add("sinks", sink_code="TD", type="tdengine", url=url, options="password=taosdata")
    return book.save(path)


def rows(supervisor, **query):
    return supervisor.get("/device/history", params={"device_code": "D", **query})["items"]


def realtime(supervisor):
    return supervisor.get("/device/realtime-data", params={"type_code": "T1"})["items"][0]


def test_history_and_cold_start(supervisor, simulator, tdengine, tmp_path):
    supervisor.import_workbook(plant(tmp_path / "plant.xlsx", simulator.ports[0], tdengine))
    supervisor.start_task("T")
    eventually(lambda: len(rows(supervisor)) >= 5, "rows of TDengine")
    supervisor.api("POST", "/tasks/T/stop", 202)
    eventually(lambda: supervisor.status("T")["status"] == "STOPPED", "the task to stop")

    every = rows(supervisor, limit=100_000)
    counts = [row["fields"]["COUNT"] for row in every if "COUNT" in row["fields"]]
    assert counts == sorted(set(counts))
    assert all(row["quality"] == {} for row in every)
    assert rows(supervisor, limit=100_000, order="desc") == every[::-1]
    assert rows(supervisor, limit=100_000, sink="TD") == every
    # Cut where a row ends, and said to be cut.
    for limit in range(1, 4):
        for sink in ({}, {"sink": "TD"}):
            part = supervisor.get("/device/history", params={"device_code": "D", "limit": limit, **sink})
            assert part["items"] == every[:limit] and part["more"]
    assert not supervisor.get("/device/history", params={"device_code": "D", "limit": 100_000})["more"]
    newest = rows(supervisor, order="desc", limit=1)
    assert newest == every[-1:]
    assert rows(supervisor, fields="COUNT", start=every[2]["time"], end=every[6]["time"]) == [
        {**row, "fields": {"COUNT": row["fields"]["COUNT"]}} for row in every[2:6] if "COUNT" in row["fields"]]
    ahead = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=1)
    assert rows(supervisor, start=ahead.isoformat()) == []

    # Nobody has acquired anything since this supervisor began.
    supervisor.stop()
    supervisor.start()
    filled = eventually(lambda: (item := realtime(supervisor)) and None not in item["fields"].values() and item, "what the store holds")
    last = {name: value for row in every for name, value in row["fields"].items()}
    assert filled["fields"] == last and filled["quality"] == {name: "stale" for name in last}
    assert not filled["online"]
    assert abs(datetime.datetime.fromisoformat(filled["updated_at"]) - datetime.datetime.fromisoformat(newest[0]["time"])) < datetime.timedelta(milliseconds=1)
    # A worker knows better.
    supervisor.start_task("T")
    eventually(lambda: realtime(supervisor)["online"] and realtime(supervisor)["fields"]["COUNT"] > counts[-1], "live values")


def test_a_store_that_is_away(supervisor, simulator, tdengine, tmp_path):
    supervisor.import_workbook(plant(tmp_path / "plant.xlsx", simulator.ports[0], "http://127.0.0.1:1"))
    problem = supervisor.call("GET", "/device/history", params={"device_code": "D"})
    assert problem.status_code == 503, problem.text
    assert "127.0.0.1:1" in problem.json()["detail"] and "taosdata" not in problem.text
    supervisor.stop()
    supervisor.start()
    eventually(lambda: "does not say what it holds of task T" in supervisor.said(), "the warning")
    assert realtime(supervisor)["fields"].get("COUNT") is None
    # Which sink: one that is there, and that can be asked.
    assert supervisor.call("GET", "/device/history", params={"device_code": "D", "sink": "NONE"}).status_code == 404


def test_a_sink_that_cannot_be_asked(supervisor, simulator, tmp_path):
    book = Workbook().device("D", simulator.ports[0]).point("COUNT", "D", "hr:0", "uint32").task("T", "D", 100, sinks="MQ")
    book.add("sinks", sink_code="MQ", type="mqtt", url="mqtt://127.0.0.1:1")
    supervisor.import_workbook(book.save(tmp_path / "plant.xlsx"))
    problem = supervisor.call("GET", "/device/history", params={"device_code": "D", "sink": "MQ"})
    assert problem.status_code == 400 and "sink" in problem.json()["detail"]
    assert rows(supervisor) == []
