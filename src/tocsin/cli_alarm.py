"""`tocsin alarm`: an alarm's story as a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tocsin.clocks import SystemClock
from tocsin.core.errors import InvalidInputError, NotFoundError
from tocsin.terminal import ConfigOption, config_of, on_store, out

if TYPE_CHECKING:
    from tocsin.stores.sql import SqlStore

alarm_app = typer.Typer(help="What became of an alarm.", no_args_is_help=True)


@alarm_app.callback()
def alarm() -> None:
    """What became of an alarm."""


@alarm_app.command("export")
def export(
    number: Annotated[int, typer.Argument(help="The alarm's number, as people say it.", min=1)],
    html: Annotated[Path | None, typer.Option(help="Write its story here, as one HTML file.")] = None,
    pdf: Annotated[Path | None, typer.Option(help="Write its story here, as a PDF.")] = None,
    config: ConfigOption = None,
) -> None:
    """Write an alarm's story, with its redacted pictures and times, to a file."""
    from tocsin import wiring
    from tocsin.flows.storytelling import Storytelling
    from tocsin.stores.pictures import FilePictures

    if html is None and pdf is None:
        raise InvalidInputError(
            "no file was named", where="tocsin alarm export", hint="give --html FILE, --pdf FILE or both"
        )
    site = config_of(config)

    async def act(store: SqlStore) -> None:
        pictures = FilePictures(site.centre.data_dir / "pictures")
        telling = Storytelling(store, pictures, wiring.policy_of(site))
        story = await telling.numbered(number, SystemClock().now())
        if story is None:
            raise NotFoundError("there is no such alarm", where=f"alarm {number}", hint="it may have ended")
        if html is not None:
            from tocsin.telling.html import story_html

            html.write_bytes(story_html(story))
            out.print(f"{html} written.", highlight=False, soft_wrap=True, markup=False)
        if pdf is not None:
            from tocsin.telling.pdf import story_pdf

            pdf.write_bytes(story_pdf(story))
            out.print(f"{pdf} written.", highlight=False, soft_wrap=True, markup=False)

    on_store(site, act)
