"""The process table a killed supervisor leaves may be wrong in every way: still one worker per task, and the right one."""

import os
import sqlite3
import subprocess

from harness import alive, counter_plant, eventually


def change_table(supervisor, statement, *arguments):
    with sqlite3.connect(supervisor.data_dir / "state.db") as database:
        done = database.execute(statement, arguments).rowcount
    database.close()
    assert done >= 1
    return done


def workers_of(supervisor, task="T"):
    """Live worker processes of this data directory that hold the task's spool."""
    spool = supervisor.data_dir / "spool" / task
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            links = [os.readlink(f"/proc/{entry}/fd/{fd}") for fd in os.listdir(f"/proc/{entry}/fd")]
        except OSError:
            continue
        if int(entry) != supervisor.pid and any(link.startswith(str(spool)) for link in links):
            found.append(int(entry))
    return found


def running_with_one_worker(supervisor):
    status = supervisor.status("T")
    return status["status"] == "RUNNING" and workers_of(supervisor) == [status["pid"]] and status


def start(supervisor, simulator, tmp_path):
    supervisor.import_workbook(counter_plant(tmp_path / "plant.xlsx", simulator.ports[0], period_ms=20))
    session = supervisor.start_task("T")
    pid = supervisor.status("T")["pid"]

    # The row is written behind the loop's back: it is there before the supervisor is killed.
    def saved():
        with sqlite3.connect(supervisor.data_dir / "state.db") as database:
            rows = database.execute("SELECT pid FROM processes WHERE task_code = 'T'").fetchall()
        database.close()
        return rows == [(pid,)]

    eventually(saved, "the process table's row")
    supervisor.kill()
    return session, pid


def test_a_row_that_was_never_written(supervisor, simulator, tmp_path):
    _, pid = start(supervisor, simulator, tmp_path)
    change_table(supervisor, "DELETE FROM processes")
    supervisor.start()
    # The old worker holds the spool; the new one refuses to be the second, and the old one is ended.
    status = eventually(lambda: running_with_one_worker(supervisor), "one worker", 60)
    assert status["pid"] != pid and not alive(pid)


def test_start_ticks_of_another_process(supervisor, simulator, tmp_path):
    _, pid = start(supervisor, simulator, tmp_path)
    change_table(supervisor, "UPDATE processes SET start_ticks = start_ticks + 1")
    supervisor.start()
    status = eventually(lambda: running_with_one_worker(supervisor), "one worker", 60)
    assert status["pid"] != pid and not alive(pid)


def test_a_pid_that_means_somebody_else_now(supervisor, simulator, tmp_path):
    session, pid = start(supervisor, simulator, tmp_path)
    os.kill(pid, 9)
    eventually(lambda: not alive(pid), "the end of the worker")
    stranger = subprocess.Popen(["sleep", "600"])
    try:
        change_table(supervisor, "UPDATE processes SET pid = ?", stranger.pid)
        supervisor.start()
        status = eventually(lambda: running_with_one_worker(supervisor), "one worker", 60)
        assert status["pid"] != stranger.pid
        assert stranger.poll() is None, "a process that is not ours is left alone"
        # It died while nobody watched: a death like any other, in the same session.
        assert supervisor.get("/sessions/active")["items"][0]["session_id"] == session
        assert status["restart_count"] == 1
    finally:
        stranger.kill()
        stranger.wait()


def test_a_worker_whose_task_was_deleted_meanwhile(supervisor, simulator, tmp_path):
    _, pid = start(supervisor, simulator, tmp_path)
    change_table(supervisor, "DELETE FROM tasks WHERE task_code = 'T'")
    supervisor.start()
    eventually(lambda: not alive(pid), "the end of the worker nobody wants", 60)
    assert supervisor.get("/tasks")["total"] == 0


def test_a_wrong_launch_key_is_refused_and_the_task_still_runs(supervisor, simulator, tmp_path):
    _, pid = start(supervisor, simulator, tmp_path)
    change_table(supervisor, "UPDATE processes SET launch_key = 'no such key'")
    supervisor.start()
    status = eventually(lambda: running_with_one_worker(supervisor), "one worker", 90)
    assert status["pid"] != pid and not alive(pid)
