"""A worker killed mid-cycle, frozen, or unable to start: what is lost, what is doubled, what is said."""

import os
import signal

from harness import alive, counter_plant, eventually


def counts(supervisor, session):
    return [item["value"] for item in supervisor.history(session, "COUNT") if item["quality"] == "good"]


def test_kill_loses_at_most_the_cycle_in_flight_and_doubles_nothing(supervisor, simulator, tmp_path):
    supervisor.import_workbook(counter_plant(tmp_path / "plant.xlsx", simulator.ports[0], period_ms=20))
    session = supervisor.start_task("T")
    for round_number in range(3):
        pid = supervisor.status("T")["pid"]
        before = len(counts(supervisor, session))
        eventually(lambda: len(counts(supervisor, session)) > before + 10, "samples before the kill")
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: (s := supervisor.status("T"))["status"] == "RUNNING" and s["pid"] not in (None, pid), "a new worker")
        assert not alive(pid)
        after = len(counts(supervisor, session))
        eventually(lambda: len(counts(supervisor, session)) > after + 10, "samples after the restart")
        assert supervisor.status("T")["restart_count"] == round_number + 1
    supervisor.api("POST", "/tasks/T/stop", 202)
    eventually(lambda: supervisor.status("T")["status"] == "STOPPED", "the stop")
    values = counts(supervisor, session)
    assert values == sorted(set(values)), "doubled or out of order"
    # The simulator counts every read, so a gap is a read whose samples did not reach the spool: only the read in flight
    # at each kill can be missing.
    missing = (values[-1] - values[0] + 1) - len(values)
    assert 0 <= missing <= 3, f"{missing} samples missing after 3 kills"
    retries = [entry for entry in walk(supervisor.get(f"/sessions/{session}/timeline")["items"])
               if entry["log_type"] == "retry_attempt"]
    assert len(retries) == 3 and all("SIGKILL" in entry["message"] or "signal 9" in entry["message"] for entry in retries)


def walk(items):
    for item in items:
        yield item
        yield from walk(item["children"])


def test_frozen_worker_is_noticed_and_replaced(supervisor, simulator, tmp_path):
    supervisor.import_workbook(counter_plant(tmp_path / "plant.xlsx", simulator.ports[0]))
    supervisor.start_task("T")
    pid = supervisor.status("T")["pid"]
    os.kill(pid, signal.SIGSTOP)
    eventually(lambda: (s := supervisor.status("T"))["status"] == "RUNNING" and s["pid"] not in (None, pid), "a replacement")
    assert not alive(pid)


def test_a_second_task_is_not_disturbed(supervisor, simulator, tmp_path):
    from harness import Workbook
    book = Workbook().device("D", simulator.ports[0])
    book.point("COUNT", "D", "hr:0@1", "uint32").point("OTHER", "D", "hr:0@2", "uint32")
    book.task("T", "D", 50, ).task("U", "D", 20)
    path = book.save(tmp_path / "two.xlsx")
    supervisor.import_workbook(path)
    supervisor.start_task("T")
    session = supervisor.start_task("U")
    pid = supervisor.status("U")["pid"]
    for _ in range(3):
        victim = supervisor.wait_running("T")["pid"]
        os.kill(victim, signal.SIGKILL)
        eventually(lambda: supervisor.status("T")["pid"] != victim, "the victim's replacement or backoff")
    eventually(lambda: len(supervisor.history(session, "OTHER")) > 20, "samples of the other task")
    assert supervisor.status("U")["pid"] == pid and supervisor.status("U")["restart_count"] == 0


def test_stop_flushes_and_ends_the_process(supervisor, simulator, tmp_path):
    supervisor.import_workbook(counter_plant(tmp_path / "plant.xlsx", simulator.ports[0]))
    session = supervisor.start_task("T")
    pid = supervisor.status("T")["pid"]
    supervisor.api("POST", "/tasks/T/stop", 202)
    eventually(lambda: not alive(pid), "the worker's end")
    status = eventually(lambda: (s := supervisor.get(f"/sessions/{session}/status"))["status"] == "stopped" and s, "stopped")
    assert status["spool_pending"] == 0 and status["points_delivered"] == status["points_read"]
    supervisor.api("POST", "/tasks/T/stop", 409)


def test_secrets_and_launch_keys_stay_out_of_the_command_line(supervisor, simulator, tmp_path):
    supervisor.import_workbook(counter_plant(tmp_path / "plant.xlsx", simulator.ports[0]))
    supervisor.start_task("T")
    pid = supervisor.status("T")["pid"]
    arguments = open(f"/proc/{pid}/cmdline", "rb").read().split(b"\0")
    assert len([argument for argument in arguments if argument]) == 1
    descriptors = {os.readlink(f"/proc/{pid}/fd/{number}") for number in os.listdir(f"/proc/{pid}/fd")}
    assert not any("state.db" in name or "admin.token" in name for name in descriptors), descriptors
