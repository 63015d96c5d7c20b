"""The web console in a browser (Chromium, from Debian) against the real program.

Every page is opened in both languages and both themes; the browser's own log must stay empty (script errors, requests that
failed, violations of the content security policy), and axe-core finds no serious fault of accessibility.
"""

import pathlib
import re

import pytest
import requests

from browser import AXE, By
from harness import eventually

SAMPLE = pathlib.Path(__file__).parents[2] / "deploy" / "sample" / "plant.xlsx"
PAGES = ["/", "/tasks", "/tasks/WELD_LINE_1", "/devices", "/alerts", "/health", "/logs", "/dead-letters", "/import", "/config/devices",
         "/config/points", "/config/tasks", "/config/sinks", "/audit", "/system", "/nowhere"]


@pytest.fixture
def plant(supervisor, tmp_path):
    """The sample plant on ports of its own."""
    import openpyxl

    from harness import Simulator

    simulator = Simulator(devices=13)
    book = openpyxl.load_workbook(SAMPLE)
    for page in book:
        for row in page.iter_rows():
            for cell in row:
                found = re.fullmatch(r"127\.0\.0\.1:(150\d\d)", str(cell.value))
                if found:
                    cell.value = f"127.0.0.1:{simulator.ports[int(found[1]) - 15020]}"
    path = tmp_path / "plant.xlsx"
    book.save(path)
    yield path
    simulator.stop()


def test_files_are_served_with_policy_and_caching(supervisor):
    page = requests.get(supervisor.base + "/tasks/ANY.CODE", timeout=5)
    if 'id="app"' not in page.text:
        pytest.skip("this build has no console")
    assert page.status_code == 200 and page.headers["Content-Type"].startswith("text/html")
    assert page.headers["Content-Security-Policy"].startswith("default-src 'self'")
    assert "unsafe" not in page.headers["Content-Security-Policy"]
    assert page.headers["Content-Encoding"] == "gzip"
    plain = requests.get(supervisor.base + "/", headers={"Accept-Encoding": "identity"}, timeout=5)
    assert "Content-Encoding" not in plain.headers and plain.text == page.text
    refused = requests.get(supervisor.base + "/", headers={"Accept-Encoding": "gzip;q=0"}, timeout=5)
    assert "Content-Encoding" not in refused.headers
    again = requests.get(supervisor.base + "/", headers={"If-None-Match": page.headers["ETag"]}, timeout=5)
    assert again.status_code == 304 and not again.content
    script = re.search(r'src="(/assets/[^"]+\.js)"', page.text)[1]
    asset = requests.get(supervisor.base + script, timeout=5)
    assert asset.headers["Content-Type"].startswith("text/javascript") and "immutable" in asset.headers["Cache-Control"]
    # What belongs to others stays theirs, and a file that is not there is no page.
    for path in ["/api/v1/nothing", "/api/nothing", "/ws/nothing", "/assets/nothing.js", "/nothing.txt"]:
        answer = requests.get(supervisor.base + path, timeout=5)
        assert answer.status_code == 404 and "problem+json" in answer.headers["Content-Type"], path
    assert requests.post(supervisor.base + "/tasks", timeout=5).status_code == 404
    assert requests.head(supervisor.base + "/tasks", timeout=5).status_code == 200


def test_from_sign_in_to_live_values(supervisor, browser, plant):
    # A deep link asks for sign-in and comes back.
    browser.open("/system")
    browser.find("[data-test=sign-in]")
    browser.picture("sign-in")
    assert "Sign in" in browser.text()
    browser.sign_in(supervisor.token)
    browser.open("/")
    eventually(lambda: "Nothing is configured yet" in browser.text("main"), "the empty state")
    browser.picture("overview-empty")

    browser.open("/import")
    browser.find("main h1")
    browser.driver.find_element(By.CSS_SELECTOR, "[data-test=file]").send_keys(str(plant))
    browser.find("[data-test=apply]", 60)
    browser.picture("import-diff")
    browser.click("[data-test=apply]")
    browser.find("[data-test=start-new]", 60)
    browser.picture("import-applied")
    browser.click("[data-test=start-new]")
    eventually(lambda: "tasks are starting" in browser.text(), "the word that the new tasks start")
    supervisor.wait_running("WELD_LINE_1", 60)

    browser.open("/")
    eventually(lambda: re.match(r"[1-9]", browser.text("[data-test=running]")), "running tasks in the overview")
    eventually(lambda: re.match(r"[1-9]", browser.text("[data-test=rate]")), "a rate in the overview")
    eventually(lambda: browser.text(".link").strip() == "live", "the live connection")
    eventually(lambda: re.match(r"\d", browser.text("[data-test=pending]")), "the backlog in the overview")

    browser.open("/tasks/WELD_LINE_1")
    first = eventually(lambda: re.match(r"[1-9][\d,]*", browser.text("[data-test=points-read]")), "points read")[0]
    eventually(lambda: not browser.text("[data-test=points-read]").startswith(first), "points read that rise by themselves")
    eventually(lambda: "good" in browser.text("[data-test=values]"), "live values")
    assert browser.complaints() == []

    browser.click("[data-test=do-pause]")
    browser.find("[data-test=do-resume]")
    browser.click("[data-test=do-resume]")
    browser.find("[data-test=do-pause]")

    # Every page, in both languages and themes.
    faults = {}
    for language, theme in [("en", "light"), ("zh", "dark"), ("en", "dark"), ("zh", "light")]:
        browser.set_look(language, theme)
        for path in PAGES:
            browser.open(path)
            browser.settle()
            name = path.strip("/").replace("/", "-") or "overview"
            browser.picture(f"{name}-{language}-{theme}")
            assert ("总览" in browser.text("nav.side")) == (language == "zh"), path
            if AXE.exists():
                found = browser.faults_of_access()
                if found:
                    faults[f"{path} {language} {theme}"] = found
            seen = browser.complaints()
            if seen:
                faults[f"{path} {language} {theme} log"] = seen
    assert faults == {}, "\n".join(f"{where}: {what}" for where, lines in faults.items() for what in lines)


def test_a_wrong_token_is_explained(supervisor, browser):
    browser.open("/sign-in")
    browser.click("[data-test=by-token]")
    browser.find("#token").send_keys("nonsense")
    browser.click("[data-test=sign-in]")
    assert browser.find("[role=alert]").text


def test_the_connection_comes_back(supervisor, browser):
    browser.sign_in(supervisor.token)
    eventually(lambda: browser.text(".link").strip() == "live", "the live connection")
    address = supervisor.base.removeprefix("http://")
    supervisor.stop()
    eventually(lambda: "no live updates" in browser.text(".link"), "the lost connection shown")
    import subprocess
    supervisor.process = subprocess.Popen(
        [supervisor.program, "serve", "--data-dir", str(supervisor.data_dir), "--listen", address],
        stdin=subprocess.DEVNULL, stdout=supervisor.output, stderr=supervisor.output)
    eventually(lambda: browser.text(".link").strip() == "live", "the connection back", 60)
