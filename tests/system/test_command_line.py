"""The command line as a person meets it: completion, the manual page, and tables on a terminal of 80 columns."""

import fcntl
import os
import pathlib
import pty
import re
import select
import shutil
import socket
import struct
import subprocess
import termios
import time
import unicodedata

import pytest
from harness import BIN, DEADLINE, Supervisor, Workbook, eventually

DEPLOY = pathlib.Path(__file__).resolve().parents[2] / "deploy"
BASH = DEPLOY / "completion" / "fieldwarden.bash"
ZSH = DEPLOY / "completion" / "_fieldwarden"
MANUAL = DEPLOY / "fieldwarden.1"
CONNECTION = {"--help", "--json", "--server", "--ca-file", "--token", "--data-dir"}
TASKS = ["WELDING_SHOP_LINE_1_ROBOT_CURRENTS_AND_VOLTAGES_OF_ALL_CELLS_001", "PRESS.HYDRAULICS-2", "PAINT"]
GROUP = "焊接 一号线"


def said(*arguments):
    done = subprocess.run([BIN / "fieldwarden", *arguments], capture_output=True, text=True, check=True,
                          env={**os.environ, "COLUMNS": "200"})
    return done.stdout


def verbs_of(text):
    return re.findall(r"^  ([a-z][a-z-]*)  ", text, re.M)


@pytest.fixture(scope="module")
def verbs():
    """{verb: {inner verb or "": the options worth offering with it}} as `fieldwarden help` has it."""
    found = {}
    for verb in verbs_of(said("help")):
        text = said("help", verb) if verb != "help" else ""
        inner = text.partition("\nSubcommands:\n")[2].partition("\n\n")[0]
        found[verb] = {"": options_of(text)}
        for name in verbs_of(inner + "\n"):
            # Inner verbs take the outer one's options as well; here only dead-letters' mean something to them.
            outer = found[verb][""] if verb == "dead-letters" else CONNECTION
            found[verb][name] = options_of(said("help", verb, name)) | outer
    assert len(found) > 25 and found["user"].keys() == {"", "add", "list", "passwd", "disable", "remove"}
    return found


def options_of(help_text):
    """The long options that a help page documents (not those that its texts mention)."""
    return set(re.findall(r"^ +(?:-\w,)?(--[a-z][a-z0-9-]*)", help_text.partition("\nExamples:")[0], re.M))


def complete(line, *, break_at=" \t\n\"'><=;|&(:", **environment):
    """What bash offers for `line`, whose last word is being typed; words break as in an interactive bash."""
    words = []
    for piece in line.split(" "):
        words += [part for part in re.split(f"([{re.escape(break_at)}])", piece) if part] or [""]
    script = ('source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _fieldwarden; '
              'printf "%s\\n" "${COMPREPLY[@]}"')
    words[0] = str(BIN / "fieldwarden")
    done = subprocess.run(["bash", "--norc", "-c", script, "bash", str(BASH), *words], capture_output=True, text=True,
                          env={**os.environ, "LC_ALL": "C.UTF-8", **environment}, timeout=DEADLINE)
    assert done.returncode == 0 and not done.stderr, done.stderr
    return {offered for offered in done.stdout.splitlines() if offered}


def test_bash_offers_every_verb_and_option_and_no_other(verbs):
    nobody = {"FIELDWARDEN_SERVER": "127.0.0.1:1"}
    assert complete("fieldwarden ") == verbs.keys() | {"--help", "--version"}
    assert complete("fieldwarden help ") == verbs.keys()
    assert complete("fieldwarden st") == {"start", "stop", "status"}
    for verb, inners in verbs.items():
        if verb == "help":
            continue
        for inner, options in inners.items():
            asked = f"fieldwarden {verb} {inner} --" if inner else f"fieldwarden {verb} --"
            assert complete(asked, **nobody) == options, asked
        if len(inners) > 1:
            assert complete(f"fieldwarden {verb} ", **nobody) == inners.keys() - {""}, verb


