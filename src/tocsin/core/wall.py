"""The site's wall clock: which moment a local time means, also where clocks are changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache

_SECOND = timedelta(seconds=1)


@lru_cache(maxsize=16_384)  # a roster asks for the same few hours again and again
def instant(zone: tzinfo, local: datetime) -> datetime:
    """The moment, in UTC, that this naive time of the zone's wall clock means.

    A time that comes twice means the first of the two; one that is skipped means the moment it is skipped.
    Both rules are the same for a beginning and an end, so that what meets on the clock meets in time.
    """
    early = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if early.astimezone(zone).replace(tzinfo=None) == local:
        return early
    # Skipped: before the change the clock showed less, after it more. Clocks change at whole seconds.
    low = local.replace(tzinfo=zone, fold=1).astimezone(UTC).replace(microsecond=0)
    first, last = 0, int((early - low) / _SECOND) + 1
    while first < last:
        middle = (first + last) // 2
        if (low + middle * _SECOND).astimezone(zone).replace(tzinfo=None) >= local:
            last = middle
        else:
            first = middle + 1
    return low + first * _SECOND


def local_of(zone: tzinfo, moment: datetime) -> datetime:
    """What the zone's wall clock shows then, without a zone."""
    return moment.astimezone(zone).replace(tzinfo=None)
