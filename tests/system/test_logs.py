"""Logs with real processes: floods that neither fill the disk nor slow the supervisor, what a process prints, search,
secrets, retention."""

import json
import pathlib
import re

import pytest
import requests
from harness import BIN, Supervisor, Workbook, eventually

LOUD_WORKER = BIN.parent / "tests" / "loud_worker"
SECRET = "hunter22-planted"


@pytest.fixture
def loud(tmp_path, simulator):
    """A supervisor whose workers do what the name of their task says."""
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    running = Supervisor(data, worker_program=LOUD_WORKER, log_max_file_bytes="200000", log_max_files="3",
                         log_max_total_bytes="20MiB",
                         worker_warm_spares=0).start()  # what it does it decides when it is started
    book = Workbook()
    for task in ("FLOOD_LOG", "FLOOD_RAW", "PRINTS", "THROWS", "QUIET"):
        book.device("D_" + task, simulator.ports[0])
        book.point("P_" + task, "D_" + task, "hr:0", "uint32").task(task, "D_" + task, 100)
    # The history takes no url, but one that is given is a sink's url with a password in it.
    running.api("POST", "/sinks", 201, json={"sink_code": "history", "type": "history", "url": f"file://user:{SECRET}@here"})
    running.import_workbook(book.save(tmp_path / "plant.xlsx"))
    for task in ("PRINTS", "THROWS"):
        running.api("PATCH", f"/tasks/{task}", 200, json={"sinks": "history"})
    yield running
    running.stop()
    running.end_orphans()


def logs(supervisor, task, **query):
    return supervisor.get(f"/tasks/{task}/logs", params={"limit": 1000, **query})["items"]


def metric(supervisor, name, task=None):
    text = requests.get(supervisor.base + "/metrics", timeout=10).text
    label = f'{{task="{task}"}}' if task else ""
    found = re.search(rf"^{name}{re.escape(label)} (\S+)$", text, re.MULTILINE)
    return float(found.group(1)) if found else 0.0


def log_bytes(supervisor, task):
    """Bytes on disk of everything that is logged about the task."""
    folder = supervisor.data_dir / "log"
    return sum(file.stat().st_blocks * 512 for file in folder.rglob(f"{task}.*"))


def flood_for_a_while(supervisor, task, counter, enough, deadline=60):
    """Starts the flooding task and another one beside it; asks the API all the while. Returns the most it took on disk."""
    supervisor.start_task("QUIET")
    supervisor.api("POST", f"/tasks/{task}/start", 202)
    largest = 0

    def flooded():
        nonlocal largest
        supervisor.get("/processes")
        largest = max(largest, log_bytes(supervisor, task))
        return metric(supervisor, counter, task) >= enough

    eventually(flooded, f"{enough} of {counter}", deadline)
    assert supervisor.status(task)["status"] == "RUNNING", "a flood is no reason to end a worker"
    assert supervisor.status("QUIET")["restart_count"] == 0
    return largest


def test_a_worker_that_floods_its_log(loud):
    largest = flood_for_a_while(loud, "FLOOD_LOG", "fieldwarden_task_log_lines_lost_total", 500_000)
    # Three files of 200 kB of the worker's, as much again of the supervisor's.
    assert largest < 2_000_000, f"{largest} bytes on disk"
    said = logs(loud, "FLOOD_LOG", level="warning", q="dropped by the rate limit")
    assert said, "what was dropped is said in the log itself"
    assert any(int(entry["message"].split()[0]) > 10_000 for entry in said)
    assert logs(loud, "FLOOD_LOG", q="not sent because the worker logs too fast")


def test_a_process_that_floods_its_standard_error(loud):
    largest = flood_for_a_while(loud, "FLOOD_RAW", "fieldwarden_task_output_skipped_bytes_total", 15_000_000)
    assert largest < 12_000_000, f"{largest} bytes on disk"
    assert metric(loud, "fieldwarden_task_output_trimmed_bytes_total", "FLOOD_RAW") > 10_000_000
    assert logs(loud, "FLOOD_RAW", level="warning", q="the process prints too much")
    assert logs(loud, "FLOOD_RAW", q="of the process"), "some of it is there"


def test_what_a_process_prints_appears_while_it_runs(loud):
    stream = loud.http.get(loud.base + "/api/v1/tasks/PRINTS/stream", stream=True, timeout=30)
    loud.start_task("PRINTS")
    eventually(lambda: logs(loud, "PRINTS", q="overflow"), "the printed lines")
    printed = {entry["message"]: entry for entry in logs(loud, "PRINTS")}
    assert printed["plain words"]["level"] == "info"
    failed = printed["login with *** failed"]
    assert (failed["level"], failed["source_file"], failed["line_number"]) == ("error", "net.cpp", 77)
    overflow = next(entry for message, entry in printed.items() if "overflow" in message)
    assert overflow["level"] == "critical" and overflow["line_number"] == 9 and "#0" in overflow["exception_info"]
    assert loud.status("PRINTS")["status"] == "RUNNING"
    streamed = []
    for line in stream.iter_lines():
        if line.startswith(b"data: ") and b'"message"' in line:
            streamed.append(json.loads(line[6:])["message"])
        if any("overflow" in message for message in streamed):
            break
    stream.close()
    assert "plain words" in streamed and "login with *** failed" in streamed
    # The execution log, the worker's lines and the printed ones are one stream in the order of time.
    everything = logs(loud, "PRINTS")
    assert [entry["timestamp"] for entry in everything] == sorted(entry["timestamp"] for entry in everything)
    assert any(entry["log_type"] == "execution_start" for entry in everything)
    assert any("acquiring with revision" in entry["message"] for entry in everything)


