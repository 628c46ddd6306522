"""The story as a PDF of A4 pages, with a font of its own: Latin, Greek, Cyrillic and more.

fpdf2 takes text as text: nothing in a hostile name is ever read as markup, which is why it was chosen over
ReportLab's paragraphs (decision 22).
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Final

from fpdf import FPDF
from fpdf.enums import XPos, YPos
from fpdf.fonts import FontFace

from tocsin.flows.storytelling import Story, offset_text

_FONTS: Final = Path(__file__).parent / "fonts"
_WORDS: Final = "DejaVu"
_SOFT: Final = (90, 98, 104)
_MARGIN_MM: Final = 18.0
_GAP_MM: Final = 4.0


class _Paper(FPDF):
    """A4, with the page's number and the alarm's on each page."""

    def __init__(self, story: Story) -> None:
        super().__init__(format="A4")
        self._foot = f"{story.site}, alarm {story.number}"
        self.set_margin(_MARGIN_MM)
        self.set_auto_page_break(True, margin=_MARGIN_MM)
        self.add_font(_WORDS, fname=_FONTS / "DejaVuSans.ttf")
        self.add_font(_WORDS, style="B", fname=_FONTS / "DejaVuSans-Bold.ttf")

    def footer(self) -> None:
        self.set_y(-12)
        self.set_font(_WORDS, size=8)
        self.set_text_color(*_SOFT)
        self.cell(0, 5, f"{self._foot}, page {self.page_no()}", align="R")

    def line_of(self, text: str, size: float, *, bold: bool = False, soft: bool = False) -> None:
        self.set_font(_WORDS, style="B" if bold else "", size=size)
        self.set_text_color(*(_SOFT if soft else (0, 0, 0)))
        self.multi_cell(0, size * 0.5, text, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)


def story_pdf(story: Story) -> bytes:
    """The whole file. Takes some tenths of a second: call it in a thread."""
    paper = _Paper(story)
    paper.set_title(story.title)
    paper.set_creator("Tocsin")
    paper.set_lang("en")
    paper.set_creation_date(story.told_at)
    paper.add_page()
    if story.drill:
        paper.line_of(f"{story.drill.upper()}: not a real hazard", 12, bold=True)
    paper.line_of(story.title, 17, bold=True)
    raised = f"{story.raised_at:%A %d %B %Y, %H:%M:%S %Z}"
    paper.line_of(f"{story.site}, {raised}. {story.ending}", 10, soft=True)
    _heading(paper, "What happened")
    _table(
        paper,
        (17, 24, 133),
        [(f"{one.at:%H:%M:%S}", offset_text(one.offset_s), one.text) for one in story.sentences],
    )
    if story.milestones:
        _heading(paper, "Times")
        rows = [(one.what, f"{one.at:%H:%M:%S}", f"{one.after_s:.1f} s", one.by) for one in story.milestones]
        _table(paper, (50, 24, 30, 70), [("What", "At", "After the alarm", "Who"), *rows], head=True)
    if story.pictures:
        _heading(paper, "What the camera saw")
        paper.line_of("Outside the hazard each picture is a coarse mosaic.", 9, soft=True)
        _pictures(paper, story)
    paper.ln(6)
    told = f"Told by Tocsin on {story.told_at:%Y-%m-%d %H:%M:%S %Z} from the alarm's journal."
    paper.line_of(f"{told} Tocsin watches things, not people.", 8, soft=True)
    return bytes(paper.output())


def _heading(paper: _Paper, text: str) -> None:
    paper.ln(5)
    paper.line_of(text, 12, bold=True)
    paper.ln(1)


def _table(
    paper: _Paper, widths: tuple[int, ...], rows: list[tuple[str, ...]], *, head: bool = False
) -> None:
    paper.set_font(_WORDS, size=9)
    paper.set_text_color(0, 0, 0)
    paper.set_draw_color(190, 196, 200)
    with paper.table(
        col_widths=widths,
        text_align="LEFT",
        line_height=4.6,
        borders_layout="HORIZONTAL_LINES",
        first_row_as_headings=head,
        headings_style=FontFace(emphasis="BOLD"),
        markdown=False,
    ) as table:
        for row in rows:
            table.row(row)


def _pictures(paper: _Paper, story: Story) -> None:
    """Two beside each other, each with its time below."""
    width = (paper.epw - _GAP_MM) / 2
    for first in range(0, len(story.pictures), 2):
        pair = story.pictures[first : first + 2]
        height = max(width * one.height_px / one.width_px for one in pair)
        if paper.will_page_break(height + 6):
            paper.add_page()
        top = paper.get_y() + 2
        for place, one in enumerate(pair):
            left = paper.l_margin + place * (width + _GAP_MM)
            paper.image(BytesIO(one.jpeg), x=left, y=top, w=width, alt_text=f"Picture {one.role} the moment")
            paper.set_xy(left, top + height)
            paper.set_font(_WORDS, size=8)
            words = f"{one.role.capitalize()} {one.at:%H:%M:%S} {offset_text(one.offset_s)}"
            paper.cell(width, 5, words.strip())
        paper.set_xy(paper.l_margin, top + height + 6)
