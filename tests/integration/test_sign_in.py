"""Who gets in, and how: against a real centre, as a browser would do it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.cookies import SimpleCookie
from pathlib import Path

import httpx
import pytest
from fastapi.routing import APIRoute
from starlette.routing import Mount, Route
from tests.support.running import PASSWORD, RunningCentre, an_edge, post_edge, until

from tocsin.web.auth import SignInThrottle

OPEN = {
    "/sign-in": "the way in",
    "/sign-in/once": "the way in by a link",
    "/sign-out": "signing out twice harms nobody; it answers with the way in",
    "/sw.js": "the service worker: a script of the program, the same for every site",
    "/hooks/telephony/{name}": "for the telephone company, which signs (tests/integration/test_telephony.py)",
    "/healthz": "for supervisors of the process; says no more than that it lives",
    "/static": "styles, scripts and pictures of the program",
    "/metrics": "for who bears a token of its own (tests/integration/test_metrics.py); off without one",
    "/a/{token}": "a message's link: its signature is the way in (tests/integration/test_link_pages.py)",
    "/a/{token}/seen": "the same, told by its page",
    "/api/v1/openapi.json": "the shape of the API, the same for every site and public with the source",
}
WATCHERS = {
    "/api/v1/edges",
    "/api/v1/edges/{edge_id}/pictures/{index}",
    "/api/v1/heartbeat",
    "/api/v1/zones",
    "/api/v1/cameras/{camera}/still",
}
PICTURE = "3f1d0d6e-0000-4000-8000-000000000000"
ZONES = {
    "watcher": "w1",
    "camera": "cam-1",
    "job_id": "0" * 32,
    "place": "hall",
    "report_id": PICTURE,
    "stage": "on-site",
    "change_id": "c1",
}

HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCentre]:
    with RunningCentre(tmp_path_factory.mktemp("centre")) as running:
        running.user("ana")
        running.user("rui")

        async def bug() -> None:
            raise ZeroDivisionError("a bug, for the test of its answer")

        running.centre.app.add_api_route("/sign-in/bug", bug)
        yield running


@pytest.fixture(autouse=True)
def _patience(centre: RunningCentre) -> None:  # pyright: ignore[reportUnusedFunction]
    """Each test's wrong tries are long past for the next one."""
    centre.clock.ahead_s += 3600.0
    centre.centre.app.state.throttle = SignInThrottle()


def _sign_in(client: httpx.Client, password: str = PASSWORD, **fields: str) -> httpx.Response:
    return client.post("/sign-in", data={"username": "ana", "password": password} | fields)


def _ours(centre: RunningCentre) -> httpx.Client:
    return centre.guest(origin=centre.url, accept="text/html")


def test_the_right_password_opens_a_session_and_signing_out_ends_it(centre: RunningCentre) -> None:
    with _ours(centre) as client:
        answer = _sign_in(client, next="/history")
        assert (answer.status_code, answer.headers["location"]) == (303, "/history")
        token = client.cookies["tocsin-session"]
        assert client.get("/history").status_code == 200
        assert client.get("/sign-in").headers["location"] == "/"
        out = client.post("/sign-out")
        assert (out.status_code, out.headers["location"]) == (303, "/sign-in")
        assert "tocsin-session" not in client.cookies
        # Not only forgotten by the browser: the session itself is over.
        stolen = client.get("/history", headers={"cookie": f"tocsin-session={token}"})
        assert stolen.status_code == 303


