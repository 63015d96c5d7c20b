"""A day's work in the console, by hand: first sign-in, a plant built with the forms, its task looked into, a value written,
alerts and accounts. In a browser against the real program and simulated devices."""

import re

from harness import eventually

PASSWORD = "a plant's long password"


def sign_in_first(supervisor, browser):
    """With the one-time password of the first start, which has to be changed."""
    once = eventually(lambda: re.search(r"one-time password (\S+)", supervisor.said()), "the one-time password")[1]
    browser.open("/")
    browser.fill("username", "admin")
    browser.fill("password", once)
    browser.click("[data-test=sign-in]")
    browser.fill("current", once)
    browser.fill("new", PASSWORD)
    browser.fill("again", PASSWORD)
    browser.press("Change")
    browser.find("nav.side, .top")
    eventually(lambda: "Nothing is configured yet" in browser.text("main"), "the overview")


def add(browser, kind, **fields):
    browser.open(f"/config/{kind}")
    browser.press(f"Add: {kind.capitalize()}")
    for field, value in fields.items():
        browser.fill(f"f-{field}", value)


def save(browser, shows):
    browser.press("Save", ".el-drawer")
    eventually(lambda: shows in browser.text("main table"), f"{shows} in the list")


def test_a_plant_by_hand(supervisor, browser, simulator):
    sign_in_first(supervisor, browser)
    assert browser.complaints() == []

    add(browser, "sites", site_code="HALL", site_name="Hall 1")
    save(browser, "HALL")
    add(browser, "devices", device_code="PRESS", device_name="Press", site_code="HALL", address=f"127.0.0.1:{simulator.ports[0]}")
    browser.picture("form-device")
    browser.press("Test connection", ".el-drawer")
    eventually(lambda: "reached" in browser.text(".el-drawer [role=status]").lower(), "the result of the test")
    save(browser, "PRESS")
    add(browser, "points", point_code="COUNT", device_code="PRESS", address="hr:0", data_type="uint32")
    save(browser, "COUNT")
    add(browser, "points", point_code="SETPOINT", device_code="PRESS", address="hr:30000", data_type="uint16", access="rw",
        min_value="0", max_value="500")
    save(browser, "SETPOINT")
    # What is wrong is said at its field, and nothing typed is lost.
    add(browser, "tasks", task_code="LINE", task_name="Line", devices="PRESS", period_ms="1")
    browser.press("Save", ".el-drawer")
    eventually(lambda: browser.text(".el-drawer .wrong"), "what is wrong with the period")
    browser.fill("f-period_ms", "100")
    save(browser, "LINE")
    browser.complaints()  # that of the refused one

    browser.open("/tasks/LINE")
    browser.press("Start")
    supervisor.wait_running("LINE")
    eventually(lambda: "good" in browser.text("[data-test=values]"), "live values")
    eventually(lambda: re.search(r"PRESS[\s\S]*\d ms", browser.text(".conn")), "the device's response time")
    browser.picture("task-live")
    browser.press("History")

    def asked():
        # The history has a sample about a second after it was read.
        browser.press("Show", "form")
        return re.search(r"[1-9]\d* samples", browser.text("main"))
    eventually(asked, "samples of the past")
    browser.picture("task-history")
    browser.press("Timeline")
    eventually(lambda: "requested by admin" in browser.text("#pane-timeline ol"), "the timeline's entries")
    browser.picture("task-timeline")
    browser.press("Log")
    eventually(lambda: re.search(r"\d\d:\d\d", browser.text("#pane-log")), "log lines")
    browser.picture("task-log")

    browser.open("/devices/PRESS")
    browser.press("Test connection")
    eventually(lambda: "reached" in browser.text("main [role=status]").lower(), "the result of the test")
    browser.press("Write")
    browser.fill("wanted", "321")
    browser.press("Write", ".el-dialog")
    browser.press("Write", ".el-message-box")
    eventually(lambda: re.search(r"SETPOINT[\s\S]*?321", browser.text("main")), "the value that was written")
    browser.picture("device")
    assert any(entry["action"] == "point.write" for entry in supervisor.get("/audit")["items"])
    browser.press("Write")
    browser.fill("wanted", "501")
    browser.press("Write", ".el-dialog")
    browser.press("Write", ".el-message-box")
    eventually(lambda: "500" in browser.text(".el-message, .el-notification"), "why a value out of range is refused")
    browser.complaints()  # the refused one

    browser.open("/alerts")
    browser.press("Rules")
    browser.press("New rule")
    browser.fill("r-code", "too_hot")
    browser.fill("r-points", "COUNT")
    browser.fill("p-above", "1")
    browser.picture("form-rule")
    browser.press("Save", ".el-drawer")
    eventually(lambda: "too_hot" in browser.text("main"), "the rule")
    browser.press("Channels")
    browser.press("New channel")
    browser.fill("c-code", "shift")
    browser.fill("c-type", "log")
    browser.press("Save", ".el-drawer")
    eventually(lambda: "shift" in browser.text("#pane-channels"), "the channel")
    browser.press("Open")
    eventually(lambda: "COUNT" in browser.text("#pane-open"), "the alert")
    browser.press("Acknowledge")
    eventually(lambda: "acknowledged" in browser.text("#pane-open").lower(), "the acknowledgement")
    browser.picture("alerts-open")

    browser.open("/users")
    browser.press("Create a token")
    browser.fill("t-name", "grafana")
    browser.press("Save", ".el-dialog")
    secret = eventually(lambda: browser.text("main .done code"), "the token, this once")
    assert browser.driver.page_source.count(secret) == 1
    assert supervisor.http.get(supervisor.base + "/api/v1/tasks", headers={"Authorization": "Bearer " + secret}).status_code == 200
    browser.open("/users")
    eventually(lambda: "grafana" in browser.text("main"), "the token's row")
    assert secret not in browser.driver.page_source
    browser.picture("users")
    assert browser.complaints() == []
