"""Backup, restore and the move between stores, with the real programs."""

import os
import shutil
import sqlite3
import subprocess

import pytest
from harness import BIN, Simulator, Supervisor, counter_plant, eventually
from stores import Postgres


def tool(*arguments, **settings):
    environment = {**os.environ, **{f"FIELDWARDEN_{key.upper()}": value for key, value in settings.items() if value}}
    return subprocess.run([BIN / "fieldwarden", *map(str, arguments)], env=environment, text=True, capture_output=True,
                          timeout=60)


def done(*arguments, **settings):
    result = tool(*arguments, **settings)
    assert result.returncode == 0, result.stderr
    return result.stdout


def refused(*arguments, **settings):
    result = tool(*arguments, **settings)
    assert result.returncode == 1, result.stdout
    return result.stderr


@pytest.fixture
def worked(supervisor, tmp_path):
    """A supervisor with a task that runs, and its configuration as it answers it."""
    simulator = Simulator()
    supervisor.import_workbook(counter_plant(tmp_path / "plant.xlsx", simulator.ports[0]))
    session = supervisor.start_task("T")
    eventually(lambda: len(supervisor.history(session, "COUNT")) > 5, "samples")
    yield supervisor
    simulator.stop()


def configuration(supervisor):
    kinds = ("sites", "device-types", "devices", "points", "tasks", "sinks")
    return {kind: supervisor.get(f"/{kind}")["items"] for kind in kinds}


def without_ids(kinds):
    """What was removed and is there again has a new one."""
    return {kind: [{key: value for key, value in each.items() if key != "id"} for each in records] for kind, records in kinds.items()}


def test_a_backup_while_it_runs_brings_everything_back_elsewhere(worked, tmp_path):
    before, file = configuration(worked), tmp_path / "plant.fwbackup"
    assert before["points"] and before["tasks"]
    audited = worked.get("/audit")["total"]
    said = done("backup", file, "--data-dir", worked.data_dir)
    assert "points" in said and "sessions" in said
    assert file.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.glob("plant.fwbackup*")) == ["plant.fwbackup"], "nothing beside it"
    assert "is there already" in refused("backup", file, "--data-dir", worked.data_dir)
    session = worked.get("/sessions")["items"][0]["session_id"]
    worked.stop()

    (tmp_path / "other").mkdir()
    said = done("restore", file, "--data-dir", tmp_path / "other")
    assert "T.db" in said, "the history that is not there is named"
    other = Supervisor(tmp_path / "other")
    other.start()
    try:
        assert configuration(other) == before
        assert other.get("/audit")["total"] >= audited and other.get("/audit/verify")["ok"]
        assert session in [row["session_id"] for row in other.get("/sessions")["items"]]
    finally:
        other.stop()
        other.end_orphans()


def test_a_restore_while_it_runs_brings_the_configuration_back(worked, tmp_path, monkeypatch):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    worked.api("POST", "/sinks", 201, json={"sink_code": "IN", "type": "influxdb", "url": "http://127.0.0.1:1",
                                            "options": "org=o; bucket=b; token=the-former-secret"})
    before, file, after = configuration(worked), tmp_path / "plant.fwbackup", tmp_path / "after.fwbackup"
    done("backup", file, "--data-dir", worked.data_dir)
    pid, server = worked.status("T")["pid"], worked.base
    worked.api("DELETE", "/sinks/IN", 204)
    worked.api("POST", "/sites", 201, json={"site_code": "LATER", "site_name": "Later"})
    worked.api("POST", "/users", 201, json={"username": "chen", "password": "a long password", "role": "viewer"})

    said = tool("restore", file, "--data-dir", worked.data_dir, server=None)
    assert said.returncode == 3, "the address in the settings is not where it listens"
    said = tool("restore", file, "--data-dir", worked.data_dir, server=server)
    assert said.returncode == 0, said.stderr
    assert "- site LATER" in said.stdout and "Nothing was changed yet" in said.stdout and "--replace" in said.stdout
    assert "LATER" in [site["site_code"] for site in worked.get("/sites")["items"]]
    assert "former-secret" not in said.stdout + said.stderr

    said = done("restore", file, "--data-dir", worked.data_dir, "--replace", server=server)
    assert "Applied. No running task was touched." in said and "former-secret" not in said
    assert without_ids(configuration(worked)) == without_ids(before)
    assert worked.status("T")["pid"] == pid
    assert "chen" in [user["username"] for user in worked.get("/users")["items"]], "accounts are not touched"
    assert not list((tmp_path / "temporary").iterdir())
    done("backup", after, "--data-dir", worked.data_dir)
    with sqlite3.connect(after) as restored:
        assert "the-former-secret" in restored.execute("SELECT options FROM sinks WHERE sink_code = 'IN'").fetchone()[0]
    assert "already is as the backup says" in done("restore", file, "--data-dir", worked.data_dir, server=server)

    (tmp_path / "text").write_text("no backup at all")
    assert str(tmp_path / "text") in refused("restore", tmp_path / "text", "--data-dir", worked.data_dir, server=server)
    assert "token is not valid" in refused("restore", file, "--data-dir", worked.data_dir, server=server, token="wrong")


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_reading_a_stopped_store_leaves_nothing_behind(worked, tmp_path, end):
    """-wal and -shm in the data directory mean that something has the store open, or died with it."""
    before = configuration(worked)
    getattr(worked, end)()
    worked.end_orphans()
    (tmp_path / "elsewhere").mkdir()
    backup, copy = tmp_path / "plant.fwbackup", tmp_path / "copy.db"
    done("backup", backup, "--data-dir", worked.data_dir)
    assert {path.name for path in worked.data_dir.glob("state.db*")} == {"state.db"}
    done("migrate-store", "--from", worked.data_dir / "state.db", "--to", copy)
    assert {path.name for path in worked.data_dir.glob("state.db*")} == {"state.db"}
    done("restore", backup, "--data-dir", tmp_path / "elsewhere")
    assert {path.name for path in tmp_path.glob("*") if path.is_file() and path.suffix != ".xlsx"} == {backup.name, copy.name}
    worked.start()
    assert configuration(worked) == before


