"""Pages of the console that a day's work does not come by: silences, a device's past and its minutes in states, what an operator
sees, a narrow window, and a list of a thousand tasks. In a browser against the real program."""

import os
import re

from browser import AXE, By
from harness import Workbook, eventually
from test_statistics import plant_book

PASSWORD = "a plant's long password"
MAIN_PAGES = ["/", "/tasks", "/tasks/T", "/devices", "/devices/W1", "/alerts", "/health", "/logs", "/dead-letters", "/import",
              "/config/devices", "/users", "/audit", "/system"]


def width(browser, pixels, height=1100):
    browser.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                                   {"width": pixels, "height": height, "deviceScaleFactor": 1, "mobile": False})


def accessible(browser):
    return browser.faults_of_access() if AXE.exists() else []


def test_a_silence_is_made_changed_and_removed(supervisor, browser):
    browser.sign_in(supervisor.token)
    browser.open("/alerts")
    browser.press("Silences")
    eventually(lambda: "No silence is set" in browser.text("#pane-silences"), "the empty state")
    browser.press("New silence")
    browser.fill("s-tasks", "LINE_1, LINE_2")
    browser.fill("s-comment", "cleaning of the hall")
    browser.press("Save", ".el-drawer")
    eventually(lambda: "cleaning of the hall" in browser.text("#pane-silences table"), "the silence")
    assert "active" in browser.text("#pane-silences table") and "Tasks: LINE_1, LINE_2" in browser.text("#pane-silences table")
    browser.picture("silences")
    [kept] = supervisor.get("/silences")["items"]
    assert (kept["tasks"], kept["devices"], kept["active"]) == (["LINE_1", "LINE_2"], ["*"], True)

    browser.press("Edit", "#pane-silences")
    browser.fill("s-comment", "repair of the press")
    browser.press("Save", ".el-drawer")
    eventually(lambda: "repair of the press" in browser.text("#pane-silences table"), "the changed silence")
    [changed] = supervisor.get("/silences")["items"]
    assert (changed["id"], changed["tasks"], changed["comment"]) == (kept["id"], kept["tasks"], "repair of the press")

    browser.press("Remove", "#pane-silences")
    browser.press("Remove", ".el-message-box")
    eventually(lambda: "No silence is set" in browser.text("#pane-silences"), "the list without it")
    assert supervisor.get("/silences")["items"] == []
    assert browser.complaints() == []


def test_the_past_of_a_device_and_its_minutes(supervisor, browser, simulator, tmp_path):
    supervisor.import_workbook(plant_book(simulator.ports[0]).save(tmp_path / "plant.xlsx"))
    browser.sign_in(supervisor.token)
    browser.open("/devices/W1")
    browser.press("Statistics")
    eventually(lambda: "Nothing was counted" in browser.text("#pane-days"), "the empty statistics")
    assert "while a task reads the device" in browser.text("#pane-days")
    browser.press("History")
    browser.press("Show", "#pane-history")
    eventually(lambda: "no samples" in browser.text("#pane-history"), "the empty past")

    supervisor.start_task("T")
    eventually(lambda: supervisor.call("POST", "/points/W1_STATE/write", json={"value": 2}).status_code == 200, "a state written")

    def asked():
        # The history has a sample about a second after it was read.
        browser.press("Show", "#pane-history")
        return re.search(r"[1-9][\d,]* samples", browser.text("#pane-history"))
    eventually(asked, "samples of the device")
    browser.find("#pane-history canvas")
    rows = browser.driver.find_elements(By.CSS_SELECTOR, "#pane-history [role=region] tbody tr")
    assert re.search(r"STATE\s+\d+\s+good", rows[0].text), rows[0].text
    browser.driver.execute_script(
        "URL.createObjectURL = blob => { blob.text().then(text => window.csv = text); return 'blob:nothing' };"
        "HTMLAnchorElement.prototype.click = function () { window.csvName = this.download }")
    browser.press("Download CSV", "#pane-history")
    text = eventually(lambda: browser.driver.execute_script("return window.csv"), "the file")
    lines = text.split("\r\n")
    assert lines[0].lstrip("\ufeff") == "timestamp,point_code,value,quality,quality_code"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z,STATE,\d+,good,", lines[1]), lines[1]
    assert browser.driver.execute_script("return window.csvName") == "W1.csv"
    browser.picture("device-history")
    assert accessible(browser) == []

    # Counted minutes are written every ten seconds.
    eventually(lambda: supervisor.get("/device/statistics", params={"device_code": "W1"})["items"][0]["states"].get("welding", 0) > 0.1,
               "minutes of welding")
    browser.open("/devices/W1")
    browser.press("Statistics")
    table = eventually(lambda: browser.text("[data-test=days]"), "the week")
    today = supervisor.get("/device/statistics")["day"]
    assert "welding" in table and today in table
    shown = eventually(lambda: browser.driver.find_elements(By.CSS_SELECTOR, "[data-test=days] tbody tr"), "the days")
    assert len(shown) == 7
    bar = shown[0].find_element(By.CSS_SELECTOR, "[role=img]")
    assert re.search(r"welding 0\.\d", bar.get_attribute("aria-label")), bar.get_attribute("aria-label")
    assert bar.find_elements(By.CSS_SELECTOR, "span")
    assert shown[6].find_element(By.CSS_SELECTOR, "[role=img]").get_attribute("aria-label") == "nothing counted"
    browser.picture("device-statistics")
    assert accessible(browser) == []
    # Without a status point, what is missing is said.
    browser.open("/devices/P1")
    browser.press("Statistics")
    eventually(lambda: "give its type a status point" in browser.text("#pane-days"), "what to do for states")
    assert browser.complaints() == []


