"""What datasets are split and compared by, and the files of a collection."""

import json
from collections import defaultdict
from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
AT_ONCE = 1000


def upgrade() -> None:
    """Add the columns and the table, and give the battles there are their buckets."""
    op.add_column("battles", sa.Column("prompt_key", sa.BigInteger()))
    op.add_column("battles", sa.Column("bucket", sa.SmallInteger()))
    index = op.f("ix_battles_prompt_key_bucket")
    op.create_index(index, "battles", ["prompt_key", "bucket"])
    op.add_column("exports", sa.Column("dataset", sa.Text()))
    op.add_column("exported", sa.Column("digest", sa.BigInteger()))
    _imports()
    _give_buckets()


def downgrade() -> None:
    """Take away what datasets are split and compared by, and the files of a collection."""
    op.drop_table("imports")
    op.drop_column("exported", "digest")
    op.drop_column("exports", "dataset")
    op.drop_index(op.f("ix_battles_prompt_key_bucket"), "battles")
    for column in ("bucket", "prompt_key"):
        op.drop_column("battles", column)


def _imports() -> None:
    op.create_table(
        "imports",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("licence", sa.Text(), nullable=False),
        sa.Column("battles", sa.Integer(), nullable=False),
        sa.Column("votes", sa.Integer(), nullable=False),
        sa.Column("skipped", sa.Integer(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_imports")),
        sa.UniqueConstraint("sha256", name=op.f("uq_imports_sha256")),
        sqlite_autoincrement=True,
    )


def _give_buckets() -> None:
    statement = sa.text("UPDATE battles SET prompt_key = :key, bucket = :bucket WHERE id = :id")
    given = list(_buckets())
    for start in range(0, len(given), AT_ONCE):
        op.get_bind().execute(statement, given[start : start + AT_ONCE])


def _buckets() -> Iterator[dict[str, int | None]]:
    """What each battle that has a prompt would have been given when it was created.

    A prompt is hashed as it stands, without what its export would leave out of it.
    """
    held = _held()
    by_key: dict[int, int] = {}
    by_battle: dict[int, int] = {}
    by_message: dict[int, set[int]] = defaultdict(set)
    battles = (
        "SELECT id, source_message_id, shown_message_id, parent_id, mirror_of_id, prompt,"
        " conversation FROM battles WHERE prompt != '' ORDER BY id"
    )
    for number, source, shown, parent, mirrored, prompt, stored in op.get_bind().execute(
        sa.text(battles)
    ):
        key = _key(prompt)
        found = {by_key.get(key), by_battle.get(parent), by_battle.get(mirrored)}
        found.update(*(by_message.get(message, ()) for message in _messages(stored)))
        found.discard(None)
        bucket = found.pop() if len(found) == 1 else None if found else key & 255
        if bucket is not None:
            by_key[key] = by_battle[number] = bucket
            for message in {source, shown, *held[number]}:
                by_message[message].add(bucket)
        yield {"id": number, "key": key, "bucket": bucket}


def _held() -> dict[int, set[int]]:
    """The messages whose words each battle holds."""
    held: dict[int, set[int]] = defaultdict(set)
    for battle, message in op.get_bind().execute(
        sa.text("SELECT battle_id, message_id FROM turns WHERE message_id IS NOT NULL")
    ):
        held[battle].add(message)
    return held


def _key(prompt: str) -> int:
    said = " ".join(prompt.split()).casefold()
    return int.from_bytes(blake2b(said.encode(), digest_size=8).digest(), "big") >> 1


def _messages(stored: Any) -> list[int]:  # noqa: ANN401
    conversation = json.loads(stored) if isinstance(stored, str) else stored
    ids = (turn["message_id"] for turn in conversation["turns"])
    return [int(message) for message in ids if message is not None]
