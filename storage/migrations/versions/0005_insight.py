"""What rankings are filtered by, the style of answers, simulated members, digests."""

import re
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
MARKUP = re.compile(r"\*\*|```|^(?:[-*] |\d+\. |#+ )", re.MULTILINE)
AT_ONCE = 1000
RANKED = {
    "battles": "simulated state id closed_at guild_id channel_id purpose topic language"
    " mirror_of_id parent_id",
    "answers": "battle_id side id contender_id kind template characters markup seconds",
}
"""All that rankings read, so that they need not go to where the long texts are."""


def upgrade() -> None:
    """Add the columns and the tables, and measure the answers there are."""
    op.add_column("battles", sa.Column("topic", sa.Text()))
    op.add_column("battles", sa.Column("language", sa.Text()))
    for table in ("battles", "members"):
        op.add_column(
            table, sa.Column("simulated", sa.Boolean(), nullable=False, server_default=sa.false())
        )
    op.add_column("answers", sa.Column("characters", sa.Integer()))
    op.add_column("answers", sa.Column("markup", sa.Integer()))
    op.create_table(
        "recounts",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recounts")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "simulations",
        sa.Column("seed", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("guild_id", sa.BigInteger(), nullable=False),
        sa.Column("last_id", sa.BigInteger(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("seed", name=op.f("pk_simulations")),
    )
    op.create_table(
        "digests",
        sa.Column("channel_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("week", sa.Text(), nullable=False),
        sa.Column("message_id", sa.BigInteger()),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("channel_id", "week", name=op.f("pk_digests")),
    )
    _measure()
    for table, columns in RANKED.items():
        op.create_index(f"ix_{table}_ranked", table, columns.split())


def downgrade() -> None:
    """Take away what rankings are filtered by, and what is simulated or told weekly."""
    for table in RANKED:
        op.drop_index(f"ix_{table}_ranked", table)
    for table in ("digests", "simulations", "recounts"):
        op.drop_table(table)
    for column in ("markup", "characters"):
        op.drop_column("answers", column)
    for table in ("members", "battles"):
        op.drop_column(table, "simulated")
    for column in ("language", "topic"):
        op.drop_column("battles", column)


def _measure() -> None:
    statement = sa.text(
        "UPDATE answers SET characters = :characters, markup = :markup WHERE id = :id"
    )
    last = 0
    while rows := _texts(last):
        styles = [
            {"id": row.id, "characters": len(row.shown), "markup": len(MARKUP.findall(row.shown))}
            for row in rows
        ]
        op.get_bind().execute(statement, styles)
        last = rows[-1].id


def _texts(after: int) -> list[Any]:
    """The next answers whose text is still there."""
    found = sa.text(
        "SELECT id, shown FROM answers WHERE id > :after AND shown != '' ORDER BY id LIMIT :most"
    )
    return list(op.get_bind().execute(found, {"after": after, "most": AT_ONCE}))
