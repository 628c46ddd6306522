"""Alarms on a device: turned on by responders alone, paged beside other contacts, turned off."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from tests.support.running import RunningCentre
from tests.support.site import NOON, Site, a_policy, a_responder, after

from tocsin.core.errors import InvalidInputError
from tocsin.flows.devices import MAX_DEVICES, Devices, allowed_host
from tocsin.ports_store import Account
from tocsin.stores.sql import SqlStore

P256DH = base64.urlsafe_b64encode(b"\x04" + os.urandom(64)).decode().rstrip("=")
AUTH = base64.urlsafe_b64encode(os.urandom(16)).decode().rstrip("=")
ENDPOINT = "https://fcm.googleapis.com/fcm/send/s3cret"


@pytest.mark.parametrize(
    ("endpoint", "host"),
    [
        (ENDPOINT, "fcm.googleapis.com"),
        ("https://updates.push.services.mozilla.com/wpush/v2/x", "updates.push.services.mozilla.com"),
        ("https://FCM.googleapis.com:443/x", "fcm.googleapis.com"),
        ("http://fcm.googleapis.com/x", ""),
        ("https://fcm.googleapis.com:8443/x", ""),
        ("https://fcm.googleapis.com.evil.example/x", ""),
        ("https://evil.example/fcm.googleapis.com", ""),
        ("https://a:b@fcm.googleapis.com/x", ""),
        ("https://fcm.googleapis.com@evil.example/", ""),
        ("https://push.apple.com/x", ""),
        ("https://.push.apple.com/x", ""),
        ("https://evilpush.apple.com/x", ""),
        ("https://127.0.0.1/x", ""),
        ("https://[::1]/x", ""),
        ("https://[::1", ""),
        ("https://h:port/", ""),
        ("", ""),
        ("file:///etc/passwd", ""),
    ],
)
def test_pages_go_to_known_push_services_alone(endpoint: str, host: str) -> None:
    services = ("fcm.googleapis.com", "*.push.services.mozilla.com", "*.push.apple.com")
    found = allowed_host(endpoint, services)
    assert found == host


async def account(store: SqlStore, *names: str) -> None:
    async with store.writing() as unit:
        for name in names:
            await unit.accounts.put(Account(name, "x", NOON))


@pytest.mark.anyio
async def test_a_device_is_one_contact_more_for_its_responder_alone(store: SqlStore, tmp_path: Path) -> None:
    await account(store, "ana", "rui")
    ana, rui = replace(a_responder("Ana"), account="ana"), a_responder("Rui")
    site = Site(store, tmp_path, a_policy(ana, rui))
    await Devices(store).add("ana", ENDPOINT, P256DH, AUTH, "Firefox on Linux", NOON)
    alarm = await site.raised()
    pages = {(page.responder, page.channel, page.address) for page in await site.pages(alarm.id)}
    assert ("ana", "webpush", "ana") in pages
    assert [one for one in pages if one[1] == "webpush"] == [("ana", "webpush", "ana")]
    assert ("ana", "webhook", "http://127.0.0.1:9/ana") in pages, "it takes the place of none"


@pytest.mark.anyio
async def test_devices_are_kept_by_endpoint_and_the_oldest_give_way(store: SqlStore) -> None:
    await account(store, "ana", "rui")
    devices = Devices(store)
    for n in range(MAX_DEVICES + 3):
        await devices.add("ana", f"{ENDPOINT}{n}", P256DH, AUTH, f"Chrome\r\n{n}", after(n))
    await devices.add("ana", f"{ENDPOINT}{MAX_DEVICES}", P256DH, AUTH, "again", after(99))
    kept = await devices.of("ana")
    assert [one.endpoint for one in kept] == [f"{ENDPOINT}{n}" for n in range(3, MAX_DEVICES + 3)]
    renewed = next(one for one in kept if one.device == "again")
    assert (renewed.added_at, renewed.last_ok_at) == (after(MAX_DEVICES), after(99))
    assert all(one.device.isprintable() for one in kept)
    # A shared device goes to who turned alarms on last.
    await devices.add("rui", kept[0].endpoint, P256DH, AUTH, "x", after(200))
    assert len(await devices.of("ana")) == MAX_DEVICES - 1
    assert await devices.remove("ana", lambda one: one.endpoint == kept[0].endpoint) == 0, "not hers any more"


@pytest.mark.anyio
async def test_invariant_8_a_device_that_nobody_uses_ends(store: SqlStore, tmp_path: Path) -> None:
    await account(store, "ana")
    site = Site(store, tmp_path)
    await Devices(store).add("ana", ENDPOINT, P256DH, AUTH, "x", NOON)
    await site.oversee.sweep(NOON + timedelta(days=399))
    assert len(await Devices(store).of("ana")) == 1
    await site.oversee.sweep(NOON + timedelta(days=401))
    assert await Devices(store).of("ana") == []


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("endpoint", "p256dh", "auth"),
    [
        ("https://evil.example/x", P256DH, AUTH),
        ("http://169.254.169.254/latest/meta-data", P256DH, AUTH),
        (ENDPOINT + "x" * 1_000, P256DH, AUTH),
        (ENDPOINT + "\n", P256DH, AUTH),
        (ENDPOINT, "", AUTH),
        (ENDPOINT, P256DH[:-4], AUTH),
        (ENDPOINT, "A" + P256DH[1:], AUTH),
        (ENDPOINT, P256DH, "swordfish"),
        (ENDPOINT, P256DH, AUTH + "AAAA"),
        (ENDPOINT, P256DH, "é" * 22),
    ],
    # Not by their values: the key is another one in each process.
    ids=["host", "scheme", "long", "line", "no-key", "short", "no-point", "auth", "long-auth", "letters"],
)
async def test_what_is_no_subscription_is_refused(
    store: SqlStore, endpoint: str, p256dh: str, auth: str
) -> None:
    with pytest.raises(InvalidInputError):
        await Devices(store).add("ana", endpoint, p256dh, auth, "x", NOON)


# The console


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCentre]:
    responder = {"id": "ana", "name": "Ana", "contacts": [{"channel": "mqtt", "address": "siren"}]}
    channel = {"webpush": {"contact": "ops@mill.example"}, "mqtt": {"host": "127.0.0.1", "tls": False}}
    with RunningCentre(tmp_path_factory.mktemp("devices"), responder=[responder], channel=channel) as running:
        yield running


FORM = {"endpoint": ENDPOINT, "p256dh": P256DH, "auth": AUTH}


def test_alarms_are_turned_on_shown_and_turned_off(centre: RunningCentre) -> None:
    agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    with centre.staff("ana") as ana:
        page = ana.get("/me").text
        assert 'data-key="B' in page
        assert "None." in page
        assert ana.post("/me/devices", data=FORM, headers={"user-agent": agent}).status_code == 201
        page = ana.get("/me").text
        assert "Firefox on Linux" in page
        assert "s3cret" not in page
        with centre.staff("rui") as rui:
            name = page.split('name="device" value="')[1].split('"')[0]
            rui.post("/me/devices/off", data={"device": name})
            rui.post("/me/devices/off", data={"endpoint": ENDPOINT})
        assert "Firefox on Linux" in ana.get("/me").text, "nobody turns off another's"
        assert ana.post("/me/devices/off", data={"device": name}).status_code == 303
        assert "Firefox on Linux" not in ana.get("/me").text
        assert ana.post("/me/devices/off").status_code == 422


def test_who_is_no_responder_is_told_so(centre: RunningCentre) -> None:
    with centre.staff("eva") as eva:
        assert "no responder" in eva.get("/me").text
        assert eva.post("/me/devices", data=FORM).status_code == 403


def test_only_our_own_pages_may_turn_alarms_on(centre: RunningCentre) -> None:
    with centre.staff("ana") as ana:
        answer = ana.post("/me/devices", data=FORM, headers={"origin": "https://evil.example"})
        assert answer.status_code == 403


def test_the_service_worker_stands_at_the_root_and_needs_nothing_else(centre: RunningCentre) -> None:
    with centre.guest() as guest:
        answer: httpx.Response = guest.get("/sw.js")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["cache-control"] == "no-cache"
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    for word in ("import", "http://", "https://"):
        assert word not in answer.text, "a service worker of ours is one file, and calls nobody"
    assert "notificationclick" in answer.text
