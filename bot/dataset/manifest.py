"""`manifest.json`: how a dataset came about. The same database and settings give the same bytes."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import orjson

from bot import __version__
from bot.dataset import trainers
from bot.dataset.funnel import GONE
from bot.dataset.layout import MANIFEST, TOMBSTONES, is_data
from bot.dataset.request import options_of
from bot.engines import dialect
from bot.errors import ConfigError
from bot.prompting import Chat
from bot.roster import edition
from bot.roster import fingerprint as fingerprint_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from bot.dataset.pseudonyms import Pseudonyms
    from bot.dataset.request import Means, Request
    from bot.dataset.work import Work
    from bot.prompting import PromptTemplate
    from storage.database import Database
    from storage.records import Contender


async def manifest_of(
    store: Database, request: Request, means: Means, work: Work, files: Mapping[str, Any]
) -> dict[str, Any]:
    """Everything that is to be known about an export; `files` are its files by path."""
    funnel, balance = work.funnel, work.balance
    known = {contender.slug: contender for contender in await store.contenders.all()}
    prompting: tuple[PromptTemplate, ...] = (
        *means.templates.values(),
        Chat(system=means.system_prompt),
    )
    return {
        "twofold": __version__,
        "schema": await store.revision(),
        **options_of(request, means.pseudonyms),
        "linkable": means.pseudonyms.linkable,
        "source": _source(request, means),
        "window": {"from": work.first_day or None, "to": work.last_day or None},
        "votes": funnel.votes,
        "battles": funnel.battles,
        "rows": funnel.rows,
        "funnel": funnel.to_json(),
        "splits": {name: work.splits[name] for name in sorted(work.splits)},
        "contenders": [
            _contender(who, known.get(who[0]), prompting, work)
            for who in sorted(balance.chosen_by.keys() | balance.rejected_by.keys())
        ],
        "balance": balance.to_json(),
        "consent": {
            "scope": request.purpose.value,
            "versions": []
            if means.collection
            else await store.members.versions(request.purpose, simulated=request.policy.simulated),
        },
        "gone": {
            reason.value: _named(means.pseudonyms, sorted(ids, reverse=True))
            for reason, ids in sorted(work.gone.items())
            if reason in GONE
        },
        "dataset": work.state,
        "since": work.delta and work.delta.to_json(),
        "files": files,
    }


def to_bytes(manifest: Mapping[str, Any]) -> bytes:
    """A manifest as it is written."""
    return orjson.dumps(manifest, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def read(path: Path) -> dict[str, Any]:
    """Read a manifest; raises ConfigError where it cannot be read or is none."""
    try:
        manifest = orjson.loads(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from None
    except ValueError:
        raise ConfigError(f"{path} is no manifest: it is not JSON.") from None
    if not isinstance(manifest, dict) or not isinstance(manifest.get("files"), dict):
        raise ConfigError(f"{path} is no manifest of an export.")
    return manifest


def left_in(folder: Path) -> dict[str, Any]:
    """The manifest of what an export left in a folder; an empty one where none did."""
    try:
        return read(folder / MANIFEST)
    except ConfigError:
        return {}


def written_by(manifest: Mapping[str, Any]) -> list[str]:
    """Name what the export of a manifest may have left beside it; nothing for an empty one.

    A manifest may come from anywhere, so only what an export writes is looked for in it.
    """
    files = manifest.get("files")
    return [] if files is None else [*filter(is_data, files), TOMBSTONES, *trainers.NAMES]


def _source(request: Request, means: Means) -> dict[str, Any]:
    if means.collection is None:
        return {"kind": "simulated" if request.policy.simulated else "live"}
    name, imports = means.collection
    return {
        "kind": "imported",
        "name": name,
        "licence": "; ".join(dict.fromkeys(one.licence for one in imports)),
        "files": [{"file": one.file, "sha256": one.sha256} for one in imports],
    }


def _contender(
    who: tuple[str, str, str],
    known: Contender | None,
    prompting: Iterable[PromptTemplate],
    work: Work,
) -> dict[str, Any]:
    slug, kind, fingerprint = who
    current = known and _as_it_answered(known, fingerprint, prompting)
    return {
        "contender": slug,
        "kind": kind,
        "fingerprint": fingerprint,
        "model": _model(current.model) if current else None,
        "template": current.template if current else None,
        "chosen": work.balance.chosen_by[who],
        "rejected": work.balance.rejected_by[who],
    }


def _as_it_answered(
    known: Contender, fingerprint: str, prompting: Iterable[PromptTemplate]
) -> Contender | None:
    """A contender with the template that makes its fingerprint; None where it is another now."""
    if known.fingerprint == fingerprint:  # imported answers have that of their contender
        return known
    # A server's revision is stored when the bot starts, before any argument is refused.
    revisions = dialect.revisions(known.revision) if known.base_url else (known.revision,)
    for revision, template in product(revisions, prompting):
        then = replace(known, revision=revision, template=template.name)
        if fingerprint_of(then, template=edition(template)) == fingerprint:
            return then
    return None


def _model(source: str) -> str:
    """A model's source; of a folder of the operator's its name alone."""
    kind, _, place = source.partition(":")
    return f"{kind}:{PurePath(place).name}" if kind == "path" else source


def _named(pseudonyms: Pseudonyms, battle_ids: list[int]) -> list[str] | int:
    """Battles by hash; where no earlier export has these hashes, only how many they are."""
    if not pseudonyms.linkable:
        return len(battle_ids)
    return [pseudonyms.of("battle", battle_id) for battle_id in battle_ids]
