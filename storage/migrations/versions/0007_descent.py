"""Tuned contenders: what they were trained from and on, and where they stand."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add three columns and three tables."""
    op.add_column("exports", sa.Column("stale_since", sa.DateTime(timezone=True)))
    op.add_column("contenders", sa.Column("adapter", sa.Text()))
    op.add_column("contenders", sa.Column("parent", sa.Text()))
    op.create_table(
        "tunings",
        sa.Column("contender_id", _ROW_ID, nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("dataset", sa.Text()),
        sa.Column("adapter_sha256", sa.Text(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("trained_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("standing", sa.Text(), nullable=False),
        sa.Column("evaluation", sa.JSON(), nullable=False),
        sa.Column("stale_since", sa.DateTime(timezone=True)),
        sa.CheckConstraint(
            "standing IN ('trained', 'entered', 'resting')", name=op.f("ck_tunings_standing")
        ),
        sa.ForeignKeyConstraint(
            ["contender_id"], ["contenders.id"], name=op.f("fk_tunings_contender_id_contenders")
        ),
        sa.PrimaryKeyConstraint("contender_id", name=op.f("pk_tunings")),
    )
    op.create_table(
        "trained_on",
        sa.Column("contender_id", _ROW_ID, nullable=False),
        sa.Column("battle_id", _ROW_ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["battle_id"], ["battles.id"], name=op.f("fk_trained_on_battle_id_battles")
        ),
        sa.ForeignKeyConstraint(
            ["contender_id"], ["contenders.id"], name=op.f("fk_trained_on_contender_id_contenders")
        ),
        sa.PrimaryKeyConstraint("contender_id", "battle_id", name=op.f("pk_trained_on")),
    )
    op.create_index(op.f("ix_trained_on_battle_id"), "trained_on", ["battle_id"])
    op.create_table(
        "unranked",
        sa.Column("battle_id", _ROW_ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["battle_id"], ["battles.id"], name=op.f("fk_unranked_battle_id_battles")
        ),
        sa.PrimaryKeyConstraint("battle_id", name=op.f("pk_unranked")),
    )


def downgrade() -> None:
    """Take them away again."""
    op.drop_table("unranked")
    op.drop_table("trained_on")
    op.drop_table("tunings")
    op.drop_column("contenders", "parent")
    op.drop_column("contenders", "adapter")
    op.drop_column("exports", "stale_since")
