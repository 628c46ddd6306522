"""Pages that are told with another one, alarms by when they were raised, and the watchman's last round."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0009"


def upgrade() -> None:
    op.add_column(
        "pages", sa.Column("carrier", sa.String(length=40), nullable=False, server_default=sa.text("''"))
    )
    waits = sa.text("state = 'grouped' AND done_at IS NULL")
    op.create_index("pages_waiting", "pages", ["carrier"], sqlite_where=waits, postgresql_where=waits)
    told = sa.text("carrier <> ''")
    op.create_index("pages_told", "pages", ["run_at"], sqlite_where=told, postgresql_where=told)
    op.create_index("alarms_raised", "alarms", ["raised_at"])
    op.create_table(
        "watchman",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
