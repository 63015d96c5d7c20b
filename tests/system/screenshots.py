#!/usr/bin/env python3
"""Makes the pictures of deploy/screenshots anew: the console over the sample plant, on simulated devices.

Usage: FIELDWARDEN_BIN=build/release/bin tests/system/screenshots.py [FOLDER]
"""

import os
import pathlib
import re
import sys
import tempfile
import time

import openpyxl

from browser import By, browser_of
from harness import Simulator, Supervisor, eventually

ROOT = pathlib.Path(__file__).parents[2]
SAMPLE = ROOT / "deploy/sample/plant.xlsx"
HISTORY_SECONDS = 45  # so that charts and rates have something to show


def sample_on(ports, path, spoil=False):
    """The sample plant on the simulator's ports; with `spoil` with the mistakes people make."""
    book = openpyxl.load_workbook(SAMPLE)
    for page in book:
        for row in page.iter_rows():
            for cell in row:
                if found := re.fullmatch(r"127\.0\.0\.1:(150\d\d)", str(cell.value)):
                    cell.value = f"127.0.0.1:{ports[int(found[1]) - 15020]}"
    if spoil:
        points = next(page for page in book if page.title.startswith("points"))
        column = {str(cell.value).split("\n")[0].strip(" *").split()[0]: cell.column for cell in points[1]}
        points.cell(5, column["address"]).value = "hr:70000"
        points.cell(9, column["data_type"]).value = "flaot32"
        points.cell(14, column["device_code"]).value = "WELD_99"
    book.save(path)
    return path


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "deploy/screenshots").resolve()
    os.environ["FIELDWARDEN_SCREENSHOTS"] = str(folder)
    simulator = Simulator(devices=13)
    with tempfile.TemporaryDirectory() as temporary:
        data = pathlib.Path(temporary, "data")
        data.mkdir(mode=0o700)
        supervisor = Supervisor(data).start()
        browser = browser_of(supervisor, pathlib.Path(temporary, "chromium"))
        try:
            supervisor.import_workbook(sample_on(simulator.ports, pathlib.Path(temporary, "plant.xlsx")))
            supervisor.api("POST", "/tasks/actions", json={"action": "start", "all": True})
            supervisor.wait_running("WELD_LINE_1", 60)
            browser.sign_in(supervisor.token)
            browser.open("/tasks/WELD_LINE_1")
            browser.find("main canvas")
            time.sleep(HISTORY_SECONDS)
            os.kill(supervisor.status("WELD_LINE_1")["pid"], 9)
            eventually(lambda: supervisor.status("WELD_LINE_1")["restart_count"] == 1, "the restart")
            supervisor.wait_running("WELD_LINE_1", 60)
            time.sleep(5)
            browser.picture("task")
            browser.press("Timeline")
            time.sleep(1)
            browser.picture("timeline")

            def page(path, name, language="en", theme="light"):
                browser.set_look(language, theme)
                browser.open(path)
                browser.settle()
                time.sleep(3)  # live values and their charts
                browser.picture(name)

            page("/", "overview")
            page("/", "overview-dark-zh", "zh", "dark")
            page("/tasks", "tasks")
            page("/devices", "devices")
            browser.open("/import")
            browser.find("main h1")
            spoiled = sample_on(simulator.ports, pathlib.Path(temporary, "plant.xlsx"), spoil=True)
            browser.driver.find_element(By.CSS_SELECTOR, "[data-test=file]").send_keys(str(spoiled))
            browser.find("main .sheet mark", 60)
            browser.driver.execute_script("document.querySelector('main .sheet').closest('section').scrollIntoView()")
            time.sleep(1)
            browser.picture("import-problems")
        finally:
            browser.driver.quit()
            supervisor.stop()
            supervisor.end_orphans()
            simulator.stop()
    for picture in sorted(folder.glob("*.png")):
        print(f"{picture.name}: {picture.stat().st_size // 1024} kB")


if __name__ == "__main__":
    main()
