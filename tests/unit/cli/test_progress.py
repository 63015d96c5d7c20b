"""How far an upload is, on a terminal and off it."""

import os
import pty
import re
import select
import subprocess
import threading
import time

import pytest
from test_cli import CLI, DEADLINE, environment, run, server  # noqa: F401

BYTES = 32 << 20  # far more than the sockets hold


@pytest.fixture
def slow(server, tmp_path):  # noqa: F811
    """Takes half of an upload and the rest, and answers it, only as `half` and `rest` say."""
    server.half, server.rest = threading.Event(), threading.Event()

    def read_body(file, length):
        if length < BYTES:
            return file.read(length)
        body = file.read(length // 2)
        server.half.wait(DEADLINE)
        body += file.read(length - len(body))
        server.rest.wait(DEADLINE)
        return body

    server.read_body = read_body
    server.answers["POST", "/api/v1/import-jobs"] = (201, {"id": 5, "status": "invalid", "errors": [], "warnings": []})
    server.workbook = tmp_path / ("a\x1b[31m" + "very_" * 30 + "long_name.xlsx")
    server.workbook.write_bytes(bytes(BYTES))
    yield server
    server.half.set()
    server.rest.set()


def test_an_upload_tells_bytes_and_percent_and_then_that_it_is_checked(slow):
    ours, theirs = pty.openpty()
    client = subprocess.Popen([CLI, "import", str(slow.workbook)], env=environment(slow), stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=theirs)
    os.close(theirs)
    seen = b""

    def until(pattern):
        nonlocal seen
        deadline = time.monotonic() + DEADLINE
        while not (found := re.search(pattern, seen)):
            ready, _, _ = select.select([ours], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"{pattern} did not appear in {seen[-300:]}"
            seen += os.read(ours, 65536)
        return found

    try:
        percent, sent, size = until(rb"uploading a[^\r]*\] +(\d+) % ([\d.]+) of ([\d.]+) MB").groups()
        assert 40 <= int(percent) < 100
        assert abs(float(sent) / float(size) * 100 - int(percent)) < 2
        assert abs(float(size) - BYTES / 1e6) < 0.1
        assert b"checking" not in seen
        slow.half.set()
        until(rb"checking a[^\r]*\] \d+ s")
        slow.rest.set()
        assert client.wait(DEADLINE) == 1
        while True:
            try:
                more = os.read(ours, 65536)
            except OSError:  # a terminal nobody has any more
                break
            if not more:
                break
            seen += more
    finally:
        client.kill()
        client.wait()
        os.close(ours)
    assert seen.endswith(b"\r\x1b[K"), "the line is gone at the end"
    lines = [line.removeprefix(b"\x1b[K") for line in seen.split(b"\r") if line]
    assert all(len(line.decode()) < 80 for line in lines), "a line that wraps stays"
    assert b"\x1b[31m" not in seen, "a file's name drives no terminal"


def test_off_a_terminal_nothing_is_drawn(slow):
    # Longer than the patience after which a terminal would be told.
    timer = threading.Timer(1.5, lambda: (slow.half.set(), slow.rest.set()))
    timer.start()
    answer = run("import", str(slow.workbook), server=slow)
    timer.join()
    assert answer.returncode == 1 and answer.stderr == ""