def test_bash_offers_values(tmp_path):
    (tmp_path / "my plant.xlsx").touch()
    assert complete("fieldwarden logs T --level ") == {"debug", "info", "warning", "error", "critical"}
    assert complete("fieldwarden logs T --level=wa") == {"warning"}
    assert complete("fieldwarden user add chen --role o") == {"operator"}
    assert complete("fieldwarden codes ") == {"tasks", "groups", "devices", "points", "sinks", "users"}
    assert complete(f"fieldwarden import {tmp_path}/my") == {f"{tmp_path}/my plant.xlsx"}
    assert complete("fieldwarden timeline ") == set()


def test_bash_offers_codes_of_the_supervisor(supervisor, simulator, tmp_path):
    book = Workbook()
    book.device("WELD_01", simulator.ports[0]).device("WELD_02", simulator.ports[0], options="unit_id=2")
    book.point("AMPS", "WELD_01", "hr:0", "uint32").point("VOLTS", "WELD_02", "hr:2", "uint32")
    for task in TASKS:
        book.task(task, "WELD_01, WELD_02", 1000)
    book.task("GROUPED", "WELD_01", 1000, group=GROUP)
    book.task("HOSTILE", "WELD_01", 1000, group=f"$(touch {tmp_path}/run)`touch {tmp_path}/run`")
    supervisor.import_workbook(book.save(tmp_path / "plant.xlsx"))
    here = {"FIELDWARDEN_SERVER": supervisor.base, "FIELDWARDEN_TOKEN": supervisor.token}
    assert complete("fieldwarden status ", **here) == {*TASKS, "GROUPED", "HOSTILE"}
    assert complete("fieldwarden restart PAINT P", **here) == {"PAINT", "PRESS.HYDRAULICS-2"}
    assert complete("fieldwarden points PAINT ", **here) == set(), "one task, not two"
    assert complete("fieldwarden diagnostics ", **here) == {"WELD_01", "WELD_02"}
    assert complete("fieldwarden write V", **here) == {"VOLTS"}
    assert complete("fieldwarden alerts --task PA", **here) == {"PAINT"}
    assert complete("fieldwarden user disable ", **here) == {"admin"}
    # Quoted as the shell needs it, and never run.
    assert complete("fieldwarden start --group 焊", **here) == {GROUP.replace(" ", "\\ ")}
    assert len(complete("fieldwarden start --group ", **here)) == 2 and not (tmp_path / "run").exists()
    # The connection typed on the line is the one that is asked.
    typed = f"--server {supervisor.base} --token {supervisor.token}"
    nobody = {"FIELDWARDEN_SERVER": "127.0.0.1:1", "FIELDWARDEN_TOKEN": "no"}
    assert complete(f"fieldwarden status {typed} PA", **nobody) == {"PAINT"}
    assert complete(f"fieldwarden status --server={supervisor.base} --token={supervisor.token} PA", **nobody) == {"PAINT"}
    assert complete("fieldwarden status ", **nobody) == set()


def test_bash_does_not_wait_for_a_supervisor_that_is_stuck():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = "127.0.0.1:%d" % silent.getsockname()[1]
        assert complete("fieldwarden status ", FIELDWARDEN_SERVER=address, FIELDWARDEN_TOKEN="t") == set()


def test_bash_reads_its_completion():
    subprocess.run(["bash", "-n", BASH], check=True)


