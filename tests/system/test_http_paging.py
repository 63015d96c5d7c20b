"""Walking through lists that change between two pages: nothing that stays is repeated or left out."""
import datetime
import itertools

import pytest

from harness import eventually
from http_support import check_problem, check_response, operations, server  # noqa: F401

COUNT = itertools.count()
TOMORROW = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=1)).isoformat()


@pytest.fixture(scope="module")
def contract(server):  # noqa: F811
    return server.contract()


def walk(server, path, between=lambda page: None, **query):  # noqa: F811
    """Every item of a list, page by page by cursor; `between(number)` is called after each page."""
    items = []
    for number in itertools.count():
        assert number < 500, "the walk does not end"
        response = server.call("get", path, params=query)
        assert response.status_code == 200, response.text
        page = response.json()
        items += page["items"]
        if page["next"] is None:
            return items
        assert page["items"], "an empty page that is not the last one"
        query["cursor"] = page["next"]
        between(number)


def create(server, path, **fields):  # noqa: F811
    response = server.call("post", f"/api/v1/{path}", json=fields)
    assert response.status_code == 201, response.text
    return response.json()


def remove(server, path, id):  # noqa: F811
    assert server.call("delete", f"/api/v1/{path}/{id}").status_code == 204


def add_site(server, name):  # noqa: F811
    return create(server, "sites", site_code=f"P{next(COUNT):05}", site_name=name)


def add_rule(server, name):  # noqa: F811
    return create(server, "alert-rules", code=f"p{next(COUNT):05}", name=name, kind="process_state")


def add_user(server, name):  # noqa: F811
    username = name.lower() + f"p{next(COUNT):05}"
    return create(server, "users", username=username, password="a long password", role="viewer")


def add_silence(server, name):  # noqa: F811
    return create(server, "silences", ends_at=TOMORROW, comment=name)


def add_token(server, name):  # noqa: F811
    if not server.call("get", "/api/v1/users/powner").ok:
        create(server, "users", username="powner", password="a long password", role="viewer")
    return create(server, "tokens", name=f"{name}-{next(COUNT)}", role="viewer", username="powner")


KINDS = {
    "sites": (add_site, ("", "site_name", "-site_name", "-id")),
    "alert-rules": (add_rule, ("", "name", "-name", "-code")),
    "users": (add_user, ("", "username", "-username")),
    "silences": (add_silence, ("", "-id")),
    "tokens": (add_token, ("", "name", "-name")),
}


@pytest.mark.parametrize("kind,sort", [(kind, sort) for kind, (_, sorts) in KINDS.items() for sort in sorts])
def test_what_stays_comes_once_whatever_comes_and_goes(server, kind, sort):  # noqa: F811
    add = KINDS[kind][0]
    stay = [add(server, name)["id"] for name in ("M", "B", "Q", "B", "M", "B", "Z", "C")]
    go = [add(server, name)["id"] for name in ("A", "B", "M", "Z")]

    def between(number):
        # One goes that has been seen or would have been, and some come at both ends and in the middle.
        if go:
            remove(server, kind, go.pop(0) if number % 2 else go.pop())
        if number < 3:
            for name in ("A", "N", "Z"):
                add(server, name)

    seen = [item["id"] for item in walk(server, f"/api/v1/{kind}", between, page_size=2, sort=sort)]
    assert len(seen) == len(set(seen)), "an item came twice"
    assert set(stay) <= set(seen), "an item was left out"
    assert not go


def test_audit_entries_that_come_meanwhile_shift_nothing(server):  # noqa: F811
    for _ in range(6):
        add_site(server, "audited")
    newest = server.call("get", "/api/v1/audit?page_size=1").json()["items"][0]["id"]
    for query in ({}, {"q": "site"}, {"sort": "-timestamp"}):
        expected = [each["id"] for each in server.call("get", "/api/v1/audit", params={"page_size": 1000, **query}).json()["items"]]
        seen = [each["id"] for each in walk(server, "/api/v1/audit", lambda _: add_site(server, "more"), page_size=5, **query)]
        assert seen == expected, query
        assert max(seen) >= newest


