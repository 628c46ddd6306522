"""A revision for each change of an alarm, so that whoever decides reads only what has changed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    revisions = op.create_table(
        "revisions",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.bulk_insert(revisions, [{"name": "alarms", "value": 0}])
    op.add_column(
        "alarms", sa.Column("revision", sa.BigInteger(), nullable=False, server_default=sa.text("0"))
    )
    op.create_index("alarms_revision", "alarms", ["revision"])
