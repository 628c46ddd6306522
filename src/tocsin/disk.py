"""How full a disk is."""

from __future__ import annotations

import shutil
from pathlib import Path


def free_share(folder: Path) -> float:
    """The share of the disk under `folder` that is free."""
    usage = shutil.disk_usage(folder)
    return usage.free / usage.total