def test_secrets_are_in_no_line(loud):
    loud.start_task("PRINTS")
    loud.api("POST", "/tasks/THROWS/start", 202)
    eventually(lambda: logs(loud, "PRINTS", q="logged *** as well") and logs(loud, "PRINTS", q="login with ***"),
               "the lines with the secret masked")
    # Each restart throws again; a block that was read in two pieces is two entries.
    eventually(lambda: any(entry["level"] == "critical" for entry in logs(loud, "THROWS", q="terminate called")), "the exception")
    eventually(lambda: logs(loud, "THROWS", q="device *** is gone"), "what was thrown, masked")
    died = eventually(lambda: loud.status("THROWS")["last_error"], "the death")
    assert SECRET not in died
    for task in ("PRINTS", "THROWS"):
        assert SECRET not in json.dumps(logs(loud, task))
    for file in (loud.data_dir / "log").rglob("*.jsonl*"):
        assert SECRET not in file.read_text(errors="replace"), file
    assert SECRET not in json.dumps(loud.get("/sessions"))
    events = loud.get("/events", params={"after": 0})
    assert SECRET not in json.dumps(events)


def test_search_and_paging_on_disk_and_after_a_restart(loud):
    loud.start_task("QUIET")
    loud.api("POST", "/tasks/QUIET/stop", 202)
    eventually(lambda: loud.status("QUIET")["status"] == "STOPPED", "the stop")
    before = [entry["message"] for entry in logs(loud, "QUIET")]
    assert loud.stop() == 0
    loud.start()
    assert [entry["message"] for entry in logs(loud, "QUIET")][:len(before)] == before, "the files have it"
    path, pages = "/tasks/QUIET/logs", []
    page = loud.get(path, params={"limit": 2})
    while True:
        pages = [entry["message"] for entry in page["items"]] + pages
        if page["before"] is None:
            break
        page = loud.get(path, params={"limit": 2, "before": page["before"]})
    assert pages == [entry["message"] for entry in logs(loud, "QUIET")]
    assert loud.api("GET", path, 400, params={"before": "nonsense"})
    assert all(entry["log_type"] == "execution_start" for entry in logs(loud, "QUIET", log_type="execution_start"))
    start = logs(loud, "QUIET", log_type="execution_start")[-1]["timestamp"]
    assert all(entry["timestamp"] >= start for entry in logs(loud, "QUIET", since=start))


def test_the_supervisors_own_log_and_the_command_line(loud):
    own = loud.get("/logs")["items"]
    assert any("serves http://" in entry["message"] and entry["process_name"] == "supervisor" for entry in own)
    assert "serves http://" in loud.cli("logs", "--supervisor").stdout
    loud.start_task("PRINTS")
    eventually(lambda: logs(loud, "PRINTS", q="overflow"), "the printed lines")
    found = loud.cli("logs", "PRINTS", "--grep", "plain|overf.ow", "--json").stdout
    assert [entry["message"].split()[0] for entry in json.loads(found)["items"]] == ["plain", "/src/a.cpp:9:5:"]
    everything = loud.cli("logs", "--all", "--level", "error").stdout
    assert "login with ***" in everything
    assert loud.cli("logs", check=False).returncode == 2
    assert loud.cli("logs", "PRINTS", "--all", check=False).returncode == 2
    assert any(entry["process_name"] == "PRINTS" for entry in loud.get("/logs", params={"task": "*"})["items"])
    assert loud.api("GET", "/logs", 404, params={"task": "NOSUCH"})


def test_the_logs_of_a_deleted_task_go_with_it(loud):
    loud.start_task("QUIET")
    folder = loud.data_dir / "log"
    eventually(lambda: (folder / "QUIET.jsonl").exists() and (folder / "events" / "QUIET.jsonl").exists(), "its files")
    loud.api("DELETE", "/tasks/QUIET", 204)
    eventually(lambda: not list(folder.rglob("QUIET.*")), "the files gone")


def test_output_is_not_told_twice_after_a_crash_of_the_supervisor(loud):
    loud.start_task("PRINTS")
    eventually(lambda: logs(loud, "PRINTS", q="overflow"), "the printed lines")
    loud.kill()
    with open(loud.data_dir / "log" / "PRINTS.crash", "ab") as crash:
        crash.write(b"said while nobody listened\n")
    loud.start()
    eventually(lambda: logs(loud, "PRINTS", q="said while nobody listened"), "what was printed meanwhile")
    assert len(logs(loud, "PRINTS", q="plain words")) == 1
    assert loud.status("PRINTS")["adopted"]
