"""The console's pages, rendered: what the policy forbids, what must always be said, what can be read."""

from __future__ import annotations

import re
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
from tests.browser.render_samples import NOW, PAGES, WEB, alarm, alarms, cameras, card, environment, render

EVERY_PAGE = sorted(PAGES)
HOSTILE = '<script>alert(1)</script>" onload="x'


class Page(HTMLParser):
    """A page's elements, flat: enough to ask what stands on it."""

    VOID = frozenset({"br", "hr", "img", "input", "link", "meta", "wbr"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.problems: list[str] = []
        self.feed(html)
        if self.open:
            self.problems.append(f"never closed: {self.open}")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open[-1] != tag:
            self.problems.append(f"</{tag}> closes {self.open[-1:]}")
        if tag in self.open:
            while self.open.pop() != tag:
                pass

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def ids(self) -> list[str]:
        return [attributes["id"] for _, attributes in self.elements if "id" in attributes]


@pytest.mark.parametrize("name", EVERY_PAGE)
def test_a_page_needs_nothing_that_the_policy_forbids(name: str) -> None:
    page = Page(render(name, drill_site=True))
    for tag, attributes in page.elements:
        assert tag != "style"
        assert "style" not in attributes, (tag, attributes)
        assert not [a for a in attributes if a.startswith("on")], (tag, attributes)
        assert not [v for v in attributes.values() if v.strip().lower().startswith(("data:", "javascript:"))]
        for link in ("src", "href", "action"):
            assert not re.match(r"(?i)[a-z]+:|//", attributes.get(link, "")), (tag, attributes)
    assert all("src" in script for script in page.all("script"))


@pytest.mark.parametrize("name", EVERY_PAGE)
def test_a_page_is_well_made(name: str) -> None:
    page = Page(render(name, drill_site=True))
    assert page.problems == []
    assert len(page.ids) == len(set(page.ids))
    for tag, attributes in page.elements:
        for reference in ("for", "aria-labelledby", "aria-describedby"):
            for target in attributes.get(reference, "").split():
                assert target in page.ids, (tag, attributes)
        if tag == "use":
            assert attributes["href"].removeprefix("#") in page.ids, attributes
        if tag == "img":
            assert attributes["alt"]
    labelled = {label["for"] for label in page.all("label") if "for" in label}
    for tag in ("select", "textarea", "input"):
        for control in page.all(tag):
            if control.get("type") not in ("hidden", "radio"):
                assert control["id"] in labelled, control
    assert len(page.all("h1")) == 1
    assert len(page.all("main")) == 1


def test_every_shape_of_the_shapes_file_is_used() -> None:
    """A shape that nothing points to is left over."""
    everything = "".join(render(name) for name in EVERY_PAGE)
    used = set(re.findall(r'<use href="#([^"]+)"', everything))
    drawn = set(re.findall(r'<symbol id="([^"]+)"', everything))
    assert drawn - used <= {"s-alarm-3", "s-alarm-4"}  # priorities that no built-in alarm has yet


def test_what_others_wrote_is_never_markup() -> None:
    view = alarm(
        place=HOSTILE,
        reason=HOSTILE,
        source_text=HOSTILE,
        handled_by=HOSTILE,
        silence_text=HOSTILE,
        late_text=HOSTILE,
    )
    html = environment().get_template("alarm.html").render(alarm=view)
    assert "<script>alert" not in html
    assert '" onload="' not in html


def test_the_forms_of_a_card_work_without_a_script() -> None:
    html = card(alarm(can_resolve=True, can_unshelve=True))
    page = Page(html)
    assert [form["action"] for form in page.all("form")] == [
        "/alarms/a214/acknowledge",
        "/alarms/a214/unshelve",
        "/alarms/a214/resolve",
        "/alarms/a214/shelve",
    ]
    assert all(form["method"] == "post" for form in page.all("form"))
    assert sorted({c["name"] for t in ("select", "textarea") for c in page.all(t)}) == [
        "cause",
        "minutes",
        "note",
        "outcome",
        "reason",
    ]
    assert [note["maxlength"] for note in page.all("textarea")] == ["300", "300"]
    assert html.count("never describe people") == 2


def test_a_card_offers_only_what_makes_sense_now() -> None:
    html = card(alarm(state="NORMAL", can_acknowledge=False, can_shelve=False))
    assert Page(html).all("form") == []


@pytest.mark.parametrize("state", ["UNACK", "ACK", "RTN_UNACK", "LATCHED"])
def test_a_state_is_told_by_word_and_shape(state: str) -> None:
    view = alarm(state=state)
    html = card(view)
    chip = html[html.index('class="chip chip-state"') :]
    chip = chip[: chip.index("</li>")]
    assert view.state_text in chip
    assert "<use " in chip
    assert view.priority_text in html


def test_the_signals_have_shapes_of_their_own() -> None:
    shapes = {
        code: card(alarm(code)) for code in ("flame", "smoke", "egress", "camera-silent", "camera-blurred")
    }
    found = {code: re.findall(r'href="#(s-[^"]+)"', html) for code, html in shapes.items()}
    assert found == {
        "flame": ["s-alarm-1"],
        "smoke": ["s-alarm-2"],
        "egress": ["s-supervisory"],
        "camera-silent": ["s-trouble"],
        "camera-blurred": ["s-trouble"],
    }


def test_a_drill_is_marked_wherever_it_is_shown() -> None:
    drill = alarm(drill=True, status="Exercise")
    env = environment()
    for template, values in (
        ("_alarm_card.html", {"alarm": drill}),
        ("alarm.html", {"alarm": drill}),
        ("history.html", {"alarms": [drill], "next_url": None}),
    ):
        assert '<span class="drill">Drill</span>' in env.get_template(template).render(**values), template
    assert 'class="drill"' not in card(alarm())


def test_a_drill_site_says_so_on_every_page() -> None:
    for name in EVERY_PAGE:
        assert "drill-banner" in render(name, drill_site=True)
        assert "drill-banner" not in render(name)


def calm_of(html: str) -> str:
    found = re.search(r'id="calm" data-calm="(\w+)"( hidden)?', html)
    assert found
    return "hidden" if found[2] else found[1]


def test_lost_sight_is_never_called_calm() -> None:
    """Invariant 2: all calm is said only where every camera sees."""
    env = environment()

    def page(**values: object) -> str:
        return env.get_template("alarms.html").render(
            **({"alarms": [], "cameras": [], "warnings": []} | values)
        )

    assert calm_of(page(cameras=cameras(calm=True))) == "yes"
    assert calm_of(page(cameras=cameras())) == "no"
    assert calm_of(page()) == "no"
    assert calm_of(page(alarms=alarms(), cameras=cameras(calm=True))) == "hidden"


def test_the_summary_counts_what_sees_and_says_the_oldest_look() -> None:
    assert "9 of 12 cameras see. Oldest look 8 s ago." in re.sub(r"\s+", " ", render("cameras"))
    assert "12 of 12 cameras see." in render("calm")
    assert "No camera is set up." in render("empty")


@pytest.mark.parametrize(
    ("age", "text"),
    [(0, "0 s ago"), (59, "59 s ago"), (60, "1 min ago"), (3599, "59 min ago"), (3600, "1 h ago"),
     (172799, "47 h ago"), (172800, "2 d ago"), (-3, "0 s ago")],
)  # fmt: skip
def test_ages_read_as_people_say_them(age: int, text: str) -> None:
    template = environment().from_string('{% from "_bits.html" import ago with context %}{{ ago(at) }}')
    assert f">{text}<" in template.render(at=NOW - timedelta(seconds=age))


def test_a_page_for_nobody_has_no_navigation_and_no_stream() -> None:
    html = render("sign-in")
    assert 'class="nav"' not in html
    assert "data-signed-in" not in html
    assert "data-signed-in" in render("alarms")


def test_the_report_carries_its_id_and_plain_choices() -> None:
    page = Page(render("report"))
    fields = {c["name"] for c in page.all("input") if "name" in c}
    assert fields == {"hazard", "place", "picture", "report_id"}
    # Only hazards that staff may report: no detector's own trouble signals.
    assert "camera-silent" not in {c.get("value") for c in page.all("input")}


# The colours, measured as WCAG 2.2 does (1.4.3 and 1.4.11).


def tokens() -> dict[str, dict[str, str]]:
    css = (WEB / "assets" / "css" / "tokens.css").read_text()
    light, dark = css.split("@media (prefers-color-scheme: dark)")
    first = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", light))
    return {"light": first, "dark": first | dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", dark))}


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def mixed(colour: str, share: float, ground: str) -> str:
    """Close to CSS's color-mix: the tints are weak, so the colour space hardly matters."""
    parts = [
        round(share * int(colour[i : i + 2], 16) + (1 - share) * int(ground[i : i + 2], 16))
        for i in (1, 3, 5)
    ]
    return "#" + "".join(f"{p:02x}" for p in parts)


KINDS = ("p1", "p2", "p3", "p4", "supervisory", "trouble", "ok")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_and_shapes_stand_out(scheme: str) -> None:
    t = tokens()[scheme]
    grounds = [t["bg"], t["surface"], t["raised"], *(mixed(t[k], 0.12, t["surface"]) for k in KINDS)]
    for words in ("text", "soft"):
        assert min(contrast(t[words], ground) for ground in grounds) >= 4.5, words
    for kind in (*KINDS, "accent"):
        assert contrast(t[kind], t["surface"]) >= 4.5, kind
        assert contrast(t[kind], mixed(t[kind], 0.12, t["surface"])) >= 4.5 or kind in ("ok", "accent"), kind
    for kind in ("p1", "p2", "p3", "p4"):
        assert contrast(t["on-mark"], t[kind]) >= 4.5, kind
    assert contrast(t["on-accent"], t["accent"]) >= 4.5
    assert contrast(t["line-strong"], t["surface"]) >= 3
    assert contrast(t["accent"], t["bg"]) >= 3


def test_the_styles_fetch_nothing() -> None:
    for file in (WEB / "assets").rglob("*.css"):
        text = file.read_text()
        assert "url(" not in re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL), file.name
        assert "http" not in text


def test_the_lock_names_no_registry() -> None:
    lock = (Path(WEB).parents[2] / "package-lock.json").read_text()
    assert "://" not in lock
    assert '"resolved"' not in lock