def test_zsh_offers_every_verb_and_option_and_no_other(verbs):
    text = ZSH.read_text()
    listed = re.findall(r"^    '([a-z-]+):", text.partition("verbs=(")[2].partition("\n  )")[0], re.M)
    assert set(listed) == verbs.keys() and len(listed) == len(verbs)
    inner = {verb: set(inners) - {""} for verb, inners in verbs.items() if len(inners) > 1}
    described = text.partition("local -a inners")[2].partition("esac")[0]
    for verb, names in inner.items():
        block = re.search(rf"^    {verb}\)(.*?);;", described, re.M | re.S)[1]
        assert set(re.findall(r"'([a-z]+):", block)) == names, verb
    known = set().union(*(options for inners in verbs.values() for options in inners.values()))
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", text)) - {"--version"} == known
    # Each verb's own options, in its branch of the last `case`.
    branches = text.rpartition("case \"$verb $inner\" in")[2]
    variables = {"$connection": CONNECTION, "$limit": {"--limit"}}
    checked = set()
    for labels, body in re.findall(r"^    ('[^)]*'\*?)\)(.*?);;", branches, re.M | re.S):
        offered = set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*(?=[\[=}])", body))
        for variable, options in variables.items():
            offered |= options if variable in body else set()
        for verb, name, any_inner in re.findall(r"'([a-z-]+) ([a-z]*)'(\*?)", labels):
            for one in verbs[verb] if any_inner else [name]:
                assert offered == verbs[verb][one], (verb, one)
                checked.add((verb, one))
    assert checked == {(verb, one) for verb, inners in verbs.items() for one in inners if verb != "help"}


@pytest.mark.skipif(not shutil.which("zsh"), reason="zsh is not installed")
def test_zsh_reads_its_completion():
    subprocess.run(["zsh", "-fn", ZSH], check=True)


def test_the_manual_has_every_verb_and_option_and_no_other(verbs):
    text = MANUAL.read_text()
    told = {}
    for verb, rest in re.findall(r"^\.(?:It )?Cm ([a-z-]+)(.*)$", text, re.M):
        told.setdefault(verb, set()).update(rest.split())
    assert told.keys() == verbs.keys()
    for verb, inners in verbs.items():
        assert inners.keys() - {""} <= told[verb], verb
    options = {"--" + name for name in re.findall(r"\bFl -([a-z][a-z0-9-]*)", text)}
    known = set().union(*(options for inners in verbs.values() for options in inners.values()))
    assert options - {"--version"} == known


