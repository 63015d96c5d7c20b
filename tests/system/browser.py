"""Chromium (from Debian) as the tests of the console drive it.

With FIELDWARDEN_SCREENSHOTS set to a folder, a picture of each page is kept there.
"""

import os
import pathlib

import pytest
import requests

from harness import eventually

webdriver = pytest.importorskip("selenium.webdriver", reason="python3-selenium is not installed (deploy/packages test)")
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.chrome.service import Service  # noqa: E402

AXE = pathlib.Path(__file__).parents[1] / "peers" / "node_modules" / "axe-core" / "axe.min.js"


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

    def press(self, label, within="body", deadline=30):
        """The button, link, tab or switch with exactly this text."""
        script = ("const [scope, text] = arguments; return [...document.querySelectorAll(scope)].flatMap(s => "
                  "[...s.querySelectorAll('button, a, [role=tab]')]).find(e => e.innerText.trim() === text && e.offsetParent && "
                  "!e.disabled) ?? null")
        button = eventually(lambda: self.driver.execute_script(script, within, label), f"a button '{label}' in {within}", deadline)
        self.driver.execute_script("arguments[0].click()", button)

    def fill(self, field, value):
        """A form's field by its id: text typed as a person would, or a choice."""
        element = self.find(f"[id='{field}']")
        if element.tag_name == "select":
            script = ("const [e, text] = arguments; const o = [...e.options].find(o => o.text === text); if (!o) return false; "
                      "e.value = o.value; e.dispatchEvent(new Event('change', {bubbles: true})); return true")
            eventually(lambda: self.driver.execute_script(script, element, value), f"the choice {value} in {field}")
        else:
            element.send_keys(Keys.CONTROL, "a")
            element.send_keys(value, Keys.TAB)

    def text(self, css="body"):
        return self.driver.execute_script("return document.querySelector(arguments[0])?.innerText ?? ''", css)

    def complaints(self):
        """What the browser logged since the last call. That nobody is signed in yet is learnt from a refusal, which it logs too."""
        return [e["message"] for e in self.driver.get_log("browser")
                if e["level"] in ("SEVERE", "WARNING") and not ("/api/v1/auth/me" in e["message"] and "401" in e["message"])]

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


def browser_of(supervisor, folder):
    if "text/html" not in requests.get(supervisor.base + "/", timeout=5).headers["Content-Type"] or \
            'id="app"' not in requests.get(supervisor.base + "/", timeout=5).text:
        pytest.skip("this build has no console")
    return Browser(supervisor.base, folder)
