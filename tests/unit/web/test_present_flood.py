"""The board in a flood: what is open by place and source, and nothing left out."""

from __future__ import annotations

from dataclasses import replace

from tests.browser.render_samples import NOW, alarm, flooded, render

from tocsin.web.present_flood import MOST_GROUPS, flood_view


def test_without_a_flood_there_is_none() -> None:
    assert flood_view([]) is None
    assert flood_view([alarm()]) is None
    over = alarm("alarm-flood", state="RTN_UNACK", live=False)
    assert flood_view([alarm(), over]) is None


def test_it_groups_what_is_open_and_counts_what_is_owed() -> None:
    view = flood_view(flooded(NOW))
    assert view is not None
    assert (view.count, view.owed) == (15, 13)
    assert view.gravest is not None
    assert view.gravest.hazard == "flame"
    assert [(one.name, one.count, one.owed) for one in view.by_place] == [
        ("Tank farm", 9, 8), ("Dock 2", 5, 4), ("Hall 3, north bay", 1, 1),
    ]  # fmt: skip
    assert sum(one.count for one in view.by_place) == view.count
    assert len(view.by_source) == MOST_GROUPS


def test_the_board_shows_the_flood_and_every_alarm() -> None:
    page = render("flood")
    assert 'id="flood" data-refresh data-on="yes"' in page
    assert "15 open, 13 to answer" in page
    assert page.count('<article class="card') == 16
    assert "near Hall 3, 48.13740, 11.57550 ± 12 m" in page
    assert 'data-on="no"' in render("alarms")


def test_names_are_escaped() -> None:
    evil = replace(alarm(), place="<script>x</script>")
    view = flood_view([evil, alarm("alarm-flood")])
    assert view is not None
    assert view.by_place[0].name == "<script>x</script>"
