"""The tables. What must never be stored is refused here, by the database itself.

Migrations build exactly this; `tests/storage/test_schema.py` compares the two.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
)

from storage.records import (
    BattleState,
    Closing,
    Consent,
    FinishReason,
    Kind,
    Outcome,
    Purpose,
    Reason,
    Side,
    Standing,
    VoteEventKind,
    Wiped,
)

if TYPE_CHECKING:
    from enum import StrEnum


def clean(text: str) -> str:
    """`text` as every database can hold it: without NUL, each lone surrogate a `?`."""
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")


class CleanText(TypeDecorator[str]):
    """Text of any length, cleaned on its way in."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return None if value is None else clean(value)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware moment; in UTC when it comes back, which SQLite alone would forget."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(
        self,
        value: datetime | None,
        dialect: Dialect,  # noqa: ARG002
    ) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a stored time must be aware")
        return value.astimezone(UTC)

    def process_result_value(
        self,
        value: datetime | None,
        dialect: Dialect,  # noqa: ARG002
    ) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


# Only a column of the very type INTEGER counts up by itself on SQLite.
RowId = BigInteger().with_variant(Integer, "sqlite")


def _one_of(column: str, values: type[StrEnum]) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


def _win_has_winner() -> CheckConstraint:
    return CheckConstraint(
        "(coalesce(outcome, '') = 'win') = (winner_answer_id IS NOT NULL)", name="winner"
    )


def _answer_of_same_battle(column: str) -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["battle_id", column], ["answers.battle_id", "answers.id"])


def _member(name: str, erasing: str, **options: Any) -> Column[int]:  # noqa: ANN401
    """A column that holds a person's id.

    `erasing` says what becomes of it when that person is erased: `delete` takes the row
    away, `forget` puts NOBODY there.
    """
    return Column(name, BigInteger, info={"erasing": erasing}, **options)


metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    }
)

