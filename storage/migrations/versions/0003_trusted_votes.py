"""What a vote was given under, what was added to it, and whose words a battle holds."""

import json
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
SNOWFLAKE = sa.BigInteger()
MOMENT = sa.DateTime(timezone=True)
CLOSINGS = "closed_because IN ('votes', 'time', 'author', 'retention', 'same_text')"
WIPINGS = "wiped_because IN ('retention', 'deleted', 'erased')"
REASONS = "reason IN ('more_correct', 'more_helpful', 'funnier', 'shorter', 'safer', 'other')"


def upgrade() -> None:
    """Add the columns and tables, and find the people's turns of the battles there are."""
    _battles()
    _votes()
    _turns()
    _remarks()
    _sightings()
    _setting_changes()
    _exports()


def downgrade() -> None:
    """Take away what votes were given under, and whose words battles hold."""
    for table in ("exported", "setting_changes", "sightings", "remarks", "turns"):
        op.drop_table(table)
    op.drop_column("exports", "purpose")
    for column in ("swapped", "votes_before", "full_text", "seconds", "guessed_at"):
        op.drop_column("votes", column)
    for index in ("state_revealed_at", "mirror_of_id"):
        op.drop_index(op.f(f"ix_battles_{index}"), "battles")
    for column in (
        "texts_since",
        "wiped_because",
        "edited_at",
        "revealed_at",
        "closed_because",
        "mirror_of_id",
    ):
        op.drop_column("battles", column)


def _battles() -> None:
    column = sa.Column("mirror_of_id", ROW_ID, sa.ForeignKey("battles.id"))
    op.add_column("battles", column, inline_references=True)
    op.create_index(op.f("ix_battles_mirror_of_id"), "battles", ["mirror_of_id"])
    closings = sa.CheckConstraint(CLOSINGS, name=op.f("ck_battles_closed_because"))
    op.add_column("battles", sa.Column("closed_because", sa.Text(), closings))
    op.add_column("battles", sa.Column("revealed_at", MOMENT))
    op.add_column("battles", sa.Column("edited_at", MOMENT))
    wipings = sa.CheckConstraint(WIPINGS, name=op.f("ck_battles_wiped_because"))
    op.add_column("battles", sa.Column("wiped_because", sa.Text(), wipings))
    op.add_column("battles", sa.Column("texts_since", MOMENT))
    index = op.f("ix_battles_state_revealed_at")
    op.create_index(index, "battles", ["state", "revealed_at"])


def _votes() -> None:
    op.add_column("votes", sa.Column("guessed_at", MOMENT))
    op.add_column("votes", sa.Column("seconds", sa.Float()))
    _add_counted("full_text", sa.Boolean(), sa.false())
    _add_counted("votes_before", sa.Integer(), "0")
    _add_counted("swapped", sa.Boolean(), sa.false())


def _add_counted(name: str, kind: Any, default: Any) -> None:  # noqa: ANN401
    op.add_column("votes", sa.Column(name, kind, nullable=False, server_default=default))


