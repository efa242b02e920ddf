"""The shared vocabulary: what crosses the boundaries between the rooms.

Frozen dataclasses, named tuples and string enums, nothing else. Times are aware and in UTC.
Discord's ids (snowflakes) are integers here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


class Kind(StrEnum):
    """What sort of model a contender is."""

    BASE = "base"
    INSTRUCT = "instruct"
    TUNED = "tuned"

    @property
    def rawness(self) -> int:
        """How much more than the others it merely continues text."""
        return (Kind.INSTRUCT, Kind.TUNED, Kind.BASE).index(self)


class Side(StrEnum):
    """Where an answer is shown."""

    A = "a"
    B = "b"


class Choice(StrEnum):
    """What a member presses: an outcome as seen on the ballot."""

    A = "a"
    B = "b"
    TIE = "tie"
    BOTH_BAD = "both_bad"


class Outcome(StrEnum):
    """A vote as stored: by answer, never by side. `WIN` goes with a winning answer."""

    WIN = "win"
    TIE = "tie"
    BOTH_BAD = "both_bad"


class BattleState(StrEnum):
    """`answering → open → closed`, or `failed`, or `cancelled`."""

    ANSWERING = "answering"
    OPEN = "open"
    CLOSED = "closed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Purpose(StrEnum):
    """Why a battle exists; only `LIVE` ones count as preferences."""

    LIVE = "live"
    MIRROR = "mirror"
    CONTROL = "control"


class Closing(StrEnum):
    """Why a battle takes no votes any more."""

    VOTES = "votes"
    TIME = "time"
    AUTHOR = "author"
    RETENTION = "retention"
    SAME_TEXT = "same_text"


class Wiped(StrEnum):
    """Why the texts of a battle are gone."""

    RETENTION = "retention"
    DELETED = "deleted"
    ERASED = "erased"


class Reason(StrEnum):
    """What a vote was about: what the chosen answer was more of than the other one.

    For a tie, what both were alike in; for both bad, what neither was.
    """

    CORRECT = "more_correct"
    HELPFUL = "more_helpful"
    FUNNY = "funnier"
    SHORT = "shorter"
    SAFE = "safer"
    OTHER = "other"


class FinishReason(StrEnum):
    """Why a completion ended: the model's own end or a stop text, or the length ran out."""

    STOP = "stop"
    LENGTH = "length"


class Consent(StrEnum):
    """What a member allowed to be kept and for what; each scope includes those before it."""

    NONE = "none"
    EVALUATE = "evaluate"
    TRAIN = "train"
    PUBLISH = "publish"

    @property
    def rank(self) -> int:
        """How far it goes, from 0; as text, scopes have another order."""
        return list(Consent).index(self)

    def includes(self, scope: Consent) -> bool:
        """Whether who said this allowed `scope` too."""
        return self.rank >= scope.rank


def effective(here: Consent | None, everywhere: Consent | None, cap: Consent) -> Consent:
    """What a member's word comes to in a guild, which asks for `cap` at most.

    What was said for exactly this guild counts before what was said for everywhere; None
    is where nothing was said.
    """
    said = next((word for word in (here, everywhere) if word is not None), Consent.NONE)
    return min(said, cap, key=lambda scope: scope.rank)


NOBODY = 0
"""Instead of a member's id: somebody who is not known any more."""


class Continuing(StrEnum):
    """Which answer of an earlier battle goes on in a conversation."""

    WINNER = "winner"
    INSTRUCT = "instruct"
    BASE = "base"


