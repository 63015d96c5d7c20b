"""Pages of the console that a day's work does not come by: silences, a device's past and its minutes in states, what an operator
sees, a narrow window, and a list of a thousand tasks. In a browser against the real program."""

from harness import eventually


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
