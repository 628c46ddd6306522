"""Causes of false alarms: one outcome "false", and beside it what was taken for a hazard.

The former outcomes named several things at once; each becomes the first that it named. What was said
word for word stays in the journal.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_CAUSES = {
    "false-sun": "low-sun",
    "false-lights": "lamp",
    "false-weather": "fog",
    "false-steam": "steam",
    "false-works": "welding",
    "false-lens": "lens-insect",
    "false-other": "other",
}


def upgrade() -> None:
    op.add_column(
        "alarms", sa.Column("cause", sa.String(length=40), nullable=False, server_default=sa.text("''"))
    )
    alarms = sa.table("alarms", sa.column("outcome", sa.Text), sa.column("cause", sa.String))
    for former, cause in _CAUSES.items():
        op.execute(sa.update(alarms).where(alarms.c.outcome == former).values(outcome="false", cause=cause))