def test_restore_keeps_what_was_there_aside(worked, tmp_path):
    file = tmp_path / "plant.fwbackup"
    done("backup", file, "--data-dir", worked.data_dir)
    worked.api("POST", "/sites", 201, json={"site_code": "LATER", "site_name": "Later"})
    worked.stop()
    assert "--replace" in refused("restore", file, "--data-dir", worked.data_dir)
    assert "before-restore" in done("restore", file, "--data-dir", worked.data_dir, "--replace")
    kept = sqlite3.connect(worked.data_dir / "state.db.before-restore")
    assert kept.execute("SELECT count(*) FROM sites WHERE site_code = 'LATER'").fetchone() == (1,)
    kept.close()
    worked.start()
    assert "LATER" not in [site["site_code"] for site in worked.get("/sites")["items"]]


def test_what_is_no_backup_changes_nothing(worked, tmp_path):
    worked.stop()
    (tmp_path / "text").write_text("no backup at all")
    cut = tmp_path / "cut.fwbackup"
    done("backup", cut, "--data-dir", worked.data_dir)
    cut.write_bytes(cut.read_bytes()[:5000])
    before = sorted(path.name for path in worked.data_dir.iterdir())
    for file in (tmp_path / "text", cut, tmp_path / "absent", tmp_path):
        assert str(file) in refused("restore", file, "--data-dir", worked.data_dir, "--replace")
        assert sorted(path.name for path in worked.data_dir.iterdir()) == before
    assert tool("restore").returncode == 2
    said = refused("migrate-store", "--from", worked.data_dir / "state.db", "--to", "mysql://somebody:secret@host")
    assert "--to" in said and "postgresql://" in said and "secret" not in said
    worked.start()
    assert worked.get("/sites")["items"]


@pytest.mark.skipif(not shutil.which("setpriv"), reason="no setpriv")
def test_a_plant_moves_to_postgresql_and_back(worked, tmp_path):
    before = configuration(worked)
    (tmp_path / "postgres").mkdir()
    database = Postgres(tmp_path / "postgres")
    database.start()
    try:
        state = worked.data_dir / "state.db"
        assert "another supervisor" in refused("migrate-store", "--from", state, "--to", database.url)
        worked.stop()
        done("migrate-store", "--from", state, "--to", database.url)
        assert "holds something already" in refused("migrate-store", "--from", state, "--to", database.url)
        moved = Supervisor(worked.data_dir, server_store=database.url)
        state.rename(tmp_path / "former.db")
        moved.start()
        assert configuration(moved) == before
        moved.api("POST", "/sites", 201, json={"site_code": "LATER", "site_name": "Later"})
        assert moved.get("/audit/verify")["ok"]
        assert "another supervisor" in refused("migrate-store", "--from", database.url, "--to", tmp_path / "early.db")
        assert not (tmp_path / "early.db").exists()
        backup = tmp_path / "moved.fwbackup"
        done("backup", backup, "--data-dir", moved.data_dir, server_store=database.url)
        moved.stop()
        moved.end_orphans()
        done("migrate-store", "--from", database.url, "--to", state)
        worked.start()
        assert "LATER" in [site["site_code"] for site in worked.get("/sites")["items"]]
        assert worked.get("/audit/verify")["ok"]
        assert sqlite3.connect(backup).execute("SELECT count(*) FROM sites WHERE site_code = 'LATER'").fetchone() == (1,)
    finally:
        database.stop()