class VoteEventKind(StrEnum):
    """What happened to a vote."""

    CAST = "cast"
    CHANGE = "change"
    WITHDRAW = "withdraw"


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One message of a conversation. `text` is verbatim; `name` is the display name."""

    author_id: int
    name: str
    text: str
    is_bot: bool = False
    message_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """The frozen context of a battle, oldest turn first; the last turn is the prompt.

    `continuing` is by which rule the bot's own turns were chosen among the answers
    that it had shown.
    """

    turns: tuple[Turn, ...]
    bot_name: str
    continuing: Continuing = Continuing.WINNER

    @property
    def prompt(self) -> Turn:
        """The message that is answered."""
        return self.turns[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How tokens are drawn. `temperature` 0 is greedy; `top_k` 0 and `top_p` 1 are off."""

    temperature: float = 0.8
    top_p: float = 0.95
    top_k: int = 50
    max_tokens: int = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A model × prompt template × sampling, by its slug.

    `model` is a source such as `wheel:NAME==VERSION`; `template` is None when the
    guild's setting decides; `fingerprint` identifies exactly this combination. `adapter` is
    what a tuned one adds to its model: a folder, or a name that its server knows; `parent` is
    the slug of the contender that it was trained from.
    """

    slug: str
    kind: Kind
    model: str
    template: str | None = None
    sampling: Sampling = Sampling()
    base_url: str | None = None
    adapter: str | None = None
    parent: str | None = None
    revision: str = ""
    fingerprint: str = ""


class Standing(StrEnum):
    """Where a tuned contender that was trained here stands: it waits, answers, or rests."""

    TRAINED = "trained"
    ENTERED = "entered"
    RESTING = "resting"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """How a tuned contender came to be, and where it stands.

    `dataset` is the identity of the dataset that it was trained on, as exports have it; None
    for one that the database does not know. `adapter_sha256` is that of its weights. `generation`
    is 1 for a child of a base model. `evaluation` is what was found on prompts that it was not
    trained on. `stale_since` is when somebody was first erased whose words or votes it was
    trained on.
    """

    contender: Contender
    method: str
    dataset: str | None
    adapter_sha256: str
    generation: int
    trained_at: datetime
    standing: Standing = Standing.TRAINED
    evaluation: Mapping[str, object] = field(default_factory=dict)
    stale_since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One contender's answer. `raw` is the completion as generated, `shown` what people see.

    `rendered` is the exact prompt text that the model saw. `retries` counts the
    samples thrown away before this one. Once it is stored, `id` is not 0, and `parent` is what
    its contender was trained from, if it was.
    """

    side: Side
    contender: str
    kind: Kind
    fingerprint: str
    template: str
    rendered: str
    raw: str
    shown: str
    finish_reason: FinishReason
    tags: tuple[str, ...] = ()
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds_to_first_token: float = 0.0
    seconds: float = 0.0
    seed: int = 0
    retries: int = 0
    parent: str | None = None
    id: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Battle:
    """One prompt answered by two contenders; `answers` is empty until it is open.

    `closed_at` is when it was closed, failed or was cancelled; `failure` says why it failed.
    `parent_id` is the battle whose answers this one goes on with, on the same sides;
    `mirror_of_id` the one whose answers it has on the other sides. `revealed_at` is when
    its message said how it ended; `edited_at` when the prompt was edited after it was read.
    Where the texts were wiped, `wiped_because` says why, and `author_id` is NOBODY.
    `texts_since` is when they were first kept, in the battle that they were copied from.
    """

    id: int
    source_message_id: int
    guild_id: int | None
    channel_id: int
    author_id: int
    conversation: Conversation
    state: BattleState
    purpose: Purpose
    created_at: datetime
    opened_at: datetime | None = None
    closed_at: datetime | None = None
    shown_message_id: int | None = None
    failure: str | None = None
    parent_id: int | None = None
    mirror_of_id: int | None = None
    closed_because: Closing | None = None
    revealed_at: datetime | None = None
    edited_at: datetime | None = None
    wiped_because: Wiped | None = None
    texts_since: datetime | None = None
    answers: tuple[Answer, ...] = ()

    def answer(self, side: Side) -> Answer:
        """The answer shown on `side`; raises KeyError where there is none."""
        for answer in self.answers:
            if answer.side is side:
                return answer
        raise KeyError(side)


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """One member's word on one battle, as it stands now.

    `winner_answer_id` is set exactly when `outcome` is a win. `blind` is false where the
    voter had been told the sides when the choice was made. `seconds` is from the answers'
    showing to this choice, `full_text` whether the voter had opened a full text by then,
    `votes_before` how many others' votes stood, `swapped` whether this voter saw the sides
    the other way round. `guessed_at` is when the guess was made; no
    `guessed_base_answer_id` means "not sure" then. A `voter_id` below zero is nobody's: the
    vote of a member who did not agree to be kept, when it could no longer be changed.
    """

    battle_id: int
    voter_id: int
    outcome: Outcome
    winner_answer_id: int | None
    blind: bool
    by_author: bool
    created_at: datetime
    updated_at: datetime
    guessed_at: datetime | None = None
    guessed_base_answer_id: int | None = None
    seconds: float | None = None
    full_text: bool = False
    votes_before: int = 0
    swapped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """What a voter added to a vote: why, and the answer as it should have been."""

    battle_id: int
    voter_id: int
    at: datetime
    reason: Reason | None = None
    comment: str | None = None
    edited_answer_id: int | None = None
    edit: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """What one member was shown of a battle, besides its ballot in the channel.

    `swapped` and `shown_at` belong to a private ballot, `full_text_at` to a full text,
    `told_at` to the reveal.
    """

    battle_id: int
    member_id: int
    swapped: bool = False
    shown_at: datetime | None = None
    full_text_at: datetime | None = None
    told_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VoteEvent:
    """One entry of a battle's append-only log. `outcome` is None for a withdrawn vote."""

    id: int
    battle_id: int
    voter_id: int
    event: VoteEventKind
    outcome: Outcome | None
    winner_answer_id: int | None
    blind: bool
    at: datetime


Said = tuple[Consent | None, Consent | None]
"""A member's consent for one guild and for everywhere; None where nothing was said."""


class Cast(NamedTuple):
    """A vote as exports read it.

    `outcome` is the value of an Outcome, which a million votes have no time to be made into.
    `about` is there where it was asked for.
    """

    voter_id: int
    outcome: str
    winner_answer_id: int | None
    blind: bool
    by_author: bool
    about: About | None = None


