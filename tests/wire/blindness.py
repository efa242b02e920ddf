"""What reaches Discord of a battle before a vote, in a form in which battles can be compared.

A battle is watched from its prompt to the answer to a voter's first press, which asks for a
guess. What the program sent meanwhile is written down with names in place of the sides' texts
and of all ids. Then every battle has to read the same, whichever side the base model stands on.
"""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .clock import until
from .components import BUTTON, CONTAINER, TEXT_DISPLAY, buttons, walk
from .ledger import battle_of
from .protocol import Op
from .server import Record

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from .gateway import Frame
    from .interactions import Interaction
    from .people import Person
    from .table import Table
    from .world import Message

QUIET_SECONDS = 0.15
"""So long without a request, and the program has said what it had to say."""
WORDS = {"base": "ember", "instruct": "cedar"}
"""What contenders speak in, so that their texts have the same shape."""
KINDS = re.compile(r"\b(base|instruct|tuned)\b", re.IGNORECASE)
QUESTION = re.compile(r"Which one is the base model[^?]*\?")

SNOWFLAKE = re.compile(r"\d{15,}")
BATTLE = re.compile(r"(twofold:1:[a-z]+:|#|battle-)\d{1,14}")

# How a rater's sides lie to those in the channel, which were drawn by a coin of their own.
LIE = re.compile(r"(twofold:1:[a-z]+:<battle>(?::[a-z_]+)?):(?:ab|ba)\b")

SWAPPED = "SELECT swapped FROM sightings WHERE battle_id = ? AND member_id = ?"
SIDES = "SELECT side, kind, shown FROM answers WHERE battle_id = ? ORDER BY side"
NAMES = """
SELECT slug FROM contenders UNION SELECT model FROM contenders
UNION SELECT fingerprint FROM answers UNION SELECT template FROM answers
"""

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Watched:
    """One battle and what was sent of it, in order.

    `base` is the side on which the voter saw the base model, None where the same model had
    both; `swapped` whether that is not the side that is stored. `reveal` is what the voter
    read after a guess, if there was one.
    """

    battle: int
    purpose: str
    base: str | None
    swapped: bool
    sent: tuple[str, ...]
    reveal: str

    @property
    def text(self) -> str:
        """All of it, to be compared and searched in."""
        return "\n".join(self.sent)


def script(kind: str, words: int, *, delay: float = 0.0, tail: str = "") -> str:
    """Write the script of a contender whose text has the same shape as the others' texts."""
    text = "+".join(f"{WORDS[kind]}-{number}" for number in range(words))
    return f"text={text}{tail}&delay={delay}"


def both_ways(found: Iterable[Watched]) -> bool:
    """Whether the base model stood at least twice on either side."""
    sides = [watched.base for watched in found]
    return all(sides.count(side) >= 2 for side in "ab")


