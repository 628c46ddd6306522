"""The story as one HTML file: nothing is loaded, nothing runs, pictures lie in it."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from tocsin.flows.storytelling import Story, offset_text

_HERE: Final = Path(__file__).parent
_STYLE: Final = (_HERE / "story.css").read_text()
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "img-src data:",
        f"style-src 'sha256-{_STYLE_HASH}'",
        "base-uri 'none'",
        "form-action 'none'",
    )
)
"""Also inside the file: it is kept and sent on, where no server sets a header."""

HEADER: Final = f"{POLICY}; frame-ancestors 'none'; sandbox"

_env = Environment(
    loader=FileSystemLoader(_HERE), autoescape=select_autoescape(default=True), undefined=StrictUndefined
)


def story_html(story: Story) -> bytes:
    """The whole file, UTF-8."""
    pictures = [
        (one, base64.b64encode(one.jpeg).decode(), offset_text(one.offset_s)) for one in story.pictures
    ]
    text = _env.get_template("story.html").render(
        story=story, policy=POLICY, style=_STYLE, pictures=pictures, offset=offset_text
    )
    return text.encode()