class About(NamedTuple):
    """What is known of a vote besides.

    `day` is that of the last choice, as `2026-11-01`; `guessed` whether a guess was asked
    for and given, be it "not sure".
    """

    id: int
    day: str
    seconds: float | None
    full_text: bool
    votes_before: int
    swapped: bool
    guessed: bool
    guessed_base_answer_id: int | None


class VotedAnswer(NamedTuple):
    """An answer as exports read it: `rendered` and `raw` are empty where nobody asked for them."""

    side: Side
    id: int
    contender: str
    kind: Kind
    fingerprint: str
    template: str
    rendered: str
    raw: str
    shown: str
    finish_reason: FinishReason
    tags: tuple[str, ...]
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds_to_first_token: float = 0.0
    seconds: float = 0.0
    seed: int = 0
    retries: int = 0


class Written(NamedTuple):
    """What a voter added to a vote, as exports read it."""

    voter_id: int
    reason: Reason | None
    comment: str | None
    edited_answer_id: int | None
    edit: str | None


class Happened(NamedTuple):
    """An entry of a battle's log, as exports read it."""

    id: int
    voter_id: int
    event: VoteEventKind
    outcome: Outcome | None
    winner_answer_id: int | None
    blind: bool
    day: str


class VotedBattle(NamedTuple):
    """A battle with its votes: what the dataset is made of.

    A tuple, as are its parts, because exports read them by the hundred thousand and a frozen
    dataclass takes ten times as long to make. `day` is when it was created. `bucket` decides
    its split; None where no split takes it without a leak. `speakers` are those whose words it
    holds, those whom the bot had answered in its turns among them. `said` has the consents of
    everybody in its guild, `settings` what its admins set. `exported` is whether an earlier
    export of the same sort has it, `unranked` whether a tuned contender in it had learnt from
    its prompt, where details are wanted.
    """

    id: int
    guild_id: int | None
    state: BattleState
    purpose: Purpose
    day: str
    conversation: Conversation
    answers: tuple[VotedAnswer, VotedAnswer]
    votes: tuple[Cast, ...]
    parent_id: int | None = None
    mirror_of_id: int | None = None
    bucket: int | None = None
    edited: bool = False
    wiped_because: Wiped | None = None
    speakers: frozenset[int] = frozenset()
    remarks: tuple[Written, ...] = ()
    events: tuple[Happened, ...] = ()
    said: Mapping[int, Said] = MappingProxyType({})
    settings: Mapping[str, object] = MappingProxyType({})
    exported: bool = False
    unranked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenVote:
    """A vote with all that integrity is measured by, and no text.

    `side` is where the voter saw the answer that won; None without a winner, and where no
    coin drew the sides because answers went on. Those have no `seconds` either, as half of
    the answers was known. `tokens` are those of the two answers. Of the `others` who voted
    on the battle, `agreeing` gave the same outcome. `consistent` is, on a mirror, whether
    the voter said the same as in a blind vote on the battle that it mirrors; None without one.
    """

    voter_id: int
    purpose: Purpose
    outcome: Outcome
    side: Side | None
    seconds: float | None
    tokens: tuple[int, int]
    others: int
    agreeing: int
    consistent: bool | None
    said: Said
    settings: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingChange:
    """What a member made of a server's setting; None is the default."""

    member_id: int
    setting: str
    before: object
    after: object
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """One dataset that was written: its format, its manifest as JSON, the SHA-256 of its data.

    `purpose` is the scope that everybody in it has agreed to; None before members were asked.
    `dataset` is the identity of the state that was written; None where that was not recorded
    to its end. `stale_since` is when somebody first left whose words or votes it has: it is not
    to be trained on any more.
    """

    id: int
    created_at: datetime
    format: str
    manifest: Mapping[str, object]
    sha256: str
    purpose: Consent | None = None
    dataset: str | None = None
    stale_since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedAnswer:
    """An answer that others collected, as their file has it; its contender is registered."""

    contender: str
    text: str
    finish_reason: FinishReason = FinishReason.STOP
    tags: tuple[str, ...] = ()
    prompt_tokens: int = 0
    completion_tokens: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedVote:
    """A vote that others collected. `winner` is set exactly when `outcome` is a win.

    `voter_id` is above zero, made of whatever the file names its judges by.
    """

    voter_id: int
    outcome: Outcome
    winner: Side | None
    at: datetime
    blind: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedBattle:
    """A battle that others collected, answered on side A and on side B, with its votes.

    `source_message_id` is made of its id in the file, so that a second import knows it, and
    `prompt_key` as for battles of our own; `root_key` is that of the first thing that was said,
    by which all turns of a conversation come into one split. Its turns have no message ids.
    """

    source_message_id: int
    prompt_key: int
    root_key: int
    conversation: Conversation
    answers: tuple[ImportedAnswer, ImportedAnswer]
    votes: tuple[ImportedVote, ...]
    at: datetime
    topic: str | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """One file of a collection that was imported: its name, its SHA-256 in hex, its licence.

    `battles` and `votes` are those that it brought; `skipped` counts battles that were there.
    """

    id: int
    file: str
    sha256: str
    licence: str
    battles: int
    votes: int
    skipped: int
    at: datetime
