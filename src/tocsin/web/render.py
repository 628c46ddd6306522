"""Templates and built assets."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, cast

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from tocsin.core.errors import TocsinError
from tocsin.core.observation import CapStatus
from tocsin.flows.maintenance import REASONS
from tocsin.flows.operate import OUTCOMES, SHELVE_REASONS
from tocsin.flows.policy import Policy
from tocsin.ports import Clock
from tocsin.web.views import AlarmView, CameraView

HERE = Path(__file__).parent
DIST = HERE / "static" / "dist"


class AssetsMissingError(TocsinError):
    """The console's styles and scripts were not built."""

    code = "assets-missing"


@cache
def _manifest() -> dict[str, dict[str, Any]]:
    path = DIST / ".vite" / "manifest.json"
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        raise AssetsMissingError(
            "the console's assets were not built", where=str(path), hint="pip install . builds them"
        ) from None


def asset(name: str) -> str:
    """The URL of a built asset. Raises AssetsMissingError."""
    for key, entry in _manifest().items():
        if key.endswith(f"/{name}"):
            return f"/static/dist/{entry['file']}"
        if name.endswith(".css") and key.endswith("/" + name.replace(".css", ".ts")) and entry.get("css"):
            return f"/static/dist/{entry['css'][0]}"
    raise AssetsMissingError(f"there is no asset {name!r}", where="manifest.json")


def assets_of(name: str) -> tuple[str, ...]:
    """The URLs of all that a script imports, in turn, and not of itself. Raises AssetsMissingError."""
    manifest = _manifest()
    todo = [key for key in manifest if key.endswith(f"/{name}")]
    found: dict[str, str] = {}
    while todo:
        for key in manifest[todo.pop()].get("imports", []):
            if key not in found:
                found[key] = f"/static/dist/{manifest[key]['file']}"
                todo.append(key)
    return tuple(found.values())


class Renderer:
    """Pages and the fragments that go over the live stream."""

    def __init__(self, policy: Policy, clock: Clock) -> None:
        self._clock = clock
        self._policy = policy
        self._env = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=select_autoescape(default=True),
            undefined=StrictUndefined,
            trim_blocks=False,
        )
        self._sight = self._env.from_string(
            '{% from "_bits.html" import sight with context %}{{ sight(cameras) }}'
        )
        everywhere: dict[str, Any] = {
            "asset": asset,
            "site_name": policy.site,
            "drill_site": policy.status is not CapStatus.ACTUAL,
            "outcomes": list(OUTCOMES.items()),
            "causes_of": {
                hazard.code: [(cause.code, cause.name) for cause in policy.causes.of(hazard.family)]
                for hazard in policy.catalogue
            },
            "shelve_reasons": list(SHELVE_REASONS.items()),
            "service_reasons": list(REASONS.items()),
            "keep_alarms_days": policy.keep_alarms_days,
            "keep_pictures_days": policy.keep_pictures_days,
        }
        cast("dict[str, Any]", self._env.globals).update(everywhere)

    def page(self, template: str, user: str | None, **context: Any) -> str:
        """A whole page."""
        return self._env.get_template(template).render(user=user, now=self._clock.now(), **context)

    def card(self, alarm: AlarmView) -> str:
        return self.page("_alarm_card.html", None, alarm=alarm)

    def cards(self, alarms: Sequence[AlarmView]) -> str:
        return "".join(self.card(alarm) for alarm in alarms)

    def cameras(self, cameras: Sequence[CameraView]) -> str:
        return self.page("_cameras.html", None, cameras=cameras)

    def sight(self, cameras: Sequence[CameraView]) -> str:
        """The summary line: how many cameras see, and how old the oldest look is."""
        return self._sight.render(cameras=cameras, now=self._clock.now())
