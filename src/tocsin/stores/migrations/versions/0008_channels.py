"""Fallback pages, resting channels, channels' allowances, and the devices that take web push."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("pages", sa.Column("fallback", sa.Integer(), nullable=False, server_default=sa.text("0")))
    op.create_table(
        "circuits",
        sa.Column("name", sa.String(length=120), primary_key=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("trips", sa.Integer(), nullable=False),
        sa.Column("open_until", sa.BigInteger()),
        sa.Column("failed_at", sa.BigInteger()),
    )
    op.create_table(
        "allowances",
        sa.Column("name", sa.String(length=60), primary_key=True),
        sa.Column("remaining", sa.Float(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "subscriptions",
        sa.Column("endpoint", sa.String(length=1000), primary_key=True),
        sa.Column("account", sa.String(length=200), nullable=False),
        sa.Column("p256dh", sa.String(length=120), nullable=False),
        sa.Column("auth", sa.String(length=40), nullable=False),
        sa.Column("device", sa.String(length=60), nullable=False),
        sa.Column("added_at", sa.BigInteger(), nullable=False),
        sa.Column("last_ok_at", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_subscriptions_account", "subscriptions", ["account"])
    op.create_index("ix_subscriptions_last_ok_at", "subscriptions", ["last_ok_at"])