contenders = Table(
    "contenders",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("slug", CleanText, nullable=False, unique=True),
    Column("kind", CleanText, nullable=False),
    Column("model", CleanText, nullable=False),
    Column("revision", CleanText, nullable=False),
    Column("template", CleanText),
    Column("sampling", JSON, nullable=False),
    Column("base_url", CleanText),
    # What a tuned one adds to its model, and the slug of what it was trained from.
    Column("adapter", CleanText),
    Column("parent", CleanText),
    Column("fingerprint", CleanText, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    _one_of("kind", Kind),
    sqlite_autoincrement=True,
)

# How the tuned contenders came to be that were trained here, and where they stand.
tunings = Table(
    "tunings",
    metadata,
    Column("contender_id", RowId, ForeignKey("contenders.id"), primary_key=True),
    Column("method", CleanText, nullable=False),
    Column("dataset", CleanText),
    Column("adapter_sha256", CleanText, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("trained_at", UtcDateTime, nullable=False),
    Column("standing", CleanText, nullable=False),
    Column("evaluation", JSON, nullable=False),
    # When somebody was first erased whose words or votes it was trained on.
    Column("stale_since", UtcDateTime),
    _one_of("standing", Standing),
)

# Which battles a tuned contender learnt from, its ancestors' included: they never rank it.
trained_on = Table(
    "trained_on",
    metadata,
    Column("contender_id", RowId, ForeignKey("contenders.id"), primary_key=True),
    Column("battle_id", RowId, ForeignKey("battles.id"), primary_key=True, index=True),
)

# Which battles rank nobody: a contender in them had learnt from their prompt.
unranked = Table(
    "unranked",
    metadata,
    Column("battle_id", RowId, ForeignKey("battles.id"), primary_key=True),
)

guilds = Table(
    "guilds",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("settings", JSON, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
)

members = Table(
    "members",
    metadata,
    _member("member_id", "delete", primary_key=True, autoincrement=False),
    # 0 stands for everywhere: a primary key holds no NULL.
    Column("guild_id", BigInteger, primary_key=True, autoincrement=False),
    Column("consent", CleanText, nullable=False, server_default=Consent.NONE.value),
    Column("consent_version", Integer, nullable=False, server_default="0"),
    Column("updated_at", UtcDateTime, nullable=False),
    # Made up by `twofold simulate`.
    Column("simulated", Boolean, nullable=False, server_default=false()),
    _one_of("consent", Consent),
)

battles = Table(
    "battles",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("source_message_id", BigInteger, nullable=False, unique=True),
    Column("guild_id", BigInteger),
    Column("channel_id", BigInteger, nullable=False),
    _member("author_id", "forget", nullable=False, index=True),
    Column("prompt", CleanText, nullable=False),
    Column("conversation", JSON, nullable=False),
    Column("state", CleanText, nullable=False),
    Column("purpose", CleanText, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("opened_at", UtcDateTime),
    # When it ended, whether closed, failed or cancelled.
    Column("closed_at", UtcDateTime),
    Column("shown_message_id", BigInteger, unique=True),
    Column("failure", CleanText),
    # The battle whose answers this one goes on with, sides and all.
    Column("parent_id", RowId, ForeignKey("battles.id"), index=True),
    # The battle whose answers this one shows again, on the other sides.
    Column("mirror_of_id", RowId, ForeignKey("battles.id"), index=True),
    Column("closed_because", CleanText, _one_of("closed_because", Closing)),
    # When its message was edited to say who was who.
    Column("revealed_at", UtcDateTime),
    Column("edited_at", UtcDateTime),
    Column("wiped_because", CleanText, _one_of("wiped_because", Wiped)),
    # When the battle was made that its texts were copied from; without one, its own time.
    Column("texts_since", UtcDateTime),
    # A hash of what its prompt says, to find the same prompt again; gone with the prompt.
    Column("prompt_key", BigInteger),
    # What it is split by into datasets, 0 to 255, given once. Without one it would leak.
    Column("bucket", SmallInteger),
    # What its prompt is about and its language, by rules; gone with the prompt.
    Column("topic", CleanText),
    Column("language", CleanText),
    # Between simulated members; never in one export or ranking with others.
    Column("simulated", Boolean, nullable=False, server_default=false()),
    _one_of("state", BattleState),
    _one_of("purpose", Purpose),
    # So that a prompt's bucket is found without reading the battles, which hold long texts.
    Index(None, "prompt_key", "bucket"),
    # Read every minute: what is open, and what is closed and not revealed yet.
    Index(None, "state", "revealed_at"),
    # All that rankings read, so that they need not go to where the long texts are.
    Index(
        "ix_battles_ranked",
        "simulated",
        "state",
        "id",
        "closed_at",
        "guild_id",
        "channel_id",
        "purpose",
        "topic",
        "language",
        "mirror_of_id",
        "parent_id",
    ),
    # Ids stand in buttons, so the id of an erased battle is never given again.
    sqlite_autoincrement=True,
)

# Whose words a battle holds, to be found by member and by message: the people's turns of
# its conversation, and those that the bot's turns answered, which may quote them. The
# texts are in the battle alone.
turns = Table(
    "turns",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("battle_id", RowId, ForeignKey("battles.id"), nullable=False, index=True),
    _member("author_id", "delete", nullable=False, index=True),
    Column("message_id", BigInteger, index=True),
)

answers = Table(
    "answers",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("battle_id", RowId, ForeignKey("battles.id"), nullable=False),
    Column("side", CleanText, nullable=False),
    Column("contender_id", RowId, ForeignKey("contenders.id"), nullable=False, index=True),
    # What the contender was then; its own row moves with the configuration.
    Column("kind", CleanText, nullable=False),
    Column("fingerprint", CleanText, nullable=False),
    Column("template", CleanText, nullable=False),
    Column("rendered", CleanText, nullable=False),
    Column("raw", CleanText, nullable=False),
    Column("shown", CleanText, nullable=False),
    Column("finish_reason", CleanText, nullable=False),
    Column("tags", JSON, nullable=False),
    Column("prompt_tokens", Integer, nullable=False),
    Column("completion_tokens", Integer, nullable=False),
    Column("seconds_to_first_token", Float, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("seed", BigInteger, nullable=False),
    Column("retries", Integer, nullable=False),
    # What its style was like; stays when the text goes. See `storage/style.py`.
    Column("characters", Integer),
    Column("markup", Integer),
    UniqueConstraint("battle_id", "side"),
    # As of battles.
    Index(
        "ix_answers_ranked",
        "battle_id",
        "side",
        "id",
        "contender_id",
        "kind",
        "template",
        "characters",
        "markup",
        "seconds",
    ),
    # What votes refer to, so that a winner always belongs to the vote's own battle.
    UniqueConstraint("battle_id", "id"),
    _one_of("side", Side),
    _one_of("kind", Kind),
    _one_of("finish_reason", FinishReason),
    sqlite_autoincrement=True,
)

votes = Table(
    "votes",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("battle_id", RowId, ForeignKey("battles.id"), nullable=False),
    _member("voter_id", "delete", nullable=False, index=True),
    Column("outcome", CleanText, nullable=False),
    Column("winner_answer_id", RowId),
    Column("guessed_base_answer_id", RowId),
    Column("blind", Boolean, nullable=False),
    Column("by_author", Boolean, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("guessed_at", UtcDateTime),
    Column("seconds", Float),
    Column("full_text", Boolean, nullable=False, server_default=false()),
    Column("votes_before", Integer, nullable=False, server_default="0"),
    Column("swapped", Boolean, nullable=False, server_default=false()),
    UniqueConstraint("battle_id", "voter_id"),
    _one_of("outcome", Outcome),
    _win_has_winner(),
    _answer_of_same_battle("winner_answer_id"),
    _answer_of_same_battle("guessed_base_answer_id"),
    sqlite_autoincrement=True,
)

vote_events = Table(
    "vote_events",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("battle_id", RowId, ForeignKey("battles.id"), nullable=False, index=True),
    _member("voter_id", "delete", nullable=False, index=True),
    Column("event", CleanText, nullable=False),
    # A withdrawn vote has no outcome.
    Column("outcome", CleanText),
    Column("winner_answer_id", RowId),
    Column("blind", Boolean, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    _one_of("event", VoteEventKind),
    _one_of("outcome", Outcome),
    CheckConstraint("(event = 'withdraw') = (outcome IS NULL)", name="withdrawn"),
    _win_has_winner(),
    _answer_of_same_battle("winner_answer_id"),
    sqlite_autoincrement=True,
)

remarks = Table(
    "remarks",
    metadata,
    Column("battle_id", RowId, primary_key=True),
    _member("voter_id", "delete", primary_key=True, autoincrement=False, index=True),
    Column("reason", CleanText),
    Column("comment", CleanText),
    Column("edited_answer_id", RowId),
    Column("edit", CleanText),
    Column("at", UtcDateTime, nullable=False),
    _one_of("reason", Reason),
    CheckConstraint("(edited_answer_id IS NULL) = (edit IS NULL)", name="edit"),
    ForeignKeyConstraint(["battle_id", "voter_id"], ["votes.battle_id", "votes.voter_id"]),
    _answer_of_same_battle("edited_answer_id"),
)

sightings = Table(
    "sightings",
    metadata,
    Column("battle_id", RowId, ForeignKey("battles.id"), primary_key=True),
    _member("member_id", "delete", primary_key=True, autoincrement=False, index=True),
    Column("swapped", Boolean, nullable=False, server_default=false()),
    Column("shown_at", UtcDateTime),
    Column("full_text_at", UtcDateTime),
    Column("told_at", UtcDateTime),
)

setting_changes = Table(
    "setting_changes",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("guild_id", BigInteger, nullable=False, index=True),
    _member("member_id", "forget", nullable=False),
    Column("setting", CleanText, nullable=False),
    Column("before", JSON),
    Column("after", JSON),
    Column("at", UtcDateTime, nullable=False),
    sqlite_autoincrement=True,
)

# Counts up whenever rankings must not count what they had: somebody was erased, or a tuned
# contender that had answered learnt from the same prompts.
recounts = Table(
    "recounts",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    sqlite_autoincrement=True,
)

# The communities that `twofold simulate` made, and the last of the ids that each was given.
simulations = Table(
    "simulations",
    metadata,
    Column("seed", BigInteger, primary_key=True, autoincrement=False),
    Column("guild_id", BigInteger, nullable=False),
    Column("last_id", BigInteger, nullable=False),
    Column("at", UtcDateTime, nullable=False),
)

# The weekly digests that channels were given, by the day on which their week began.
digests = Table(
    "digests",
    metadata,
    Column("channel_id", BigInteger, primary_key=True, autoincrement=False),
    Column("week", CleanText, primary_key=True),
    Column("message_id", BigInteger),
    Column("at", UtcDateTime, nullable=False),
)

# What contenders behind paid servers cost, by the day in UTC; money in millionths.
spending = Table(
    "spending",
    metadata,
    Column("day", CleanText, primary_key=True),
    Column("contender", CleanText, primary_key=True),
    Column("prompt_tokens", BigInteger, nullable=False),
    Column("completion_tokens", BigInteger, nullable=False),
    Column("micros", BigInteger, nullable=False),
)

# Until when each shard heard what was said; what was said later is looked for at the next start.
heard = Table(
    "heard",
    metadata,
    Column("shard_id", Integer, primary_key=True, autoincrement=False),
    Column("until", UtcDateTime, nullable=False),
)

exports = Table(
    "exports",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("created_at", UtcDateTime, nullable=False),
    Column("format", CleanText, nullable=False),
    Column("manifest", JSON, nullable=False),
    Column("sha256", CleanText, nullable=False),
    Column("purpose", CleanText),
    # The identity of the state that was written; given last, once all of `exported` is there.
    Column("dataset", CleanText),
    # Since when it is not to be trained on any more: somebody left whose words or votes it has.
    Column("stale_since", UtcDateTime),
    sqlite_autoincrement=True,
)

# Which battles an export holds a row of, so that the next one can tell what is gone.
exported = Table(
    "exported",
    metadata,
    Column("export_id", RowId, ForeignKey("exports.id"), primary_key=True),
    Column("battle_id", RowId, ForeignKey("battles.id"), primary_key=True, index=True),
    # What its rows were like, so that the next one can tell what has changed.
    Column("digest", BigInteger),
)

# The files of a collection. Only a database of nothing else has any.
imports = Table(
    "imports",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("file", CleanText, nullable=False),
    Column("sha256", CleanText, nullable=False, unique=True),
    Column("licence", CleanText, nullable=False),
    Column("battles", Integer, nullable=False),
    Column("votes", Integer, nullable=False),
    Column("skipped", Integer, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    sqlite_autoincrement=True,
)