def test_the_session_cookie_is_for_this_site_and_no_script(centre: RunningCentre) -> None:
    with _ours(centre) as client:
        cookie = SimpleCookie(_sign_in(client).headers["set-cookie"])["tocsin-session"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "lax"
    assert cookie["path"] == "/"
    assert cookie["domain"] == ""
    assert int(cookie["max-age"]) == 12 * 3600
    assert len(cookie.value) >= 43


def test_behind_tls_the_cookie_is_secure_and_bound_to_its_host(tmp_path: Path) -> None:
    section = {"data_dir": str(tmp_path / "data"), "url": "https://alarms.example.org"}
    with RunningCentre(tmp_path, centre=section) as secure, _ours(secure) as client:
        secure.user("ana")
        cookie = SimpleCookie(_sign_in(client).headers["set-cookie"])["__Host-tocsin-session"]
    assert cookie["secure"]
    assert (cookie["path"], cookie["domain"]) == ("/", "")


def test_a_session_ends_by_itself(centre: RunningCentre) -> None:
    with _ours(centre) as client:
        _sign_in(client)
        centre.clock.ahead_s += 11.9 * 3600
        assert client.get("/").status_code == 200
        centre.clock.ahead_s += 0.2 * 3600
        assert client.get("/").status_code == 303


@pytest.mark.parametrize(
    ("username", "password"),
    [
        ("ana", "mistaken"),
        ("nobody", PASSWORD),
        ("", ""),
        ("ana", ""),
        ("ana' OR '1'='1", "'--"),
        ("ana", "q" * 99_999),
    ],
)
def test_wrong_credentials_are_refused_in_the_same_words(
    centre: RunningCentre, username: str, password: str
) -> None:
    with _ours(centre) as client:
        answer = client.post("/sign-in", data={"username": username, "password": password})
        assert answer.status_code == 403
        assert "The name or the password is wrong." in answer.text
        assert "set-cookie" not in answer.headers
        assert not password or password not in answer.text


def test_after_a_few_wrong_tries_one_waits_and_then_may_try_again(centre: RunningCentre) -> None:
    # A slow machine may take longer over one answer than the second that is waited first by default.
    centre.centre.app.state.throttle = SignInThrottle(first_wait_s=30.0)
    with _ours(centre) as client:
        assert [_sign_in(client, "wrong").status_code for _ in range(5)] == [403] * 5
        refused = _sign_in(client)
        assert refused.status_code == 429
        assert "wait" in refused.text
        # Another name from the same place waits too; the time is the centre's own.
        assert client.post("/sign-in", data={"username": "rui", "password": PASSWORD}).status_code == 429
        centre.clock.ahead_s += 61
        assert _sign_in(client).status_code == 303


def test_tries_at_the_same_moment_are_counted_too(centre: RunningCentre) -> None:
    statuses: list[int] = []

    def guess(number: int) -> None:
        with _ours(centre) as client:
            statuses.append(_sign_in(client, f"guess {number}").status_code)

    threads = [threading.Thread(target=guess, args=(number,)) for number in range(9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(set(statuses)) == [403, 429]
    assert statuses.count(403) <= 6


def test_a_one_time_link_works_once_and_looking_does_not_use_it_up(centre: RunningCentre) -> None:
    token = centre.link("ana")
    with _ours(centre) as client:
        for _ in range(3):
            page = client.get("/sign-in/once", params={"token": token})
            assert page.status_code == 200
            assert "Sign in as ana" in page.text
            assert "set-cookie" not in page.headers
        assert client.post("/sign-in/once", data={"token": token}).status_code == 303
        assert client.get("/").status_code == 200
    with _ours(centre) as other:
        assert other.get("/sign-in/once", params={"token": token}).status_code == 404
        again = other.post("/sign-in/once", data={"token": token})
        assert again.status_code == 404
        assert "used already" in again.text
        assert "set-cookie" not in again.headers


def test_a_link_that_two_press_at_once_signs_one_in(centre: RunningCentre) -> None:
    token = centre.link("ana")
    statuses: list[int] = []

    def press() -> None:
        with _ours(centre) as client:
            statuses.append(client.post("/sign-in/once", data={"token": token}).status_code)

    threads = [threading.Thread(target=press) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [303, *[404] * 7]


def test_a_link_is_over_after_a_quarter_of_an_hour(centre: RunningCentre) -> None:
    token = centre.link("ana")
    centre.clock.ahead_s += 14 * 60
    with _ours(centre) as client:
        assert client.get("/sign-in/once", params={"token": token}).status_code == 200
        centre.clock.ahead_s += 2 * 60
        assert client.get("/sign-in/once", params={"token": token}).status_code == 404
        assert client.post("/sign-in/once", data={"token": token}).status_code == 404


@pytest.mark.parametrize(
    "target",
    ["//evil.example", "https://evil.example/", "/\\evil.example", "javascript:alert(1)", "//[", "\\\\evil",
     "/\t/evil", "/%0d%0aset-cookie: a=b", ""],
)  # fmt: skip
def test_nobody_is_sent_elsewhere_after_signing_in(centre: RunningCentre, target: str) -> None:
    with _ours(centre) as client:
        assert client.get("/sign-in", params={"next": target}).status_code == 200
        location = _sign_in(client, next=target).headers["location"]
    assert location.startswith("/")
    assert not location.startswith(("//", "/\\"))


STRANGERS = [
    {},
    {"origin": "https://evil.example"},
    {"origin": "null"},
    {"origin": "http://["},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": "cross-site", "origin": "SELF"},
]


@pytest.mark.parametrize("headers", STRANGERS, ids=[str(headers) for headers in STRANGERS])
@pytest.mark.parametrize("path", ["/sign-in", "/sign-in/once", "/sign-out", "/report", "ACK"])
def test_another_site_cannot_act_through_a_browser(
    centre: RunningCentre, path: str, headers: dict[str, str]
) -> None:
    headers = {name: centre.url if value == "SELF" else value for name, value in headers.items()}
    with centre.staff("ana") as client, centre.watcher() as watcher:
        if path == "ACK":
            path = f"/alarms/{post_edge(watcher, an_edge()).json()['alarm_id']}/acknowledge"
        del client.headers["origin"]
        answer = client.post(path, data={"username": "ana", "password": PASSWORD}, headers=headers)
        assert answer.status_code == 403
        assert "own pages" in answer.text
        assert "set-cookie" not in answer.headers
        assert client.get("/").status_code == 200, "still signed in"


def _routes(centre: RunningCentre) -> list[tuple[str, str]]:
    """Every method and path that the application answers, so that a new one cannot be forgotten."""
    found: list[tuple[str, str]] = []
    stack = list(centre.centre.app.routes)
    while stack:
        route = stack.pop()
        if isinstance(route, Mount):
            found.append(("GET", route.path))
        elif isinstance(route, APIRoute | Route):
            found.extend((method, route.path) for method in route.methods or ())
        else:
            inner = getattr(route, "routes", None) or getattr(
                getattr(route, "original_router", None), "routes", []
            )
            assert inner, f"what is {route!r}?"
            stack.extend(inner)
    return [(method, path) for method, path in found if path != "/sign-in/bug"]


def test_the_walk_over_the_routes_finds_them(centre: RunningCentre) -> None:
    paths = {path for _, path in _routes(centre)}
    assert {"/", "/live", "/report", "/alarms/{alarm_id}", "/pictures/{picture_id}.jpg"} <= paths
    assert paths >= WATCHERS
    assert set(OPEN) <= paths
    assert len(paths) >= 18


def test_everything_but_the_way_in_asks_who_is_there(centre: RunningCentre) -> None:
    with _ours(centre) as guest:
        for method, path in _routes(centre):
            if path in OPEN:
                continue
            there = path.format(alarm_id="a1", picture_id=PICTURE, edge_id="e1", index="0", **ZONES)
            query = {"role": "at", "at": "2026-03-02T12:00:00Z"}
            fields = {"minutes": "15"} if method == "POST" else None
            answer = guest.request(method, there, params=query, data=fields)
            if path.startswith("/api/"):
                assert answer.status_code == 401, (method, path)
                assert answer.headers["www-authenticate"] == "Bearer"
                assert answer.json()["code"] == "unauthorized"
            else:
                assert answer.status_code == 303, (method, path)
                assert answer.headers["location"].startswith("/sign-in?next=/"), (method, path)
            asked = guest.request(
                method, there, params=query, data=fields, headers={"accept": "application/json"}
            )
            assert asked.status_code == 401, (method, path)
            assert "set-cookie" not in answer.headers


def test_a_watchers_token_does_not_open_the_console(centre: RunningCentre) -> None:
    with centre.watcher() as watcher:
        assert watcher.get("/").status_code == 303
        assert watcher.get("/api/v1/alarms").status_code == 401


def test_a_session_does_not_make_a_watcher(centre: RunningCentre) -> None:
    with centre.staff("ana") as client:
        assert post_edge(client, an_edge()).status_code == 401


def test_the_open_answers_tell_nothing_of_the_site(centre: RunningCentre) -> None:
    with centre.guest() as guest:
        assert set(guest.get("/healthz").json()) == {"ok", "failing", "version"}
        shape = guest.get("/api/v1/openapi.json").text
    for word in ("Sorting hall", "Test yard", str(centre.config.centre.data_dir)):
        assert word not in shape


@pytest.mark.parametrize(
    ("path", "status"),
    [("/sign-in", 200), ("/", 303), ("/healthz", 200), ("/nowhere", 404), ("/api/v1/alarms", 401),
     ("/static/nothing.js", 404), ("/sign-in/bug", 500), ("/sign-out", 405), ("/api/v1/openapi.json", 200),
     ("/static/dist/assets/nothing.js", 404)],
)  # fmt: skip
def test_every_answer_has_the_security_headers(centre: RunningCentre, path: str, status: int) -> None:
    with centre.guest() as guest:
        if path == "/healthz":
            # The clock of these tests leaps: give each loop its next round.
            until(lambda: guest.get(path).status_code == 200, "the centre is well")
        answer = guest.get(path)
    assert answer.status_code == status
    for name, value in HEADERS.items():
        assert answer.headers[name] == value, name
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert "server" not in answer.headers
    if not path.startswith("/static/"):
        assert answer.headers["cache-control"] == "no-store"
    if status == 404:
        assert "immutable" not in answer.headers.get("cache-control", "")


def test_the_answer_to_a_bug_tells_nothing_of_it(centre: RunningCentre) -> None:
    with centre.guest(accept="application/json") as guest:
        answer = guest.get("/sign-in/bug")
    assert answer.json()["code"] == "bug"
    assert "ZeroDivisionError" not in answer.text
    assert "Traceback" not in answer.text