def _turns() -> None:
    turns = op.create_table(
        "turns",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("battle_id", ROW_ID, nullable=False),
        sa.Column("author_id", SNOWFLAKE, nullable=False),
        sa.Column("message_id", SNOWFLAKE, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_turns")),
        sa.ForeignKeyConstraint(
            ["battle_id"], ["battles.id"], name=op.f("fk_turns_battle_id_battles")
        ),
    )
    for name in ("battle_id", "author_id", "message_id"):
        op.create_index(op.f(f"ix_turns_{name}"), "turns", [name])
    op.bulk_insert(turns, list(_words()))


def _words() -> Iterator[dict[str, int | None]]:
    """Whose words each battle holds, in what people said and in what the bot had answered."""
    battles = "SELECT id, shown_message_id, conversation FROM battles ORDER BY id"
    shown: dict[int, list[tuple[int, int | None]]] = {}
    for battle, message, stored in op.get_bind().execute(sa.text(battles)):
        conversation = json.loads(stored) if isinstance(stored, str) else stored
        words: list[tuple[int, int | None]] = []
        answered: list[tuple[int, int | None]] = []
        for turn in conversation["turns"]:
            where = turn["message_id"] and int(turn["message_id"])
            if turn["is_bot"]:
                answered += shown.get(where, ())
            elif turn["author_id"] != "0":
                words.append((int(turn["author_id"]), where))
        words += dict.fromkeys(pair for pair in answered if pair not in words)
        if message is not None:
            shown[message] = words
        for author, where in words:
            yield {"battle_id": battle, "author_id": author, "message_id": where}


def _remarks() -> None:
    op.create_table(
        "remarks",
        sa.Column("battle_id", ROW_ID, nullable=False),
        sa.Column("voter_id", SNOWFLAKE, autoincrement=False, nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.Column("edited_answer_id", ROW_ID, nullable=True),
        sa.Column("edit", sa.Text(), nullable=True),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("battle_id", "voter_id", name=op.f("pk_remarks")),
        sa.CheckConstraint(REASONS, name=op.f("ck_remarks_reason")),
        sa.CheckConstraint(
            "(edited_answer_id IS NULL) = (edit IS NULL)", name=op.f("ck_remarks_edit")
        ),
        sa.ForeignKeyConstraint(
            ["battle_id", "voter_id"],
            ["votes.battle_id", "votes.voter_id"],
            name=op.f("fk_remarks_battle_id_voter_id_votes"),
        ),
        sa.ForeignKeyConstraint(
            ["battle_id", "edited_answer_id"],
            ["answers.battle_id", "answers.id"],
            name=op.f("fk_remarks_battle_id_edited_answer_id_answers"),
        ),
    )
    op.create_index(op.f("ix_remarks_voter_id"), "remarks", ["voter_id"])


def _sightings() -> None:
    op.create_table(
        "sightings",
        sa.Column("battle_id", ROW_ID, nullable=False),
        sa.Column("member_id", SNOWFLAKE, autoincrement=False, nullable=False),
        sa.Column("swapped", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("shown_at", MOMENT, nullable=True),
        sa.Column("full_text_at", MOMENT, nullable=True),
        sa.Column("told_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("battle_id", "member_id", name=op.f("pk_sightings")),
        sa.ForeignKeyConstraint(
            ["battle_id"], ["battles.id"], name=op.f("fk_sightings_battle_id_battles")
        ),
    )
    op.create_index(op.f("ix_sightings_member_id"), "sightings", ["member_id"])
    # Until now every press was answered with the reveal.
    op.execute(
        "INSERT INTO sightings (battle_id, member_id, told_at)"
        " SELECT battle_id, voter_id, min(at) FROM vote_events GROUP BY battle_id, voter_id"
    )


def _setting_changes() -> None:
    op.create_table(
        "setting_changes",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("guild_id", SNOWFLAKE, nullable=False),
        sa.Column("member_id", SNOWFLAKE, nullable=False),
        sa.Column("setting", sa.Text(), nullable=False),
        sa.Column("before", sa.JSON(), nullable=True),
        sa.Column("after", sa.JSON(), nullable=True),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_setting_changes")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_setting_changes_guild_id"), "setting_changes", ["guild_id"])


def _exports() -> None:
    op.add_column("exports", sa.Column("purpose", sa.Text()))
    op.create_table(
        "exported",
        sa.Column("export_id", ROW_ID, nullable=False),
        sa.Column("battle_id", ROW_ID, nullable=False),
        sa.PrimaryKeyConstraint("export_id", "battle_id", name=op.f("pk_exported")),
        sa.ForeignKeyConstraint(
            ["export_id"], ["exports.id"], name=op.f("fk_exported_export_id_exports")
        ),
        sa.ForeignKeyConstraint(
            ["battle_id"], ["battles.id"], name=op.f("fk_exported_battle_id_battles")
        ),
    )
    op.create_index(op.f("ix_exported_battle_id"), "exported", ["battle_id"])
