"""Which places are beside each other: `near` of a `[[place]]`."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

from tocsin.core.errors import ConfigError


def check_near(declared: Mapping[str, Sequence[str]], where: str) -> None:
    """Raises ConfigError for a neighbour that is not declared, or that is the place itself."""
    for place, near in declared.items():
        for other in near:
            if other == place:
                raise ConfigError(
                    f"place {place!r} is its own neighbour", where=where, hint="take it out of near"
                )
            if other not in declared:
                close = difflib.get_close_matches(other, sorted(declared), n=1)
                raise ConfigError(
                    f"place {place!r} is near {other!r}, which is not declared",
                    where=where,
                    hint=f"did you mean {close[0]!r}?" if close else "add a [[place]] with that id",
                )
