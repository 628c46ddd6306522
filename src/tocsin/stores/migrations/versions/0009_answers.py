"""How far pages have got, which links were used, and who is on the way or on site."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    for name in ("delivered_at", "seen_at", "acknowledged_at"):
        op.add_column("pages", sa.Column(name, sa.BigInteger()))
    op.create_table(
        "used_links",
        sa.Column("mark", sa.String(length=64), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("mark"),
    )
    op.create_index("ix_used_links_ends_at", "used_links", ["ends_at"])
    op.create_table(
        "handling",
        sa.Column("alarm_id", sa.String(length=40), nullable=False),
        sa.Column("stage", sa.String(length=20), nullable=False),
        sa.Column("answerer", sa.String(length=200), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("alarm_id", "stage", "answerer"),
    )