class Watch:
    """Watches battles of a table from the prompt to a voter's guess."""

    def __init__(self, at: Table) -> None:
        self.at = at
        self._voters = 0

    def voter(self) -> Person:
        """Return somebody who has not voted on anything yet."""
        self._voters += 1
        return self.at.wire.person(f"voter-{self._voters:02}", self.at.channel.guild)

    async def many(
        self,
        one: Callable[[], Awaitable[Watched | None]],
        enough: Callable[[list[Watched]], bool],
        *,
        most: int = 60,
    ) -> list[Watched]:
        """Watch battles until there are enough of every sort.

        The first is left out: with it, people are told in private what is kept of them.
        """
        await one()
        found: list[Watched] = []
        for _ in range(most):
            watched = await one()
            found += [watched] if watched else []
            if enough(found):
                return found
        raise AssertionError(f"not enough of every sort in {most} battles: {found}")

    async def mentioned(self) -> Watched | None:
        """Ask by mentioning the bot."""
        at, start = self.at, self._now()
        prompt = await at.alice.send(at.channel, f"{at.wire.mention} what is a fold?")
        return await self._in_public(
            start, lambda: next((m for m in at.said() if m.reference_id == prompt.id), None)
        )

    async def commanded(self) -> Watched | None:
        """Ask by the command."""
        start = self._now()
        asked = await self.at.alice.slash(self.at.channel, "ask", prompt="what is a fold?")
        return await self._in_public(start, lambda: next(iter(asked.public), None))

    async def rated(self, voter: Person) -> Watched | None:
        """Rate what is dealt to a voter in private; None where there is nothing more.

        Without a guess: who was told the sides of a battle knows those of its mirror.
        """
        start = self._now()
        dealt = await voter.slash(self.at.channel, "rate")
        message = await _answer(dealt)
        if not buttons(message):
            return None
        await self._read(message, voter)
        return await self._voted(start, message, voter, guess=False)

    async def failed(self) -> tuple[str, ...]:
        """Ask for what comes to nothing; what was sent of that."""
        start = self._now()
        await self.at.ask()
        await self.quiet()
        return written(self._since(start), [])

    async def _in_public(
        self, start: tuple[int, int], find: Callable[[], Message | None]
    ) -> Watched | None:
        """See a ballot through; None where there is nothing to vote on, as both said the same."""

        def done() -> Message | None:
            message = find()
            return message if message is not None and buttons(message) else None

        ballot = await until(done, lambda: f"a ballot; {self.at.wire.last_requests()}", 30)
        if battle_of(ballot) is None:
            return None
        voter = self.voter()
        await self._read(await _answer(await voter.press(ballot, "⋯")), voter)
        return await self._voted(start, ballot, voter)

    async def _read(self, message: Message, voter: Person) -> None:
        for button in buttons(message):
            if button["label"].startswith("Full text"):
                await _answer(await voter.press(message, button["label"]))

    async def _voted(
        self, start: tuple[int, int], ballot: Message, voter: Person, *, guess: bool = True
    ) -> Watched:
        battle = battle_of(ballot)
        asking = await _answer(await voter.press(ballot, "A is better"))
        await self.quiet()
        sent = self._since(start)
        rows = self.at.program.rows
        seen = rows(SWAPPED, battle, voter.user.id)
        swapped = bool(seen and seen[0][0])
        sides = [
            (_other(side) if swapped else side, kind, shown)
            for side, kind, shown in rows(SIDES, battle)
        ]
        bases = [side for side, kind, _ in sides if kind == "base"]
        revealed = (await _answer(await voter.press(asking, "A"))).text if guess else ""
        return Watched(
            battle=battle or 0,
            purpose=rows("SELECT purpose FROM battles WHERE id = ?", battle)[0][0],
            base=bases[0] if len(bases) == 1 else None,
            swapped=swapped,
            sent=written(sent, sides),
            reveal=BATTLE.sub(r"\1<battle>", revealed),
        )

    async def quiet(self) -> None:
        """Wait until the program sends nothing more."""
        count = -1
        while count != len(self.at.wire.requests):
            count = len(self.at.wire.requests)
            await asyncio.sleep(QUIET_SECONDS)

    def _now(self) -> tuple[int, int]:
        return len(self.at.wire.requests), len(self.at.wire.gateway.frames)

    def _since(self, start: tuple[int, int]) -> list[Record | Frame]:
        requests, frames = start
        return [*self.at.wire.gateway.frames[frames:], *self.at.wire.requests[requests:]]


def written(
    sent: Iterable[Record | Frame], sides: Iterable[tuple[str, str, str]]
) -> tuple[str, ...]:
    """Write down what was sent, a text each; what repeats itself only once.

    How often growing answers are edited, and whether the typing sign comes before they do, is
    a matter of time, which both sides share.
    """
    texts = {side: (WORDS[kind], shown) for side, kind, shown in sides}
    ids: dict[str, str] = {}
    lines: list[str] = []
    for item in sent:
        line = _line(item, texts)
        line = SNOWFLAKE.sub(lambda m: ids.setdefault(m[0], f"<id {len(ids)}>"), line)
        line = LIE.sub(r"\1", BATTLE.sub(r"\1<battle>", line))
        if line and line not in lines[-1:]:
            lines.append(line)
    return tuple(lines)


