"""Somebody reads the code off the wall at 1 s; by 2 s the phones of all who are needed ring."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from tests.support.receiver import SECRET, Receiver
from tests.support.running import PASSWORD, RunningCentre, sharp_jpeg, until
from tests.support.site import SetClock, Site, a_policy, a_responder

from tocsin.channels.webhook import WebhookChannel
from tocsin.core.alarm import AlarmState
from tocsin.core.triage import Ruling
from tocsin.flows.intake import StaffReport
from tocsin.stores.sql import SqlStore

REPORT = "3f1d0d6e-0000-4000-8000-000000000001"
AGAIN = "3f1d0d6e-0000-4000-8000-000000000002"


@pytest.fixture
def phone() -> Iterator[Receiver]:
    with Receiver() as made:
        yield made


@pytest.fixture
async def site(store: SqlStore, tmp_path: Path, phone: Receiver) -> AsyncGenerator[Site]:
    hook = WebhookChannel(SecretStr(SECRET), SetClock(), timeout_s=5.0)
    responders = (
        a_responder("Ana", holds=["hazmat"], address=phone.url("/ana")),
        a_responder("Rui", holds=["hazmat"], address=phone.url("/rui")),
        a_responder("Eva", holds=["electrical"], address=phone.url("/eva")),
    )
    yield Site(store, tmp_path, a_policy(*responders), {"webhook": hook})
    await hook.close()


def _rung(phone: Receiver) -> set[str]:
    return {received.path for received in phone.received}


@pytest.mark.anyio
async def test_reported_at_one_second_the_phones_ring_by_two(site: Site, phone: Receiver) -> None:
    await site.intake.report(StaffReport(REPORT, "gas", "dock", "ines"), site.now(1))
    await site.delivery.work(site.now(2))
    # Everyone on duty who is needed: gas wants hazmat.
    assert _rung(phone) == {"/ana", "/rui"}
    assert {received.page["hazard"] for received in phone.received} == {"gas"}

    # A second report is one more sign of the same, and rings nobody twice.
    told = await site.intake.report(StaffReport(AGAIN, "gas", "dock", "jon"), site.now(3))
    assert told.ruling is Ruling.SAME
    await site.delivery.work(site.now(4))
    assert len(phone.received) == 2

    # One of them has it: nobody else is called, nor by a third report.
    (alarm,) = await site.open()
    await site.operate.acknowledge(alarm.id, "ana", site.now(5))
    await site.intake.report(StaffReport(REPORT.replace("1", "3"), "gas", "dock", "jon"), site.now(6))
    await site.delivery.work(site.now(7))
    assert (await site.alarm(alarm.id)).state is AlarmState.ACK
    assert len(phone.received) == 2


def test_from_the_code_on_the_wall_to_the_phone_with_real_processes(
    tmp_path: Path, phone: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOCSIN_WEBHOOK_SECRET", SECRET)
    ana = {
        "id": "ana",
        "name": "Ana",
        "qualifications": ["hazmat"],
        "contacts": [{"channel": "webhook", "address": phone.url("/ana")}],
    }
    with RunningCentre(tmp_path, responder=[ana]) as centre, centre.guest(origin=centre.url) as browser:
        centre.user("ines")
        to_sign_in = browser.get("/report?place=dock").headers["location"]
        (there,) = re.findall(r'name="next" value="([^"]+)"', browser.get(to_sign_in).text)
        fields = {"username": "ines", "password": PASSWORD, "next": there}
        form = browser.get(browser.post("/sign-in", data=fields).headers["location"]).text
        (place,) = re.findall(r'name="place" value="(\w+)" required checked', form)
        (report_id,) = re.findall(r'name="report_id" value="([^"]+)"', form)

        at = time.monotonic()
        picture = {"picture": ("p.jpg", sharp_jpeg(), "image/jpeg")}
        report = {"hazard": "gas", "place": place, "report_id": report_id}
        assert browser.post("/report", data=report, files=picture).status_code == 303
        until(lambda: phone.received, "the phone rings")
        # What is asserted is that it rings; the machine may be slow.
        assert time.monotonic() - at < 20
        assert phone.received[0].page["hazard"] == "gas"
        (alarm,) = centre.alarms()
        assert alarm["place"] == "Loading dock"
        assert [picture["role"] for picture in alarm["pictures"]] == ["staff"]