def test_what_an_operator_may(supervisor, browser, simulator, tmp_path):
    supervisor.import_workbook(plant_book(simulator.ports[0]).save(tmp_path / "plant.xlsx"))
    supervisor.api("POST", "/users", 201, json={"username": "chen", "password": PASSWORD, "role": "operator", "must_change_password": False})
    browser.open("/")
    browser.fill("username", "chen")
    browser.fill("password", PASSWORD)
    browser.click("[data-test=sign-in]")
    browser.find("nav.side")
    assert "Audit" not in browser.text("nav.side") and "Tasks" in browser.text("nav.side")

    browser.open("/tasks/T")
    browser.press("Start")
    supervisor.wait_running("T")
    browser.open("/devices/W1")
    browser.find("main table")
    browser.press("Test connection")
    eventually(lambda: "reached" in browser.text("main [role=status]").lower(), "the result of the test")
    browser.press("Write")
    browser.fill("wanted", "3")
    browser.press("Write", ".el-dialog")
    browser.press("Write", ".el-message-box")
    eventually(lambda: re.search(r"W1_STATE[\s\S]*?\b3\b", browser.text("#pane-points")), "the value that was written")
    browser.open("/alerts")
    browser.press("Silences")
    browser.press("New silence")
    browser.fill("s-comment", "by the operator")
    browser.press("Save", ".el-drawer")
    eventually(lambda: "by the operator" in browser.text("#pane-silences table"), "the operator's silence")
    assert supervisor.get("/silences")["items"][0]["created_by"] == "chen"

    def buttons():
        return [b.text for b in browser.driver.find_elements(By.CSS_SELECTOR, "main button") if b.is_displayed() and b.text]

    # What only an administrator may is not offered.
    browser.press("Rules")
    eventually(lambda: browser.text("#pane-rules tbody"), "the rules")
    assert not {"New rule", "Edit", "Disable", "Remove"} & set(buttons()), buttons()
    for kind in ["devices", "tasks"]:
        browser.open(f"/config/{kind}")
        eventually(lambda: browser.text("main tbody"), "the records")
        assert not [b for b in buttons() if b.startswith("Add") or b in ("Edit", "Remove")], buttons()
    for path in MAIN_PAGES:
        if path != "/audit":
            browser.open(path)
            browser.settle()
    assert browser.complaints() == []


def test_a_narrow_window(supervisor, browser, simulator, tmp_path):
    supervisor.import_workbook(plant_book(simulator.ports[0]).save(tmp_path / "plant.xlsx"))
    supervisor.start_task("T")
    browser.sign_in(supervisor.token)
    width(browser, 820)
    too_wide = {}
    for path in MAIN_PAGES:
        browser.open(path)
        browser.settle()
        over = browser.driver.execute_script(
            "return [document.documentElement, document.querySelector('main')].map(e => e.scrollWidth - e.clientWidth)")
        if max(over) > 0:
            too_wide[path] = over
    assert too_wide == {}

    def menu():
        return browser.driver.find_element(By.CSS_SELECTOR, "nav.side").is_displayed()

    button = browser.find(".top .menu")
    for close in [lambda: browser.click("button.veil"), lambda: button.send_keys("\ue00c"), lambda: browser.press("Tasks", "nav.side")]:
        assert not menu() and button.get_attribute("aria-expanded") == "false"
        browser.click(".top .menu")
        eventually(menu, "the open menu")
        assert button.get_attribute("aria-expanded") == "true"
        browser.picture("narrow-menu")
        close()
        eventually(lambda: not menu(), "the closed menu")
    assert browser.driver.current_url.endswith("/tasks")
    assert browser.complaints() == []