@pytest.mark.skipif(not shutil.which("groff"), reason="groff is not installed")
def test_the_manual_is_set_without_a_warning():
    done = subprocess.run(["groff", "-ww", "-mandoc", "-Tutf8", "-z", MANUAL], capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr, done.stderr


def on_terminal(supervisor, *arguments, columns=80, keys=b""):
    """What the program writes to a terminal of that width, until it ends."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR")}
    environment.update(FIELDWARDEN_SERVER=supervisor.base, FIELDWARDEN_TOKEN=supervisor.token, LC_ALL="C.UTF-8", TERM="xterm")
    process = subprocess.Popen([BIN / "fieldwarden", *arguments], stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    written, end = b"", time.monotonic() + DEADLINE
    try:
        while True:
            ready, _, _ = select.select([ours], [], [], max(0, end - time.monotonic()))
            assert ready, f"{arguments} does not end: {written!r}"
            try:
                piece = os.read(ours, 65536)
            except OSError:  # the terminal's other side is closed
                break
            written += piece
            if keys and b"q quit" in written:
                os.write(ours, keys)
                keys = b""
        assert process.wait(DEADLINE) == 0, written.decode()
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    return written.decode()


def lines_of(text):
    """The lines as they are seen: without colours, a new one wherever the cursor is moved to."""
    text = re.sub(r"\x1b\[\d+;\d+H|\x1b\[H", "\n", text)
    return re.sub(r"\x1b\[[?\d;]*[A-Za-z]", "", text).replace("\r", "").split("\n")


def width_of(line):
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line)


@pytest.fixture
def quick_supervisor(tmp_path):
    """One that alerts of a device that is away within a second."""
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    running = Supervisor(data, health_interval="1s", health_connection_timeout="1s", health_data_timeout="1s").start()
    yield running
    running.stop()
    running.end_orphans()


def test_everything_fits_80_columns(quick_supervisor, simulator, tmp_path):
    supervisor = quick_supervisor
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nowhere = closed.getsockname()[1]
    book = Workbook()
    book.device("WELDING_ROBOT_CONTROLLER_OF_CELL_0001", simulator.ports[0])
    book.device("PRESS_HYDRAULICS_CONTROLLER_OF_HALL_02", nowhere)
    book.point("WELDING_CURRENT_OF_ROBOT_CONTROLLER_OF_CELL_0001_PHASE_1", "WELDING_ROBOT_CONTROLLER_OF_CELL_0001", "hr:0", "uint32",
               point_name="焊接车间一号生产线一号焊接机器人控制器第一相焊接电流瞬时值", unit="千安培/毫米")
    book.point("PRESSURE", "PRESS_HYDRAULICS_CONTROLLER_OF_HALL_02", "hr:2", "float32", point_name="液压站主缸压力")
    book.task(TASKS[0], "WELDING_ROBOT_CONTROLLER_OF_CELL_0001, PRESS_HYDRAULICS_CONTROLLER_OF_HALL_02", 100)
    book.task(TASKS[1], "PRESS_HYDRAULICS_CONTROLLER_OF_HALL_02", 100)
    supervisor.import_workbook(book.save(tmp_path / "plant.xlsx"))
    supervisor.start_task(TASKS[0])
    supervisor.api("POST", f"/tasks/{TASKS[1]}/start", 202)
    eventually(lambda: supervisor.status(TASKS[1])["last_error"], "the error of a device that is away")
    eventually(lambda: supervisor.get("/alerts")["items"], "an alert")

    shown = {}
    for arguments in (["status"], ["status", TASKS[0]], ["top"], ["points", TASKS[0]], ["health"], ["sessions"], ["alerts"],
                      ["dead-letters"], ["restart", TASKS[1]]):
        lines = lines_of(on_terminal(supervisor, *arguments, keys=b"q"))
        shown[TASKS[0] if arguments == ["status", TASKS[0]] else arguments[0]] = lines
        for line in lines:
            assert width_of(line) <= 80, f"{' '.join(arguments)}: {width_of(line)} columns\n" + "\n".join(lines)
    text = {verb: "\n".join(lines) for verb, lines in shown.items()}
    # What matters most is still there, and what was cut says so.
    wide = "\n".join(lines_of(on_terminal(supervisor, "status", columns=250)))
    assert "PID" in wide and TASKS[0] in wide and "CPU %" in wide
    status = "\n".join(lines_of(on_terminal(supervisor, "status")))
    assert re.search(rf"^{TASKS[0][:15]}\S*…\s+RUNNING ", status, re.M) and "PID" not in status, status
    one = re.sub(r"\s+", " ", text[TASKS[0]])
    assert "connection refused; check that the device serves modbus on this port" in one, "the whole error, over several lines"
    assert "LAST ERROR" in status and "POINTS/S" in status and TASKS[1][:15] in status
    assert "2 processes" in text["health"] and re.search(r"^WELDING_CURRENT\S*…\s+\d+", text["points"], re.M), text["points"]
    assert re.search(r"RUNNING|of 2 tasks", text["top"]), text["top"]

    # In a pipe everything is written out, unless the width is exported.
    assert TASKS[0] in supervisor.cli("status").stdout and "PID" in supervisor.cli("status").stdout
    for line in said_with_columns(supervisor, "status", "80").splitlines():
        assert width_of(line) <= 80, line
    for nonsense in ("", "0", "-3", "80x", "99999999999999999999"):
        assert TASKS[0] in said_with_columns(supervisor, "status", nonsense)


def said_with_columns(supervisor, verb, columns):
    done = subprocess.run([BIN / "fieldwarden", verb], capture_output=True, text=True, check=True, timeout=DEADLINE,
                          env={**os.environ, "FIELDWARDEN_SERVER": supervisor.base, "FIELDWARDEN_TOKEN": supervisor.token,
                               "LC_ALL": "C.UTF-8", "COLUMNS": columns})
    return done.stdout
