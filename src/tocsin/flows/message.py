"""What a page says: short enough for a lock screen, with the place first and a link to the alarm."""

from __future__ import annotations

from datetime import datetime

from tocsin.core.alarm import Alarm, AlarmState
from tocsin.core.correlation import position_text
from tocsin.core.dispatch import Page
from tocsin.core.links import Purpose
from tocsin.core.observation import CapStatus
from tocsin.flows.policy import Policy
from tocsin.ports import Message


def compose(page: Page, alarm: Alarm, policy: Policy, now: datetime) -> Message:
    """The message of one page. It never holds a picture, and no secret but the link that answers it."""
    hazard = policy.catalogue.get(alarm.hazard)
    place = policy.place_name(alarm.place)
    drill = "" if alarm.status is CapStatus.ACTUAL else f"{alarm.status.value.upper()} (no real hazard): "
    zone = policy.roster.zone
    raised = alarm.raised_at.astimezone(zone)
    url = f"{policy.url.rstrip('/')}/alarms/{alarm.id}"
    link = link_of(page, policy, now)
    gone = (
        " It is no longer seen, but nobody has acknowledged it."
        if alarm.state is AlarmState.RTN_UNACK
        else ""
    )
    position = position_text(alarm, policy.layout)
    lines = [
        f"{drill}{hazard.name} at {place}, alarm {alarm.number}, {policy.site}.",
        f"Raised {raised:%H:%M:%S} on {raised:%Y-%m-%d} ({raised:%Z}): {alarm.reason}.{gone}",
        *([f"Position: {position}."] if position else []),
        f"You are called because: {page.why}.",
        "",
        f"Acknowledge: {link or url}",
        *((f"In the console: {url}",) if link else ()),
        "",
        *(f"{number}. {text}" for number, text in enumerate(hazard.steps, start=1)),
    ]
    return Message(
        page_id=page.id,
        address=page.address,
        responder=page.responder_name,
        subject=f"{drill}{hazard.name} at {place} (alarm {alarm.number})",
        text="\n".join(lines) + "\n",
        url=url,
        alarm_id=alarm.id,
        alarm_number=alarm.number,
        hazard=hazard.code,
        hazard_name=hazard.name,
        signal=alarm.signal.value,
        priority=int(alarm.priority),
        status=alarm.status.value,
        place=place,
        raised_at=alarm.raised_at,
        attempt=page.attempts + 1,
        acknowledge_url=link,
    )


def link_of(page: Page, policy: Policy, now: datetime) -> str:
    """The link that acknowledges without signing in; empty where the site has no key for links."""
    if policy.links is None:
        return ""
    try:
        token = policy.links.token(page.id, Purpose.ACKNOWLEDGE, now)
    except ValueError:
        return ""  # a page with an id of another kind still leaves, only without its link
    return f"{policy.url.rstrip('/')}/a/{token}"
