"""What changed since an earlier export, so that nobody has to take all of it again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bot.dataset.files import line_of
from bot.dataset.request import options_of
from bot.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bot.dataset.funnel import LeftOut
    from bot.dataset.pseudonyms import Pseudonyms
    from bot.dataset.request import Means, Request
    from storage.database import Database

NOT_FOUND = "not_found_any_more"


class Delta:
    """The rows of an earlier export, by battle, and what became of them."""

    def __init__(self, earlier: str, rows: Mapping[int, int | None]) -> None:
        self.earlier = earlier
        self.added = self.unchanged = 0
        self.changed: list[int] = []
        self._rows = dict(rows)

    @classmethod
    async def since(cls, store: Database, request: Request, means: Means) -> Delta:
        """The delta to the export that `request.since` is the manifest of.

        Raises ConfigError where this database made no such export, and where the options are
        not the same, so that rows could not be compared.
        """
        manifest = request.since or {}
        if request.format == "openai":
            raise ConfigError(
                "Rows of openai name no battle, so nobody could tell which of them are gone. "
                "Export all of it, without --since."
            )
        if not means.pseudonyms.linkable:
            raise ConfigError(
                "Rows with ids of their own cannot be compared with earlier ones. Leave out "
                "--unlinkable or --since."
            )
        if not manifest.get("linkable"):
            raise ConfigError(
                "The earlier export was made with --unlinkable: nobody can tell which of its "
                "rows are gone. Export all of it, without --since."
            )
        options = options_of(request, means.pseudonyms)
        differs = [name for name, value in options.items() if manifest.get(name) != value]
        if differs:
            raise ConfigError(
                f"The earlier export was made with other options ({', '.join(differs)}). Use the "
                "same ones, or export all of it without --since."
            )
        earlier = str(manifest.get("dataset"))
        found = await store.exports.find(earlier, format=request.format, purpose=request.purpose)
        if found is None:
            raise ConfigError(
                "This database does not know the export of that manifest. Export all of it, "
                "without --since."
            )
        return cls(earlier, await store.exports.rows(found.id))

    def wants(self, battle_id: int, number: int) -> bool:
        """Whether the rows of a battle are new or other than they were."""
        if battle_id not in self._rows:
            self.added += 1
            return True
        before = self._rows.pop(battle_id)
        if before == number:
            self.unchanged += 1
            return False
        self.changed.append(battle_id)
        return True

    @property
    def gone(self) -> list[int]:
        """The battles that have no rows any more, once all are known."""
        return sorted(self._rows, reverse=True)

    def tombstones(
        self, pseudonyms: Pseudonyms, because: Mapping[LeftOut, Iterable[int]]
    ) -> Iterable[bytes]:
        """A line for each battle whose earlier rows do not hold any more, and why."""
        reasons = {number: reason for reason, ids in because.items() for number in ids}
        for change, ids in (("changed", self.changed), ("gone", self.gone)):
            for number in ids:
                yield line_of(
                    {
                        "battle": pseudonyms.of("battle", number),
                        "change": change,
                        "reason": None if change == "changed" else reasons.get(number, NOT_FOUND),
                    }
                )

    def to_json(self) -> dict[str, Any]:
        """What changed, in numbers."""
        return {
            "dataset": self.earlier,
            "added": self.added,
            "changed": len(self.changed),
            "gone": len(self._rows),
            "unchanged": self.unchanged,
        }
