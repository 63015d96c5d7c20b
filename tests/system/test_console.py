"""The web console in a browser (Chromium, from Debian) against the real program.

Every page is opened in both languages and both themes; the browser's own log must stay empty (script errors, requests that
failed, violations of the content security policy), and axe-core finds no serious fault of accessibility.
With FIELDWARDEN_SCREENSHOTS set to a folder, a picture of each page is kept there.
"""

import os
import pathlib
import re

import pytest
import requests

from harness import eventually

webdriver = pytest.importorskip("selenium.webdriver", reason="python3-selenium is not installed (deploy/packages test)")
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.chrome.service import Service  # noqa: E402

HERE = pathlib.Path(__file__).parent
SAMPLE = HERE.parents[1] / "deploy" / "sample" / "plant.xlsx"
AXE = HERE.parent / "peers" / "node_modules" / "axe-core" / "axe.min.js"
PAGES = ["/", "/tasks", "/tasks/WELD_LINE_1", "/devices", "/alerts", "/health", "/logs", "/dead-letters", "/import", "/config/devices",
         "/config/points", "/config/tasks", "/config/sinks", "/audit", "/system", "/nowhere"]


class Browser:
    def __init__(self, base, folder):
        options = webdriver.ChromeOptions()
        for flag in ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--window-size=1280,860",
                     f"--user-data-dir={folder}", "--lang=en-US", "--no-first-run", "--disable-background-networking"]:
            options.add_argument(flag)
        options.binary_location = "/usr/bin/chromium"
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)
        self.driver.set_script_timeout(60)
        self.base = base

    def open(self, path):
        self.driver.get(self.base + path)

    def find(self, css, deadline=30):
        return eventually(lambda: next((e for e in self.driver.find_elements(By.CSS_SELECTOR, css) if e.is_displayed()), None),
                          f"an element {css}", deadline)

    def click(self, css):
        # In the page, so that nothing that floats above it for a moment is in the way.
        self.driver.execute_script("arguments[0].click()", self.find(css))

    def text(self, css="body"):
        return self.driver.execute_script("return document.querySelector(arguments[0])?.innerText ?? ''", css)

    def complaints(self):
        """What the browser logged since the last call. That nobody is signed in yet is learnt from a refusal, which it logs too."""
        return [e["message"] for e in self.driver.get_log("browser")
                if e["level"] in ("SEVERE", "WARNING") and "/api/v1/auth/me" not in e["message"]]

    def sign_in(self, token):
        self.open("/sign-in")
        self.click("[data-test=by-token]")
        self.find("#token").send_keys(token)
        self.click("[data-test=sign-in]")
        self.find("nav.side, .top")

    def settle(self):
        """Until the page has loaded and nothing it asked for is still on the way."""
        self.find("main h1, main strong")
        quiet = "const n = performance.getEntriesByType('resource').length; const was = window.seen; window.seen = n; return was === n;"
        eventually(lambda: self.driver.execute_script(quiet), "the page at rest", 10)

    def set_look(self, language, theme):
        self.driver.execute_script(
            "localStorage.setItem('fieldwarden.language', arguments[0]); localStorage.setItem('fieldwarden.theme', arguments[1])",
            language, theme)

    def picture(self, name):
        folder = os.environ.get("FIELDWARDEN_SCREENSHOTS")
        if folder:
            pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
            self.driver.save_screenshot(f"{folder}/{name}.png")

    def faults_of_access(self):
        """Serious findings of axe-core, as readable lines."""
        # Through the debugger: the page's own policy would forbid a script from elsewhere, as it should.
        self.driver.execute_cdp_cmd("Runtime.evaluate", {"expression": AXE.read_text() + ";0"})
        found = self.driver.execute_async_script(
            "const done = arguments[0]; axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa']})"
            ".then(r => done(r.violations), e => done([{id: String(e), impact: 'serious', nodes: []}]))")
        return [f"{v['id']} ({v['impact']}): " + " | ".join(n["html"][:140] for n in v["nodes"][:3])
                for v in found if v["impact"] in ("serious", "critical")]

    def close(self):
        self.driver.quit()


@pytest.fixture
def browser(supervisor, tmp_path):
    if "text/html" not in requests.get(supervisor.base + "/", timeout=5).headers["Content-Type"] or \
            'id="app"' not in requests.get(supervisor.base + "/", timeout=5).text:
        pytest.skip("this build has no console")
    running = Browser(supervisor.base, tmp_path / "chromium")
    yield running
    running.close()


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
