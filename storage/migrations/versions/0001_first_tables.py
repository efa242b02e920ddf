"""The first tables.

Written out, and never changed once released: what `storage/schema.py` says later must
not alter what an old database went through.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
SNOWFLAKE = sa.BigInteger()
MOMENT = sa.DateTime(timezone=True)
WINNER = "(coalesce(outcome, '') = 'win') = (winner_answer_id IS NOT NULL)"


def upgrade() -> None:
    """Create all tables."""
    _contenders()
    _guilds()
    _members()
    _battles()
    _answers()
    _votes()
    _vote_events()
    _exports()


def _contenders() -> None:
    op.create_table(
        "contenders",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("revision", sa.Text(), nullable=False),
        sa.Column("template", sa.Text(), nullable=True),
        sa.Column("sampling", sa.JSON(), nullable=False),
        sa.Column("base_url", sa.Text(), nullable=True),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contenders")),
        sa.CheckConstraint(
            "kind IN ('base', 'instruct', 'tuned')", name=op.f("ck_contenders_kind")
        ),
        sa.UniqueConstraint("slug", name=op.f("uq_contenders_slug")),
        sqlite_autoincrement=True,
    )


def _guilds() -> None:
    op.create_table(
        "guilds",
        sa.Column("id", SNOWFLAKE, autoincrement=False, nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_guilds")),
    )


def _members() -> None:
    op.create_table(
        "members",
        sa.Column("member_id", SNOWFLAKE, autoincrement=False, nullable=False),
        sa.Column("guild_id", SNOWFLAKE, autoincrement=False, nullable=False),
        sa.Column("consent", sa.Text(), server_default="none", nullable=False),
        sa.Column("consent_version", sa.Integer(), server_default="0", nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("member_id", "guild_id", name=op.f("pk_members")),
        sa.CheckConstraint(
            "consent IN ('none', 'evaluate', 'train', 'publish')",
            name=op.f("ck_members_consent"),
        ),
    )


def _battles() -> None:
    op.create_table(
        "battles",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("source_message_id", SNOWFLAKE, nullable=False),
        sa.Column("guild_id", SNOWFLAKE, nullable=True),
        sa.Column("channel_id", SNOWFLAKE, nullable=False),
        sa.Column("author_id", SNOWFLAKE, nullable=False),
        sa.Column("prompt", sa.Text(), nullable=False),
        sa.Column("conversation", sa.JSON(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("opened_at", MOMENT, nullable=True),
        sa.Column("closed_at", MOMENT, nullable=True),
        sa.Column("shown_message_id", SNOWFLAKE, nullable=True),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_battles")),
        sa.CheckConstraint(
            "state IN ('answering', 'open', 'closed', 'failed', 'cancelled')",
            name=op.f("ck_battles_state"),
        ),
        sa.CheckConstraint(
            "purpose IN ('live', 'mirror', 'control')", name=op.f("ck_battles_purpose")
        ),
        sa.UniqueConstraint("source_message_id", name=op.f("uq_battles_source_message_id")),
        sa.UniqueConstraint("shown_message_id", name=op.f("uq_battles_shown_message_id")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_battles_author_id"), "battles", ["author_id"])


def _answers() -> None:
    op.create_table(
        "answers",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("battle_id", ROW_ID, nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("contender_id", ROW_ID, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("template", sa.Text(), nullable=False),
        sa.Column("rendered", sa.Text(), nullable=False),
        sa.Column("raw", sa.Text(), nullable=False),
        sa.Column("shown", sa.Text(), nullable=False),
        sa.Column("finish_reason", sa.Text(), nullable=False),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("prompt_tokens", sa.Integer(), nullable=False),
        sa.Column("completion_tokens", sa.Integer(), nullable=False),
        sa.Column("seconds_to_first_token", sa.Float(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("retries", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_answers")),
        sa.UniqueConstraint("battle_id", "side", name=op.f("uq_answers_battle_id_side")),
        sa.UniqueConstraint("battle_id", "id", name=op.f("uq_answers_battle_id_id")),
        sa.CheckConstraint("side IN ('a', 'b')", name=op.f("ck_answers_side")),
        sa.CheckConstraint("kind IN ('base', 'instruct', 'tuned')", name=op.f("ck_answers_kind")),
        sa.CheckConstraint(
            "finish_reason IN ('stop', 'length')", name=op.f("ck_answers_finish_reason")
        ),
        _references_battle("answers"),
        sa.ForeignKeyConstraint(
            ["contender_id"], ["contenders.id"], name=op.f("fk_answers_contender_id_contenders")
        ),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_answers_contender_id"), "answers", ["contender_id"])


def _votes() -> None:
    op.create_table(
        "votes",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("battle_id", ROW_ID, nullable=False),
        sa.Column("voter_id", SNOWFLAKE, nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("winner_answer_id", ROW_ID, nullable=True),
        sa.Column("guessed_base_answer_id", ROW_ID, nullable=True),
        sa.Column("blind", sa.Boolean(), nullable=False),
        sa.Column("by_author", sa.Boolean(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_votes")),
        sa.UniqueConstraint("battle_id", "voter_id", name=op.f("uq_votes_battle_id_voter_id")),
        sa.CheckConstraint("outcome IN ('win', 'tie', 'both_bad')", name=op.f("ck_votes_outcome")),
        sa.CheckConstraint(WINNER, name=op.f("ck_votes_winner")),
        _references_answer("votes", "winner_answer_id"),
        _references_answer("votes", "guessed_base_answer_id"),
        _references_battle("votes"),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_votes_voter_id"), "votes", ["voter_id"])


def _vote_events() -> None:
    op.create_table(
        "vote_events",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("battle_id", ROW_ID, nullable=False),
        sa.Column("voter_id", SNOWFLAKE, nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("winner_answer_id", ROW_ID, nullable=True),
        sa.Column("blind", sa.Boolean(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vote_events")),
        sa.CheckConstraint(
            "event IN ('cast', 'change', 'withdraw')", name=op.f("ck_vote_events_event")
        ),
        sa.CheckConstraint(
            "outcome IN ('win', 'tie', 'both_bad')", name=op.f("ck_vote_events_outcome")
        ),
        sa.CheckConstraint(
            "(event = 'withdraw') = (outcome IS NULL)", name=op.f("ck_vote_events_withdrawn")
        ),
        sa.CheckConstraint(WINNER, name=op.f("ck_vote_events_winner")),
        _references_answer("vote_events", "winner_answer_id"),
        _references_battle("vote_events"),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_vote_events_battle_id"), "vote_events", ["battle_id"])
    op.create_index(op.f("ix_vote_events_voter_id"), "vote_events", ["voter_id"])


def _exports() -> None:
    op.create_table(
        "exports",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("manifest", sa.JSON(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exports")),
        sqlite_autoincrement=True,
    )


def _references_battle(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["battle_id"], ["battles.id"], name=op.f(f"fk_{table}_battle_id_battles")
    )


def _references_answer(table: str, column: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["battle_id", column],
        ["answers.battle_id", "answers.id"],
        name=op.f(f"fk_{table}_battle_id_{column}_answers"),
    )
