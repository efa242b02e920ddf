"""Battles that go on with another one's answers.

Added in place: SQLite would have to rebuild the table otherwise, which foreign keys
that are checked forbid.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Let a battle refer to its parent."""
    column = sa.Column("parent_id", ROW_ID, sa.ForeignKey("battles.id"))
    op.add_column("battles", column, inline_references=True)
    op.create_index(op.f("ix_battles_parent_id"), "battles", ["parent_id"])


def downgrade() -> None:
    """Battles that went on with another one's answers stand alone again."""
    op.drop_index(op.f("ix_battles_parent_id"), "battles")
    op.drop_column("battles", "parent_id")
