"""What the console shows of others' doing: a worker that is killed, an account that may only look, names that are no markup, and how
much a browser has to load. In a browser against the real program."""

import gzip
import os
import re

import requests

from browser import By
from harness import Workbook, eventually
from test_statistics import plant_book

PASSWORD = "a plant's long password"
MOST_GZIP_BYTES = 600_000


def test_a_killed_worker_is_seen_on_the_open_timeline(supervisor, browser, simulator, tmp_path):
    supervisor.import_workbook(plant_book(simulator.ports[0]).save(tmp_path / "plant.xlsx"))
    supervisor.start_task("T")
    supervisor.wait_running("T")
    browser.sign_in(supervisor.token)
    browser.open("/tasks/T")
    browser.press("Timeline")
    eventually(lambda: "start requested" in browser.text("#pane-timeline ol"), "the start")
    browser.driver.execute_script("window.neverReloaded = true")
    os.kill(supervisor.status("T")["pid"], 9)
    eventually(lambda: re.search(r"retry[\s\S]*killed by signal 9[\s\S]*restart 1 of", browser.text("#pane-timeline ol")),
               "the restart on the open timeline")
    supervisor.wait_running("T")

    browser.press("Pause")
    eventually(lambda: "paused" in browser.text("main .head"), "the pause")
    browser.press("Resume")
    eventually(lambda: "running" in browser.text("main .head"), "the task at work again")
    browser.press("Stop")
    eventually(lambda: "stopped" in browser.text("main .head"), "the stop")
    assert browser.driver.execute_script("return window.neverReloaded === true")
    assert browser.complaints() == []


def test_what_a_viewer_may(supervisor, browser, simulator, tmp_path):
    supervisor.import_workbook(plant_book(simulator.ports[0]).save(tmp_path / "plant.xlsx"))
    supervisor.start_task("T")
    supervisor.api("POST", "/users", 201, json={"username": "wang", "password": PASSWORD, "role": "viewer", "must_change_password": False})
    browser.open("/")
    browser.fill("username", "wang")
    browser.fill("password", PASSWORD)
    browser.click("[data-test=sign-in]")
    browser.find("nav.side")
    assert not {"Audit"} & set(browser.text("nav.side").split("\n"))

    def buttons():
        return {b.text for b in browser.driver.find_elements(By.CSS_SELECTOR, "main button") if b.is_displayed() and b.text}

    for path, shows in {"/tasks": "T", "/tasks/T": "W1", "/devices/W1": "W1", "/alerts": "Alerts", "/import": "Import",
                        "/config/devices": "W1", "/config/tasks": "T", "/dead-letters": "Dead letters"}.items():
        browser.open(path)
        browser.settle()
        eventually(lambda: shows in browser.text("main"), f"{path}")
        offered = buttons() & {"Start", "Stop", "Pause", "Resume", "Restart", "Write", "Acknowledge", "Apply", "Choose a file", "Edit",
                               "Remove", "New rule", "New silence", "Retry", "Clear"}
        assert not offered and not [b for b in buttons() if b.startswith("Add")], (path, offered)
    assert browser.complaints() == []


def test_a_name_is_text_whatever_it_looks_like(supervisor, browser, simulator, tmp_path):
    evil = '<img src=x onerror="window.ran=1">'
    book = Workbook().device("D", simulator.ports[0], device_name=evil).point("P", "D", "hr:0", "uint32", point_name=evil)
    supervisor.import_workbook(book.task("T", "D").save(tmp_path / "plant.xlsx"))
    supervisor.start_task("T")
    supervisor.wait_running("T")
    browser.sign_in(supervisor.token)
    for path in ("/devices", "/devices/D", "/tasks/T", "/config/points"):
        browser.open(path)
        eventually(lambda: evil in browser.text("main"), f"the name on {path}")
        browser.settle()
        assert browser.driver.execute_script("return [window.ran ?? null, document.querySelectorAll('img[src=x]').length]") == [None, 0], path
    assert browser.complaints() == []


def test_a_browser_loads_little(supervisor):
    page = requests.get(supervisor.base + "/", timeout=5).text
    seen, waiting, size = set(), set(re.findall(r'(?:src|href)="(/assets/[^"]+)"', page)), len(gzip.compress(page.encode()))
    # Scripts name the parts that they load when a page needs them.
    while waiting:
        path = waiting.pop()
        seen.add(path)
        content = requests.get(supervisor.base + path, timeout=5).content
        size += len(gzip.compress(content))
        waiting |= {"/assets/" + name for name in re.findall(r'["/]([\w.-]+-[\w-]{8}\.(?:js|css))["\']', content.decode(errors="replace"))} - seen
    assert len(seen) > 5, seen
    assert size < MOST_GZIP_BYTES, f"{size} bytes in {len(seen)} files"
    print(f"{size / 1000:.0f} kB gzip in {len(seen)} files, all pages")
