"""An index for the few lines of the journal that say what was silenced, and what was out of service."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    which = sa.text("entry IN ('silenced', 'silence-lifted', 'out-of-service', 'in-service')")
    op.create_index("journal_quieting", "journal", ["at"], sqlite_where=which, postgresql_where=which)