def uneven(watched: Watched) -> list[str]:
    """What tells the sides of one battle apart, beside their texts and letters."""
    pairs = []
    for line in watched.sent:
        boxes = containers_in(json.loads(line.partition("\n")[2])["body"] or {})
        if len(boxes) == len("ab"):
            for part in walk(boxes):
                part.pop("id", None)  # Discord numbers them
            pairs.append([json.dumps(box, ensure_ascii=False) for box in boxes])
    full = [line for line in watched.sent if "** in full" in line]
    pairs += [list(pair) for pair in zip(full[::2], full[1::2], strict=True)]
    return [f"{a}\n{b}" for a, b in pairs if _turned(a) != b]


def names_in(at: Table, watched: Watched) -> list[str]:
    """What was sent of who answered: no slug, model, template or kind may be there."""
    names = [name for (name,) in at.program.rows(NAMES) if name]
    asked = QUESTION.sub("", watched.text)
    found = [name for name in names if re.search(rf"\b{re.escape(name)}\b", watched.text)]
    return found + KINDS.findall(asked)


def containers_in(body: Json) -> list[Json]:
    """Return the boxes of the message that a request carries."""
    data = body.get("data") or body
    return [c for c in data.get("components") or [] if c["type"] == CONTAINER]


async def _answer(interaction: Interaction) -> Message:
    """Wait for the message that answers an interaction, new or changed."""

    def there() -> Message | None:
        said = any(response.text for response in interaction.responses)
        return interaction.original if said else None

    return await until(there, lambda: f"an answer to {interaction}")


def _line(item: Record | Frame, texts: dict[str, tuple[str, str]]) -> str:
    if not isinstance(item, Record):
        return "" if item.op == Op.HEARTBEAT else f"gateway {item.op} {item.data}"
    # One asks and shows nobody anything, the other says nothing and may come too late.
    if item.method == "GET" or (item.route.endswith("/typing") and item.text == "null"):
        return ""
    # Ids of whatever kind as texts, so that names can stand in their place.
    body = json.loads(json.dumps(item.body), parse_int=lambda n: n if len(n) > 14 else int(n))
    if isinstance(body, dict):
        _name_growing(body)
    files = {name: content.decode() for name, content in item.files.items()}
    sent = {"query": item.query, "body": body, "files": files}
    line = json.dumps(sent, ensure_ascii=False, sort_keys=True)
    for side, (word, shown) in texts.items():
        line = line.replace(json.dumps(shown, ensure_ascii=False)[1:-1], f"«{side}»")
        line = line.replace(word, f"«{side}»")
    return f"{item.method} {item.route}\n{line}"


def _name_growing(body: Json) -> None:
    """Put names in the place of texts that are not whole yet, if both are seen equally far."""
    boxes = containers_in(body)
    slots = [[c for c in walk([box]) if c["type"] == TEXT_DISPLAY][-1] for box in boxes]
    shapes = {re.sub(r"[a-z]", "x", slot["content"]) for slot in slots}
    if len(slots) == 2 and len(shapes) == 1 and not buttons_in_body(body):
        for side, slot in zip("ab", slots, strict=True):
            slot["content"] = f"«{side}» so far"


def buttons_in_body(body: Json) -> list[Json]:
    """Return the buttons of the message that a request carries."""
    return [
        c for c in walk((body.get("data") or body).get("components") or []) if c["type"] == BUTTON
    ]


def _other(side: str) -> str:
    return "b" if side == "a" else "a"


def _turned(text: str) -> str:
    """What the first side's part would be if it were the second's."""
    for a, b in (("«a»", "«b»"), ("**A**", "**B**"), ("-a.txt", "-b.txt")):
        text = text.replace(a, b)
    return text
