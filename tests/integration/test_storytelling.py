"""An alarm's story: what belongs together in one sentence, and nothing that a name smuggles in."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.answers import AnsweredSite
from tests.support.cli import Cli
from tests.support.running import RunningCentre, post_edge
from tests.support.running import an_edge as an_edge_of_now
from tests.support.site import a_responder, after, again, an_edge, gone

from tocsin.core.alarm import AlarmId
from tocsin.core.handling import HandlingStage
from tocsin.core.journal import Entry, JournalEntry
from tocsin.core.observation import SourceKind
from tocsin.flows.storytelling import MAX_SENTENCES, Story, offset_text, plain, story_of
from tocsin.stores.sql import SqlStore
from tocsin.telling.html import POLICY, story_html
from tocsin.telling.pdf import story_pdf

HOSTILE = "</script><img src=x onerror=alert(1)>{{7*7}}\u202eevil\x00\n&quot;"


class Taken:
    name = "sms"

    async def send(self, message: object) -> str:
        return "taken"


@pytest.fixture
def site(store: SqlStore, tmp_path: Path) -> AnsweredSite:
    people = [a_responder(name, channel="sms", address="+351900000001") for name in ("Ana", "Ben")]
    return AnsweredSite(store, tmp_path, *people, channels={"sms": Taken()})


async def told(site: AnsweredSite, number: int = 1, at_s: float = 999) -> Story:
    story = await site.telling.numbered(number, site.now(at_s))
    assert story is not None
    return story


def lines(story: Story) -> list[str]:
    return [f"{one.at:%H:%M:%S} {one.text}" for one in story.sentences]


@pytest.mark.anyio
async def test_an_alarm_reads_like_a_story(site: AnsweredSite) -> None:
    edge = an_edge()
    alarm = await site.raised(edge)
    await site.delivery.work(site.now(1))
    for at_s in (5, 8, 9):
        await site.take(again(edge, at_s))
    await site.take(an_edge("smoke", by=SourceKind.STAFF, source="rui", at_s=12))
    await site.linking.seen(site.link(await site.page_of(alarm.id)), site.now(20))
    await site.linking.use(site.link(await site.page_of(alarm.id)), site.now(41))
    await site.operate.handle(alarm.id, HandlingStage.ON_THE_WAY, "rui", site.now(60))
    await site.operate.handle(alarm.id, HandlingStage.ON_SITE, "rui", site.now(260))
    await site.take(gone(edge, 300))
    await site.operate.resolve(alarm.id, "rui", "false", "the boiler", site.now(400), cause="steam")
    story = await told(site)
    assert lines(story) == [
        "12:00:00 Camera cam-1 saw smoke at Rolling hall (0.80), and Ana and Ben were called "
        "(nobody could be assigned; nobody on duty is qualified for fire; everyone on duty).",
        "12:00:01 Messages left for Ana (sms) and Ben (sms).",
        "12:00:05 Camera cam-1 saw smoke again; the same 2 more times until 12:00:09.",
        "12:00:12 rui reported smoke at Rolling hall as well.",
        "12:00:20 Ana saw it.",
        "12:00:41 Ana acknowledged by link.",
        "12:01:00 rui was on the way.",
        "12:04:20 rui was on site.",
        "12:05:00 Camera cam-1 no longer sees it.",
        "12:06:40 rui closed it (False alarm: Steam; the boiler).",
    ]
    assert story.ending == "False alarm: Steam"
    times = {one.what: (one.after_s, one.by) for one in story.milestones}
    assert times["First seen"] == (20.0, "Ana")
    assert times["First acknowledged"] == (41.0, "Ana")
    assert times["First on site"] == (260.0, "rui")


@pytest.mark.anyio
async def test_calling_that_stops_and_begins_anew_stands_where_it_happened(site: AnsweredSite) -> None:
    alarm = await site.raised()
    await site.operate.acknowledge(alarm.id, "rui", site.now(3))
    await site.take(an_edge("flame", at_s=10))
    await site.operate.shelve(alarm.id, "rui", "works", "", 15, site.now(20))
    await site.operate.unshelve(alarm.id, "rui", site.now(30))
    await site.delivery.escalate(site.now(200))
    said = lines(await told(site))
    assert said[1] == "12:00:03 rui acknowledged in the console, and calling stopped."
    assert said[2].startswith(
        "12:00:10 Camera cam-1 saw open flame, a graver sign, at Rolling hall (0.80), and "
    )
    assert said[3] == "12:00:20 rui silenced it for 15 min (Permitted works in view), and calling stopped."
    assert said[4].startswith("12:00:30 The silence ended (ended by a person), and Ana and Ben were called")
    assert said[5].startswith("12:03:20 Nobody had answered, so Ana and Ben were called")


@pytest.mark.anyio
async def test_nothing_in_a_name_gets_into_the_page_or_the_paper(site: AnsweredSite) -> None:
    alarm = await site.raised()
    policy = replace(site.policy, places={"hall": HOSTILE}, site=HOSTILE)
    async with site.store.reading() as unit:
        entries = [one.entry for one in await unit.journal.of(alarm.id)]
        edges = [edge for _, edge in await unit.edges.of([alarm.id])]
    entries.append(JournalEntry(after(9), Entry.RESOLVED, alarm.id, HOSTILE, HOSTILE, HOSTILE))
    entries.append(JournalEntry(after(9), Entry.ESCALATED, alarm.id, HOSTILE, HOSTILE, f"{HOSTILE}, Eva"))
    story = story_of(alarm, policy, entries, edges, {"cam-1": HOSTILE})
    text = story_html(story).decode()
    tags = set(re.findall(r"<([a-z!/][a-z0-9]*)", text.lower()))
    assert not tags & {"script", "img", "iframe", "svg", "/script"}
    assert "alert(1)&gt;" in text
    assert "{{7*7}}" in text, "told, and not worked out"
    for sign in ("\u202e", "\x00"):
        assert sign not in text
    assert f'content="{POLICY.replace(chr(39), "&#39;")}"' in text
    assert story_pdf(story).startswith(b"%PDF-")


@pytest.mark.anyio
async def test_a_story_is_bounded_and_says_what_it_left_out(site: AnsweredSite) -> None:
    alarm = await site.raised()
    entries = [
        JournalEntry(after(n), Entry.ON_THE_WAY, alarm.id, f"rui {n}", "said by link")
        for n in range(MAX_SENTENCES + 500)
    ]
    story = story_of(alarm, site.policy, entries, [], {})
    assert len(story.sentences) == MAX_SENTENCES + 1
    assert story.sentences[0].text.startswith("rui 0 ")
    assert story.sentences[-1].text.startswith(f"rui {MAX_SENTENCES + 499} ")
    assert any(one.text.startswith("500 more sentences are left out here") for one in story.sentences)


@pytest.mark.anyio
async def test_every_kind_of_entry_is_told_in_a_whole_sentence(site: AnsweredSite) -> None:
    alarm = await site.raised()
    for kind in Entry:
        entry = JournalEntry(after(5), kind, alarm.id, "rui", "somebody has it, by link", "Ana")
        for one in story_of(alarm, site.policy, [entry], [], {}).sentences:
            assert re.fullmatch(r"[A-Zr].{5,}\.", one.text), (kind, one.text)
            assert "None" not in one.text


@pytest.mark.anyio
async def test_an_unknown_alarm_has_no_story(site: AnsweredSite) -> None:
    assert await site.telling.numbered(7, site.now(0)) is None
    assert await site.telling.of(AlarmId("nobody"), site.now(0)) is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, ""), (3, "+3 s"), (125, "+2 min 05 s"), (4320, "+1 h 12 min"), (-4, "−4 s")],
)
def test_how_long_after_the_beginning(seconds: float, text: str) -> None:
    assert offset_text(seconds) == text


def test_a_name_is_one_line_of_bounded_length() -> None:
    assert plain("a\n\tb\u2066c\x00") == "a b c"
    assert len(plain("x" * 10_000)) == 120


def test_the_command_writes_both_files_and_says_what_is_missing(tmp_path: Path, tocsin: Cli) -> None:
    with RunningCentre(tmp_path) as centre, centre.watcher() as watcher:
        assert post_edge(watcher, an_edge_of_now("smoke")).is_success
    folder = tmp_path / "centre"
    config = tmp_path / "site.toml"
    config.write_text(f'[centre]\ndata_dir = "{folder}"\n[[place]]\nid = "hall"\nname = "Sorting hall"\n')
    html, paper = tmp_path / "one.html", tmp_path / "one.pdf"
    said = tocsin.run("alarm", "export", "1", "--html", str(html), "--pdf", str(paper), "-c", str(config))
    assert "one.html written." in said
    assert "saw smoke at Sorting hall" in html.read_text()
    assert paper.read_bytes().startswith(b"%PDF-")
    tocsin.refused("alarm", "export", "9", "--html", str(html), "-c", str(config), says="no such alarm")
    tocsin.refused("alarm", "export", "1", "-c", str(config), says="no file was named")
