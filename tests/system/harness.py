"""What the system tests stand on: real programs, started on free ports, stopped by their pid.

Waiting is always for a condition with a deadline (`eventually`), never for a time to pass.
"""

import json
import os
import pathlib
import select
import signal
import socket
import subprocess
import time

import openpyxl
import requests

BIN = pathlib.Path(os.environ.get("FIELDWARDEN_BIN", "build/release/bin")).resolve()
DEADLINE = 30.0


def eventually(condition, what, deadline=DEADLINE):
    """Returns the first truthy value of `condition()`; fails with `what` and the last value or error."""
    end = time.monotonic() + deadline
    last = None
    while True:
        try:
            last = condition()
            if last:
                return last
        except (requests.RequestException, KeyError, IndexError, OSError) as error:
            last = error
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {deadline} s; last: {last!r}")
        time.sleep(0.02)


def alive(pid):
    """Whether the process runs (a zombie does not)."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rsplit(")", 1)[1].split()[0] not in "ZX"


class Simulator:
    """`fieldwarden simulate` with a control channel for faults."""

    def __init__(self, devices=1, *flags):
        self.process = subprocess.Popen(
            [BIN / "fieldwarden", "simulate", "--modbus", "127.0.0.1:0", "--devices", str(devices),
             "--control", "127.0.0.1:0", *flags],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        ready, _, _ = select.select([self.process.stdout], [], [], DEADLINE)
        assert ready, "the simulator did not say it is ready"
        hello = json.loads(self.process.stdout.readline())
        self.ports = hello["modbus"]
        self.rtu_tcp_ports = hello["modbus_rtu_tcp"]
        self.mc_ports = hello.get("mc", [])  # with --mc and --mc-1e among the flags
        self._control = socket.create_connection(("127.0.0.1", hello["control"]), timeout=DEADLINE)
        self._answers = self._control.makefile("r")

    def control(self, **command):
        self._control.sendall(json.dumps(command).encode() + b"\n")
        answer = json.loads(self._answers.readline())
        assert answer.get("ok"), f"simulator refused {command}: {answer}"
        return answer

    def stop(self):
        self._control.close()
        self.process.terminate()
        self.process.wait(DEADLINE)


class Supervisor:
    """`fieldwarden serve` on a data directory of its own."""

    def __init__(self, data_dir, **settings):
        self.data_dir = pathlib.Path(data_dir)
        self.program = BIN / "fieldwarden"
        self.settings = {"FIELDWARDEN_" + key.upper(): str(value) for key, value in settings.items()}
        self.process = None
        self.base = None
        self.http = requests.Session()

    def start(self):
        listen = self.data_dir / "run" / "listen"
        listen.unlink(missing_ok=True)
        self.output = open(self.data_dir / "supervisor.out", "ab")
        self.process = subprocess.Popen(
            [self.program, "serve", "--data-dir", str(self.data_dir), "--listen", "127.0.0.1:0"],
            stdin=subprocess.DEVNULL, stdout=self.output, stderr=self.output, env={**os.environ, **self.settings})
        eventually(lambda: self.process.poll() is not None or listen.exists(), "the supervisor's listen file")
        assert self.process.poll() is None, (self.data_dir / "supervisor.out").read_text()
        self.address = listen.read_text().strip()
        certificate = self.settings.get("FIELDWARDEN_SERVER_TLS_CERTIFICATE")
        self.http.verify = certificate or True
        self.http.trust_env = not certificate  # REQUESTS_CA_BUNDLE would go before `verify`
        self.base = ("https://" if certificate else "http://") + self.address
        self.token = (self.data_dir / "admin.token").read_text().strip()
        self.http.headers["Authorization"] = "Bearer " + self.token
        eventually(lambda: self.http.get(self.base + "/readyz", timeout=5).status_code == 200, "readiness")
        return self

    @property
    def pid(self):
        return self.process.pid

    def said(self):
        """Its own log lines since the first start."""
        return (self.data_dir / "supervisor.out").read_text()

    def call(self, method, path, **arguments):
        """One call of /api/v1; the answer whatever it is."""
        return self.http.request(method, f"{self.base}/api/v1{path}", timeout=60, **arguments)

    def api(self, method, path, expect=None, **arguments):
        """One call of /api/v1; asserts the status when `expect` is given and returns the JSON."""
        answer = self.call(method, path, **arguments)
        if expect is not None:
            assert answer.status_code == expect, f"{method} {path}: {answer.status_code} {answer.text[:2000]}"
        return answer.json() if "json" in answer.headers.get("Content-Type", "") else answer

    def get(self, path, **arguments):
        return self.api("GET", path, 200, **arguments)

    def import_workbook(self, path, mode="merge", apply=True):
        with open(path, "rb") as file:
            job = self.api("POST", "/import-jobs", 201, files={"file": (os.path.basename(path), file)},
                           data={"mode": mode})
        if apply:
            assert job["status"] == "validated", json.dumps(job, ensure_ascii=False, indent=1)[:4000]
            self.api("POST", f"/import-jobs/{job['id']}/apply", 200)
        return job

    def status(self, task):
        return self.get(f"/processes/{task}")

    def wait_running(self, task, deadline=DEADLINE):
        """RUNNING with good data; returns the process status."""

        def running():
            status = self.status(task)
            return status if status["status"] == "RUNNING" and status["last_data_time"] else None

        return eventually(running, f"task {task} running with data", deadline)

    def start_task(self, task):
        started = self.api("POST", f"/tasks/{task}/start", 202)
        self.wait_running(task)
        return started["session_id"]

    def history(self, session, point, **query):
        query = {"point_code": point, "limit": 100000, "order": "asc", **query}
        return self.get(f"/sessions/{session}/data-points", params=query)["items"]

    def cli(self, *arguments, check=True, **more):
        environment = {**os.environ, "FIELDWARDEN_SERVER": self.base, "FIELDWARDEN_TOKEN": self.token, "LC_ALL": "C.UTF-8"}
        done = subprocess.run([BIN / "fieldwarden", *map(str, arguments)], env=environment, text=True,
                              capture_output=True, timeout=60, stdin=subprocess.DEVNULL, **more)
        if check:
            assert done.returncode == 0, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def kill(self):
        """SIGKILL: the workers live on."""
        self.process.kill()
        self.process.wait(DEADLINE)

    def stop(self):
        """SIGTERM: the workers are stopped with it."""
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(DEADLINE)
        return self.process.returncode if self.process else None

    def end_orphans(self):
        """Ends workers a killed supervisor left, found by their environment: never by name."""
        mark = f"FIELDWARDEN_DATA_DIR={self.data_dir}".encode()
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                if mark in (entry / "environ").read_bytes().split(b"\0") and (entry / "comm").read_text().startswith("fieldwarden-w"):
                    os.kill(int(entry.name), signal.SIGKILL)
            except OSError:
                continue


class Workbook:
    """A small workbook: sites, devices, points and tasks as an engineer would type them."""

    COLUMNS = {
        "sites": ["site_code", "site_name"],
        "device_types": ["type_code", "type_name"],
        "devices": ["device_code", "device_name", "site_code", "protocol", "address", "type_code", "options"],
        "points": ["point_code", "point_name", "device_code", "address", "data_type", "byte_order", "scale", "unit",
                   "min_value", "max_value", "access"],
        "tasks": ["task_code", "task_name", "devices", "points", "period_ms", "autostart", "run_limit", "options", "group", "sinks"],
        "sinks": ["sink_code", "type", "url", "options"],
    }

    def __init__(self):
        self.rows = {sheet: [] for sheet in self.COLUMNS}
        self.add("sites", site_code="S1", site_name="Site one")
        self.add("device_types", type_code="T1", type_name="Type one")

    def add(self, sheet, **cells):
        self.rows[sheet].append([cells.get(column) for column in self.COLUMNS[sheet]])
        return self

    def device(self, code, port, **cells):
        cells = {"options": "timeout_ms=500; connect_timeout_ms=500; reconnect_min_ms=50; reconnect_max_ms=200", **cells}
        return self.add("devices", device_code=code, site_code="S1",
                        **{"device_name": code, "type_code": "T1", "address": f"127.0.0.1:{port}", "protocol": "modbus_tcp", **cells})

    def point(self, code, device, address, data_type, **cells):
        return self.add("points", point_code=code, device_code=device, address=address, data_type=data_type, **cells)

    def task(self, code, devices, period_ms=100, **cells):
        return self.add("tasks", task_code=code, task_name=code, devices=devices, period_ms=period_ms, **cells)

    def save(self, path):
        book = openpyxl.Workbook()
        book.remove(book.active)
        for sheet, columns in self.COLUMNS.items():
            page = book.create_sheet(sheet)
            page.append(columns)
            for row in self.rows[sheet]:
                page.append(row)
        book.save(path)
        return str(path)


def counter_plant(path, port, period_ms=20, task="T", **task_cells):
    """One device, one task: a counter that rises with every read (hr:0) and a float."""
    return (Workbook().device("D", port)
            .point("COUNT", "D", "hr:0", "uint32")
            .point("TEMP", "D", "hr:100", "float32")
            .task(task, "D", period_ms, **task_cells)
            .save(path))
