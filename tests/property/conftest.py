"""The same examples on every run: a failure here is a failure everywhere."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("tocsin", derandomize=True, deadline=None, database=None)
settings.load_profile("tocsin")
