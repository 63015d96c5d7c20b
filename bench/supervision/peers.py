"""Other supervisors over the same stub program, each in a directory of its own and stopped by the pid it was started with.

They keep one second between the starts of a program, so every round lets it run a little longer than that first.
"""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

from arrivals import RECORD, STUB, Arrivals, eventually

SETTLED = 1.3


def descendants(pid):
    parents = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except OSError:
                pass
    found, grown = {pid}, True
    while grown:
        grown = {child for child, parent in parents.items() if parent in found} - found
        found |= grown
    return found - {pid}


class Peer:
    name = "?"
    program = "?"

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="fw-bench-")
        self.arrivals = Arrivals(self.folder)
        self.process = None

    @classmethod
    def installed(cls):
        return shutil.which(cls.program) is not None

    def command(self, count):
        raise NotImplementedError

    def environment(self):
        return {**os.environ, **self.arrivals.environment()}

    def start(self, count):
        self.process = subprocess.Popen(self.command(count), cwd=self.folder, env=self.environment(), stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        eventually(lambda: self.arrivals.path.stat().st_size >= count * RECORD.size, f"{self.name}: {count} programs", 180)
        time.sleep(SETTLED)
        return list(self.arrivals.read())

    def own_pids(self):
        """The supervisor's own processes, without what it supervises."""
        workers = set(self.arrivals.read())
        return {self.process.pid, *descendants(self.process.pid)} - workers

    def stop(self):
        left = descendants(self.process.pid)
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)
        for pid in sorted(left, reverse=True):  # what it left behind
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        shutil.rmtree(self.folder, ignore_errors=True)

    def service_folders(self, count):
        services = pathlib.Path(self.folder, "services")
        for index in range(count):
            service = services / f"s{index:04d}"
            service.mkdir(parents=True)
            (service / "run").symlink_to(STUB)
        return services


class Runit(Peer):
    name, program = "runit", "runsvdir"

    def command(self, count):
        return ["runsvdir", self.service_folders(count)]


class S6(Peer):
    name, program = "s6", "s6-svscan"

    def command(self, count):
        return ["s6-svscan", "-c", str(2 * count + 10), self.service_folders(count)]


class Supervisord(Peer):
    name, program = "supervisord", "supervisord"

    def command(self, count):
        file = pathlib.Path(self.folder, "supervisord.conf")
        file.write_text(f"""[supervisord]
nodaemon=true
logfile=/dev/null
logfile_maxbytes=0
pidfile={self.folder}/pid
minfds=10000
[program:stub]
command={STUB}
numprocs={count}
process_name=%(process_num)04d
autorestart=true
startsecs=1
stdout_logfile=NONE
stderr_logfile=NONE
""")
        return ["supervisord", "-c", file]


class Pm2(Peer):
    name, program = "PM2", "pm2"
    folder_of_package = None

    @classmethod
    def installed(cls):
        if shutil.which("pm2"):
            return True
        if not shutil.which("npm"):
            return False
        if cls.folder_of_package is None:
            cls.folder_of_package = tempfile.mkdtemp(prefix="fw-bench-pm2-")
            try:
                subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--silent", "--prefix", cls.folder_of_package, "pm2"],
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=180, check=True)
            except (subprocess.SubprocessError, OSError):
                return False
        return cls.executable().exists()

    @classmethod
    def executable(cls):
        return pathlib.Path(shutil.which("pm2") or pathlib.Path(cls.folder_of_package or "/nonexistent", "node_modules/.bin/pm2"))

    def environment(self):
        return {**super().environment(), "PM2_HOME": str(pathlib.Path(self.folder, "home"))}

    def command(self, count):
        file = pathlib.Path(self.folder, "stub.json")
        file.write_text(json.dumps({"apps": [{"name": f"s{index:04d}", "script": str(STUB), "interpreter": "none", "cwd": self.folder,
                                              "out_file": "/dev/null", "error_file": "/dev/null"} for index in range(count)]}))
        return [self.executable(), "start", file]

    def daemon(self):
        return int(pathlib.Path(self.folder, "home", "pm2.pid").read_text())

    def own_pids(self):
        daemon = self.daemon()
        return {daemon, *descendants(daemon)} - set(self.arrivals.read())

    def stop(self):
        try:
            self.process.wait(60)
            daemon = self.daemon()
            left = descendants(daemon)
            for pid in (daemon, *left):
                try:
                    os.kill(pid, signal.SIGKILL)
                except OSError:
                    pass
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    @classmethod
    def clean(cls):
        if cls.folder_of_package:
            shutil.rmtree(cls.folder_of_package, ignore_errors=True)


PEERS = [Runit, S6, Supervisord, Pm2]
