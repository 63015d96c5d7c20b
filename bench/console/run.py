#!/usr/bin/env python3
"""The console in Chromium: how much it loads, how soon it stands, and what an update of a thousand rows costs.

The first load has nothing in the browser's cache. An update: a thousand tasks are listed, every one of them gets another period, and
the list is asked for anew. What counts is all that the page's main thread did for it: scripts, layout and painting.
"""

import pathlib
import statistics
import sys
import tempfile
import time

sys.path[:0] = [str(pathlib.Path(__file__).parents[1]), str(pathlib.Path(__file__).parents[2] / "tests/system")]

from browser import browser_of  # noqa: E402
from figures import figure, show  # noqa: E402
from harness import Supervisor, Workbook, eventually  # noqa: E402

ROWS, LOADS, UPDATES = 1000, 5, 9


def loaded(browser):
    """Milliseconds from the start of the navigation until the page says what is running, and bytes that came over the wire."""
    browser.driver.execute_cdp_cmd("Network.clearBrowserCache", {})
    browser.open("/")
    browser.find("[data-test=running]")
    return browser.driver.execute_async_script(
        "const done = arguments[0]; requestAnimationFrame(() => done([performance.now(), "
        "performance.getEntriesByType('resource').concat(performance.getEntriesByType('navigation'))"
        ".filter(e => /\\.(js|css)$|\\/$/.test(e.name)).reduce((n, e) => n + e.encodedBodySize, 0)]))")


def spent(browser):
    """Milliseconds that the page's main thread has worked so far."""
    metrics = {m["name"]: m["value"] for m in browser.driver.execute_cdp_cmd("Performance.getMetrics", {})["metrics"]}
    return 1000 * metrics["TaskDuration"]


def updated(browser, supervisor, book, period):
    supervisor.import_workbook(book(period))
    time.sleep(1)  # the page is at rest
    before = spent(browser)
    browser.click("[data-test=refresh]")
    time.sleep(1)
    took = spent(browser) - before
    assert f"{period} ms" in browser.text("main tbody"), "the new period"
    return took


def main():
    with tempfile.TemporaryDirectory() as folder:
        data = pathlib.Path(folder, "data")
        data.mkdir(mode=0o700)
        supervisor = Supervisor(data).start()
        browser = browser_of(supervisor, pathlib.Path(folder, "chromium"))
        try:
            def book(period):
                plant = Workbook().device("D", 1502).point("P", "D", "hr:0", "uint32")
                for number in range(ROWS):
                    plant.task(f"LINE_{number:04}", "D", period)
                return plant.save(pathlib.Path(folder, "plant.xlsx"))

            supervisor.import_workbook(book(100))
            browser.sign_in(supervisor.token)
            browser.driver.execute_cdp_cmd("Network.enable", {})
            loads = [loaded(browser) for _ in range(LOADS)]
            browser.driver.execute_cdp_cmd("Performance.enable", {})
            browser.open("/tasks")
            eventually(lambda: f"{ROWS} of {ROWS}" in browser.text("main .head"), "all tasks")
            time.sleep(2)
            updates = [updated(browser, supervisor, book, 200 + number) for number in range(UPDATES)]
        finally:
            browser.driver.quit()
            supervisor.stop()
            supervisor.end_orphans()
    first = statistics.median(at for at, _ in loads)
    size = statistics.median(bytes_ for _, bytes_ in loads) / 1000
    work = statistics.median(updates)
    show("console",
         figure("Console: scripts and styles of the first page, as sent", size, "kB", target="all pages under 600", met=size < 600),
         figure("Console: first load, empty cache, until the overview stands", first, "ms", target="under 1,500", met=first < 1500,
                raw=[at for at, _ in loads]),
         figure(f"Console: {ROWS} rows brought up to date, scripts and all else", work, "ms", target="scripts under 50", met=work < 50,
                raw=updates))


if __name__ == "__main__":
    main()