def test_a_thousand_tasks(supervisor, browser, simulator, tmp_path):
    book = Workbook().device("D", simulator.ports[0]).point("COUNT", "D", "hr:0", "uint32")
    for number in range(1000):
        book.task(f"LINE_{number:04}", "D", group=f"G{number % 4}")
    supervisor.import_workbook(book.save(tmp_path / "plant.xlsx"))
    browser.sign_in(supervisor.token)
    browser.open("/tasks")
    eventually(lambda: "1000 of 1000" in browser.text("main .head"), "a thousand tasks")

    def codes():
        return browser.driver.execute_script("return [...document.querySelectorAll('main tbody tr a')].map(a => a.innerText)")

    drawn = browser.driver.execute_script("return document.querySelectorAll('main tbody tr').length")
    assert 10 < drawn < 80, drawn
    assert codes()[0] == "LINE_0000"
    browser.driver.execute_script("const box = document.querySelector('main [role=region]'); box.scrollTop = box.scrollHeight")
    eventually(lambda: "LINE_0999" in codes(), "the last task")
    assert browser.driver.execute_script("return document.querySelectorAll('main tbody tr').length") < 80
    browser.find("[data-test=search]").send_keys("LINE_012")
    eventually(lambda: codes() == [f"LINE_012{n}" for n in range(10)], "the ten that match")
    assert "10 of 1000" in browser.text("main .head")
    browser.driver.execute_script(
        "const s = [...document.querySelectorAll('main select')].find(s => [...s.options].some(o => o.text === 'G1'));"
        "s.value = 'G1'; s.dispatchEvent(new Event('change', {bubbles: true}))")
    eventually(lambda: codes() == ["LINE_0121", "LINE_0125", "LINE_0129"], "those of the group")
    assert browser.complaints() == []


def test_a_wrong_cell_is_shown_among_its_neighbours_and_mended(supervisor, browser, simulator, tmp_path):
    def book(address):
        plant = Workbook().device("D", simulator.ports[0]).point("GOOD", "D", "hr:0", "uint32").point("SPEED", "D", address, "uint32")
        return str(plant.task("T", "D").save(tmp_path / f"{len(address)}.xlsx"))

    browser.sign_in(supervisor.token)
    browser.open("/import")
    browser.find("main h1")
    browser.driver.find_element(By.CSS_SELECTOR, "[data-test=file]").send_keys(book("hr:77777"))
    row = browser.find("main [role=region] tbody tr .sheet", 60)
    assert row.find_element(By.CSS_SELECTOR, "mark").text == "⚠ hr:77777"
    shown = row.text.split()
    assert "SPEED" in shown and "address" in shown and "point_code" in shown, shown
    assert "GOOD" not in shown
    browser.picture("import-problems")
    assert accessible(browser) == []
    assert not browser.driver.find_elements(By.CSS_SELECTOR, "[data-test=apply]")
    assert supervisor.get("/tasks")["total"] == 0

    browser.driver.find_element(By.CSS_SELECTOR, "[data-test=file]").send_keys(book("hr:30000"))
    browser.click("[data-test=apply]")
    browser.find("[data-test=start-new]", 60)
    browser.click("[data-test=start-new]")
    supervisor.wait_running("T")
    assert supervisor.get("/points")["total"] == 2
    assert browser.complaints() == []


def test_an_upload_shows_its_progress_and_is_called_back(supervisor, browser, tmp_path):
    book = tmp_path / "large.xlsx"
    book.write_bytes(os.urandom(2_000_000))
    browser.sign_in(supervisor.token)
    browser.open("/import")
    browser.find("main h1")
    browser.driver.execute_cdp_cmd("Network.enable", {})
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 100_000}
    browser.driver.execute_cdp_cmd("Network.emulateNetworkConditions", slow)
    browser.driver.find_element(By.CSS_SELECTOR, "[data-test=file]").send_keys(str(book))
    eventually(lambda: re.search(r"[1-9]\d?%", browser.text(".el-progress")), "progress")
    browser.picture("upload")
    browser.click("[data-test=call-back]")
    eventually(lambda: not browser.driver.find_elements(By.CSS_SELECTOR, ".el-progress"), "the end of the upload")
    assert supervisor.get("/import-jobs")["total"] == 0
    assert "Drop a workbook here" in browser.text("main") and "not a workbook" not in browser.text("main")
    assert not browser.driver.find_elements(By.CSS_SELECTOR, "main [role=alert]")

    # The next one is not hindered by it: it is read, and what is wrong with it is said.
    browser.driver.execute_cdp_cmd("Network.emulateNetworkConditions", {**slow, "uploadThroughput": -1})
    browser.driver.find_element(By.CSS_SELECTOR, "[data-test=file]").send_keys(str(book))
    eventually(lambda: browser.driver.find_elements(By.CSS_SELECTOR, "main [role=alert]"), "why it is none")
