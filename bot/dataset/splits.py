"""What keeps a battle in one split of every dataset, however much is added later."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

from bot.answers import normalised
from bot.dataset.anonymity import anonymity_of
from storage.buckets import BUCKETS

if TYPE_CHECKING:
    from collections.abc import Callable

    from storage.records import Conversation


def prompt_key(
    conversation: Conversation, redact: Callable[[str], str], *, one_of_many: bool = True
) -> int:
    """A positive number of 63 bits that is the same for prompts that say the same.

    Compared is what a dataset would hold: without names, ids and what `redact` leaves out,
    so that no two splits have the same row. Case and white space make no difference. Where it
    is not `one_of_many`, nothing of who takes part is kept for the next one.
    """
    anonymity = anonymity_of(conversation, redact=redact, kept=one_of_many)
    said = normalised(anonymity.of(conversation.prompt.text)).encode("utf-8", "replace")
    # The largest integer of a database has a sign.
    return int.from_bytes(blake2b(said, digest_size=8).digest(), "big") >> 1


class Splits:
    """Which split a bucket belongs to.

    A seed puts the buckets in an order; the first of them are the test split, the next ones
    validation, so that a bucket never moves while seed and shares stay. Shares are met to a
    256th.
    """

    def __init__(self, *, validation: float, test: float, seed: int) -> None:
        order = sorted(range(BUCKETS), key=lambda bucket: _hashed(f"{seed}:{bucket}"))
        tested = round(test * BUCKETS)
        validated = tested + round(validation * BUCKETS)
        self._splits = dict.fromkeys(range(BUCKETS), "train")
        self._splits |= dict.fromkeys(order[:tested], "test")
        self._splits |= dict.fromkeys(order[tested:validated], "validation")

    def of(self, bucket: int) -> str:
        """The name of the split."""
        return self._splits[bucket]


def _hashed(text: str) -> bytes:
    return blake2b(text.encode(), digest_size=8).digest()