def test_import_jobs_that_come_meanwhile_shift_nothing(server):  # noqa: F811
    def upload(number=0):
        # Invalid ones: nothing of the configuration changes.
        response = server.call("post", "/api/v1/import-jobs", files={"file": ("sites.csv", f"site_code\n!{number}\n")})
        assert response.status_code == 201, response.text
        return response.json()["id"]

    jobs = [upload() for _ in range(7)]
    seen = [each["id"] for each in walk(server, "/api/v1/import-jobs", upload, page_size=2)]
    assert seen == sorted(seen, reverse=True) and len(seen) == len(set(seen))
    assert set(jobs) <= set(seen)


def test_sessions_that_begin_meanwhile_shift_nothing(server):  # noqa: F811
    for kind, fields in {
        "sites": {"site_code": "WS", "site_name": "walk"},
        "devices": {"device_code": "WD", "device_name": "walk", "site_code": "WS", "protocol": "modbus_tcp", "address": "127.0.0.1:1"},
        "points": {"point_code": "WP", "device_code": "WD", "address": "hr:0", "data_type": "int16"},
        "tasks": {"task_code": "WT", "task_name": "walk", "devices": ["WD"], "period_ms": 1000},
    }.items():
        create(server, kind, **fields)

    def one_more(_=0):
        response = server.call("post", "/api/v1/tasks/WT/start")
        assert response.status_code == 202, response.text
        session = response.json()["session_id"]
        assert server.call("post", "/api/v1/tasks/WT/stop").status_code == 202
        eventually(lambda: server.call("get", f"/api/v1/sessions/{session}").json()["stopped_at"], "the end of a session")
        return session

    sessions = [one_more() for _ in range(5)]
    # A new session is in the store a moment after it was answered for.
    eventually(lambda: server.call("get", "/api/v1/sessions?task_code=WT").json()["total"] >= 5, "the sessions in the list")
    for sort in ("", "-started_at"):
        seen = [each["session_id"] for each in walk(server, "/api/v1/sessions", one_more, page_size=2, task_code="WT", sort=sort)]
        assert len(seen) == len(set(seen)), sort
        assert set(sessions) <= set(seen), sort


def lists_with_cursor(contract):
    for method, path, operation, parameters in operations(contract):
        if method == "get" and "cursor" in {each["name"] for each in parameters} and not path.endswith("/ws"):
            yield path, operation


def test_a_walk_is_the_list(server, contract):  # noqa: F811
    paths = [path for path, _ in lists_with_cursor(contract)]
    assert {"/api/v1/points", "/api/v1/sessions", "/api/v1/dead-letters", "/api/v1/device/realtime-data"} <= set(paths)
    for path in paths:
        # Nothing changes now but what a call itself records: nothing does.
        whole = server.call("get", path, params={"page_size": 1000}).json()
        assert whole["next"] is None and whole["total"] == len(whole["items"]), path
        key = next(name for name in ("id", "session_id", "device_code") if not whole["items"] or name in whole["items"][0])
        seen = walk(server, path, page_size=2)
        assert [each[key] for each in seen] == [each[key] for each in whole["items"]], path


def test_cursors_that_are_none(server, contract):  # noqa: F811
    good = server.call("get", "/api/v1/audit?page_size=1").json()["next"]
    assert good
    for path, operation in lists_with_cursor(contract):
        for cursor in ("", "x", "=" * 40, "W10", "bnVsbA", good[:-2], "A" * 5_000, "站", "WyIiLG51bGwse31d", "WyIiLHt9LDFd"):
            response = server.call("get", path, params={"cursor": cursor})
            assert response.status_code == 400, (path, cursor, response.text)
            check_response(contract, operation, response)
            assert check_problem(response)["errors"][0]["field"] == "cursor"
    for query in ({"sort": "-timestamp"}, {"page": 2}):
        assert server.call("get", "/api/v1/audit", params={"cursor": good, **query}).status_code == 400, query
    # A list without cursors says so, instead of answering its first page for ever.
    assert server.call("get", "/api/v1/processes", params={"cursor": good}).status_code == 400
