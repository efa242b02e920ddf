"""`twofold export`: its options, and what it says."""

from __future__ import annotations

import asyncio
import gc
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import ValidationError

from bot.dataset.files import Files, Kind, Packing
from bot.dataset.policy import Columns, Deciding, Edits, Policy, Text, Undecided, Votes
from bot.errors import ConfigError
from bot.terminal import configured, database_of, err, out, progress_of
from storage import records

if TYPE_CHECKING:
    from collections.abc import Collection

    from bot.config import Config
    from bot.contenders import ContenderConfig
    from bot.dataset.logprobs import Scored
    from bot.dataset.request import Means, Request
_DAY = ["%Y-%m-%d"]
_VOTES = "Which votes"
_BATTLES = "Which battles"
_ROWS = "What rows hold"
_FILES = "Files"
_CARD = "Card and hub"


def export(  # noqa: PLR0913 - every choice of an export is an option
    folder: Annotated[
        Path,
        typer.Option("--out", help="Folder for the files; made if needed.", show_default=False),
    ],
    format_name: Annotated[
        str,
        typer.Option(
            "--format",
            help="`dpo`, `kto`, `sft`, `reward`: TRL's rows, text for base models or with --chat "
            "chats. `openai`: strict preference rows. `arena`: votes and pairs in LMArena's "
            "columns. `raw`: everything, under hashes.",
        ),
    ] = "dpo",
    purpose: Annotated[
        str,
        typer.Option(
            help="`train` or `publish`, which the operator must have turned on, or `evaluate`, "
            "for statistics."
        ),
    ] = "train",
    *,
    chat: Annotated[
        bool, typer.Option("--chat", help="Chats for instruct models instead of text.")
    ] = False,
    since: Annotated[
        Path | None,
        typer.Option(help="An earlier manifest.json: write only what changed, with tombstones."),
    ] = None,
    collection: Annotated[
        str | None,
        typer.Option(
            "--from", help="A collection that `twofold import` made, instead of the bot's votes."
        ),
    ] = None,
    simulated: Annotated[
        bool,
        typer.Option(
            "--simulated", help="What `twofold simulate` made, instead of what members did."
        ),
    ] = False,
    unlinkable: Annotated[
        bool,
        typer.Option("--unlinkable", help="Hash ids so that no other export can be joined."),
    ] = False,
    votes: Annotated[
        Votes, typer.Option(help="Votes that decide.", rich_help_panel=_VOTES)
    ] = Votes.BLIND,
    deciding: Annotated[
        Deciding,
        typer.Option(
            "--decide",
            help="How votes become a preference; `weighted` by how far voters can be relied on, "
            "`every` has a row for each vote. The majority need not be more than half.",
            rich_help_panel=_VOTES,
        ),
    ] = Deciding.MAJORITY,
    min_votes: Annotated[
        int, typer.Option(min=1, help="Votes that a battle must have.", rich_help_panel=_VOTES)
    ] = 1,
    min_agreement: Annotated[
        float,
        typer.Option(min=0, max=1, help="Share of them that must agree.", rich_help_panel=_VOTES),
    ] = 0.0,
    author_votes: Annotated[
        bool, typer.Option(help="Count votes of who wrote the prompt.", rich_help_panel=_VOTES)
    ] = True,
    include: Annotated[
        list[records.Purpose] | None,
        typer.Option(
            help="`live`, `mirror`, `control`; repeat it. Default: live, for raw all.",
            rich_help_panel=_BATTLES,
            show_default=False,
        ),
    ] = None,
    after: Annotated[
        datetime | None,
        typer.Option(formats=_DAY, help="From this day on.", rich_help_panel=_BATTLES),
    ] = None,
    before: Annotated[
        datetime | None,
        typer.Option(formats=_DAY, help="Up to this day.", rich_help_panel=_BATTLES),
    ] = None,
    guild: Annotated[
        list[int] | None,
        typer.Option(help="A server, by its id; repeat it.", rich_help_panel=_BATTLES),
    ] = None,
    contender: Annotated[
        list[str] | None,
        typer.Option(help="Both must be among these; repeat it.", rich_help_panel=_BATTLES),
    ] = None,
    template: Annotated[
        list[str] | None,
        typer.Option(
            help="At least one must use one of these templates; repeat it.",
            rich_help_panel=_BATTLES,
        ),
    ] = None,
    without_tag: Annotated[
        list[str] | None,
        typer.Option(
            help="Leave out battles with such an answer: `refusal`, `loop`, `leak`; repeat it.",
            rich_help_panel=_BATTLES,
        ),
    ] = None,
    only_from: Annotated[
        list[records.Kind] | None,
        typer.Option(
            help="The chosen side must be of this kind; repeat it.", rich_help_panel=_BATTLES
        ),
    ] = None,
    length_ratio: Annotated[
        float | None,
        typer.Option(
            min=1,
            help="The longer side may have so many times the characters of the shorter.",
            rich_help_panel=_BATTLES,
        ),
    ] = None,
    keep_cut: Annotated[
        bool,
        typer.Option(
            "--keep-cut",
            help="Keep what was chosen although its length ran out: it teaches to stop mid-way.",
            rich_help_panel=_BATTLES,
        ),
    ] = False,
    keep_continued: Annotated[
        bool,
        typer.Option(
            "--keep-continued",
            help="Keep answers that went on later, beside the longer ones.",
            rich_help_panel=_BATTLES,
        ),
    ] = False,
    text: Annotated[
        Text,
        typer.Option(help="What people saw, or what models wrote.", rich_help_panel=_ROWS),
    ] = Text.SHOWN,
    ties: Annotated[
        Undecided, typer.Option(help="What ties become.", rich_help_panel=_ROWS)
    ] = Undecided.LEAVE_OUT,
    both_bad: Annotated[
        Undecided, typer.Option(help="What both bad becomes.", rich_help_panel=_ROWS)
    ] = Undecided.UNDESIRABLE,
    edits: Annotated[
        Edits,
        typer.Option(help="What answers become that members wrote anew.", rich_help_panel=_ROWS),
    ] = Edits.CHOSEN,
    render_with: Annotated[
        str | None,
        typer.Option(
            help="A prompt template for all rows of text, not the one of then.",
            rich_help_panel=_ROWS,
        ),
    ] = None,
    new_to: Annotated[
        str | None,
        typer.Option(
            help="A tuned contender: leave out what it was trained on already.",
            rich_help_panel=_BATTLES,
        ),
    ] = None,
    columns: Annotated[
        list[Columns] | None,
        typer.Option(
            help="Columns beside the format's own; repeat it. Default: votes, margin, contenders, "
            "tags.",
            rich_help_panel=_ROWS,
            show_default=False,
        ),
    ] = None,
    logprobs: Annotated[
        str | None,
        typer.Option(
            help="A base contender: add its log-probabilities of both sides, as DPO's reference "
            "(`base` for the first one).",
            rich_help_panel=_ROWS,
        ),
    ] = None,
    validation: Annotated[
        float,
        typer.Option(
            min=0, max=1, help="Share of the prompts in this split.", rich_help_panel=_FILES
        ),
    ] = 0.05,
    test: Annotated[
        float,
        typer.Option(
            min=0, max=1, help="Share of the prompts in this split.", rich_help_panel=_FILES
        ),
    ] = 0.05,
    seed: Annotated[
        int, typer.Option(help="Which prompts go into which split.", rich_help_panel=_FILES)
    ] = 0,
    kind: Annotated[
        Kind, typer.Option("--as", help="JSON lines or Parquet.", rich_help_panel=_FILES)
    ] = Kind.JSONL,
    processes: Annotated[
        int,
        typer.Option(
            min=1,
            max=2,
            help="Two take half the time and twice the memory.",
            rich_help_panel=_FILES,
        ),
    ] = 2,
    compress: Annotated[
        Packing, typer.Option(help="Compression of the files.", rich_help_panel=_FILES)
    ] = Packing.NONE,
    title: Annotated[
        str | None, typer.Option(help="What the card is headed with.", rich_help_panel=_CARD)
    ] = None,
    licence: Annotated[
        str | None,
        typer.Option(help="Of prompts and votes, for the card.", rich_help_panel=_CARD),
    ] = None,
    language: Annotated[
        list[str] | None,
        typer.Option(help="A code such as `en`, for the card; repeat it.", rich_help_panel=_CARD),
    ] = None,
    contact: Annotated[
        str | None,
        typer.Option(help="Whom to ask for deletion, for the card.", rich_help_panel=_CARD),
    ] = None,
    push: Annotated[
        str | None,
        typer.Option(
            help="OWNER/NAME on the model hub, private, once lint finds no error. Needs HF_TOKEN.",
            rich_help_panel=_CARD,
        ),
    ] = None,
    public: Annotated[
        bool,
        typer.Option(
            "--public", help="A public repository, not a private one.", rich_help_panel=_CARD
        ),
    ] = False,
    squash: Annotated[
        bool,
        typer.Option("--squash", help="Have the hub forget earlier pushes.", rich_help_panel=_CARD),
    ] = False,
) -> None:
    """Write the votes as a preference dataset, of those who agreed to it.

    A folder with `train`, `validation` and `test` that `datasets.load_dataset` reads, a
    `manifest.json` that counts what was left out and why, and a card. The same database and
    options give the same files; a row never changes its split.

    Example: `twofold export --purpose evaluate --format dpo --out exports/dpo`
    """
    from bot.dataset import export as exporting
    from bot.dataset.card.command import OPTIONS
    from bot.dataset.formats.choices import require_meaning
    from bot.dataset.formats.registry import purposes_of
    from bot.dataset.manifest import read
    from bot.dataset.push import require_pushable
    from bot.dataset.request import Request

    scope = _scope(format_name, purpose)
    _go_together(format_name, chat=chat, logprobs=logprobs is not None)
    _one_source(collection, simulated=simulated)
    if push:
        require_pushable(push, scope, private=not public, since=since is not None)
    elif public or squash:
        raise ConfigError("--public and --squash go with --push.")
    purposes = include or purposes_of(format_name)
    chosen = {
        "votes": votes,
        "deciding": deciding,
        "min_votes": min_votes,
        "min_agreement": min_agreement,
        "author_votes": author_votes,
        "purposes": tuple(sorted(set(purposes))),
        "since": after.date() if after else None,
        "until": before.date() if before else None,
        "guilds": tuple(sorted(set(guild or ()))),
        "contenders": tuple(sorted(set(contender or ()))),
        "templates": tuple(sorted(set(template or ()))),
        "without_tags": tuple(sorted(set(without_tag or ()))),
        "chosen_kinds": tuple(sorted(set(only_from or ()))),
        "length_ratio": length_ratio,
        "text": text,
        "cut": keep_cut,
        "continued": keep_continued,
        "ties": ties,
        "both_bad": both_bad,
        "edits": edits,
        "render_with": render_with,
        "new_to": new_to,
        "validation": validation,
        "test": test,
        "seed": seed,
        "simulated": simulated,
    }
    if columns:
        chosen["columns"] = tuple(column for column in Columns if column in columns)
    policy = _policy(chosen)
    require_meaning(format_name, policy, OPTIONS)
    if render_with and chat:
        raise ConfigError("--render-with is for rows of text, so not for --chat.")
    config = configured()
    base = _base(config, logprobs) if logprobs else None
    if base is not None:
        policy = policy.model_copy(update={"logprobs": base.slug})
    if collection is None and not simulated:
        _permitted(scope, config)
    token = _hub_token() if push else ""
    request = Request(
        format=format_name,
        purpose=scope,
        policy=policy,
        chat=chat,
        files=Files(kind, compress),
        since=read(since) if since else None,
    )
    about = {
        "title": title,
        "repo": push,
        "licence": licence,
        "languages": tuple(language or ()),
        "contact": contact,
    }
    # Rows hold no circles, and looking for some takes a third of an export's time.
    gc.disable()
    with ExitStack() as stack:
        scored = _scored(config, base.model, stack) if base else None
        means = _means(config, request, scored, about, unlinkable=unlinkable)
        url = database_of(config, collection)
        if processes > 1:
            means = replace(means, url=url)
        manifest = asyncio.run(_export(url, request, means, folder, collection))
    lines = [
        *exporting.told(manifest),
        *([scored.told()] if scored else []),
        _end(manifest, folder),
    ]
    for line in lines:
        out.print(line, soft_wrap=True)
    if push:
        _push(folder, push, token, private=not public, squash=squash)


def _scope(format_name: str, purpose: str) -> records.Consent:
    """The consent that is needed. Raises ConfigError for names that there are not."""
    from bot.dataset.formats.registry import FORMATS
    from bot.dataset.gate import PURPOSES

    for what, name, known in (("format", format_name, FORMATS), ("purpose", purpose, PURPOSES)):
        if name not in known:
            raise ConfigError(f"There is no {what} {name}. Choose one of: {', '.join(known)}.")
    return PURPOSES[purpose]


def _go_together(format_name: str, *, chat: bool, logprobs: bool) -> None:
    from bot.dataset.formats.registry import CHATS

    if chat and format_name not in CHATS:
        raise ConfigError(f"--chat goes with {', '.join(sorted(CHATS))}, not with {format_name}.")
    if logprobs and (format_name not in {"dpo", "reward"} or chat):
        raise ConfigError("--logprobs goes with the text rows of dpo and reward.")


def _one_source(collection: str | None, *, simulated: bool) -> None:
    if collection and simulated:
        raise ConfigError("--from and --simulated name different sources. Choose one of the two.")


def _permitted(scope: records.Consent, config: Config) -> None:
    from bot.dataset.gate import TRAINING_NEEDS, require_permission

    require_permission(scope, training_export=config.training_export)
    if scope.includes(records.Consent.TRAIN):
        err.print(TRAINING_NEEDS, soft_wrap=True)


def _end(manifest: dict[str, Any], folder: Path) -> str:
    if manifest["rows"]:
        return f"Written to {folder}"
    if since := manifest["since"]:
        gone = since["changed"] + since["gone"]
        what = "What is gone stands in tombstones.jsonl." if gone else "Nothing has changed."
        return f"No row is new. {what}"
    if manifest["funnel"]["left_out"]["no_base_prompt"]:
        return "There are no rows: nobody knows the prompts. Use --chat, or --render-with TEMPLATE."
    return "There are no rows yet. Only the manifest and the card are written."


def _policy(chosen: dict[str, Any]) -> Policy:
    try:
        return Policy(**chosen)
    except ValidationError as error:
        first = error.errors()[0]
        if "ctx" in first and "error" in first["ctx"]:
            raise ConfigError(f"{first['ctx']['error']}.") from None
        where = ".".join(map(str, first["loc"])).replace("_", "-")
        raise ConfigError(f"--{where}: {first['msg']}.") from None


def _base(config: Config, name: str) -> ContenderConfig:
    """The contender of that name, or the first base contender for `base`."""
    base = [c for c in config.contenders if c.kind is not records.Kind.INSTRUCT]
    named = base[:1] if name == "base" else [c for c in base if c.slug == name]
    if not named:
        known = ", ".join(c.slug for c in base) or "none"
        raise ConfigError(f"There is no base contender {name} in the roster. There are: {known}.")
    return named[0]


def _scored(config: Config, model: str, stack: ExitStack) -> Scored:
    """What scores rows under a model that runs here."""
    from contextlib import closing

    from bot.console import fetch
    from bot.dataset.logprobs import Scored
    from bot.engines.local.scoring import LocalScorer
    from bot.engines.weights import parse_source, pull

    fetch(model, config=config, console=err)
    scorer = LocalScorer(pull(parse_source(model), config.models_folder))
    cache = config.home / "cache" / "logprobs"
    return stack.enter_context(closing(Scored(scorer=scorer, cache=cache)))


def _means(
    config: Config,
    request: Request,
    scored: Scored | None,
    about: dict[str, Any],
    *,
    unlinkable: bool,
) -> Means:
    from bot.dataset.pseudonyms import Pseudonyms
    from bot.dataset.request import Means
    from bot.prompting import library
    from bot.redaction import Redactor
    from bot.redaction.presidio import presidio

    templates = library(config.templates)
    wanted = request.policy.render_with
    if wanted is not None and wanted not in templates:
        raise ConfigError(f"There is no template {wanted}. Choose one of: {', '.join(templates)}.")
    return Means(
        pseudonyms=Pseudonyms.unlinkable() if unlinkable else Pseudonyms.kept_in(config.home),
        redactor=Redactor(more=presidio()),
        templates=templates,
        system_prompt=config.system_prompt,
        scored=scored,
        about=about,
        key=config.database_key,
    )


async def _export(
    url: str, request: Request, means: Means, folder: Path, collection: str | None
) -> dict[str, Any]:
    from rich.progress import BarColumn, MofNCompleteColumn, TimeRemainingColumn

    from bot.dataset.export import export as write
    from storage.database import Database

    async with Database.open(url, key=means.key) as store:
        _known(request.policy, await store.contenders.all(), means)
        if collection:
            means = replace(means, collection=(collection, await store.imports.all()))
        policy = request.policy
        total = await store.census.voted(policy.guilds, simulated=policy.simulated)
        columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with progress_of(*columns) as shown:
            bar = shown.add_task("battles", total=total)
            if means.scored is not None:
                means.scored.progress = lambda n: shown.update(
                    bar, description=f"battles, {n:,} rows scored"
                )
            return await write(
                store,
                request,
                means,
                out=folder,
                at=datetime.now(UTC),
                progress=lambda n: shown.update(bar, completed=n),
            )


def _known(policy: Policy, contenders: Collection[records.Contender], means: Means) -> None:
    """Raise ConfigError for a name that no battle can have."""
    templates = {contender.template for contender in contenders if contender.template}
    slugs = {contender.slug for contender in contenders}
    tuned = {c.slug for c in contenders if c.kind is records.Kind.TUNED}
    for what, chosen, known in (
        ("contender", policy.contenders, slugs),
        ("tuned contender", (policy.new_to,) if policy.new_to else (), tuned),
        ("template", policy.templates, templates | means.templates.keys()),
    ):
        for name in chosen:
            if name not in known:
                there = ", ".join(sorted(known)) or "none"
                raise ConfigError(
                    f"There is no {what} {name} in this database. There are: {there}."
                )


def _hub_token() -> str:
    from huggingface_hub import get_token

    token = get_token()
    if not token:
        raise ConfigError("--push needs HF_TOKEN: a token of the hub that may write.")
    return token


def _push(folder: Path, repo: str, token: str, *, private: bool, squash: bool) -> None:
    from bot.dataset.push import push

    address = push(
        folder,
        repo,
        token=token,
        private=private,
        squash=squash,
        tell=lambda line: out.print(line, soft_wrap=True),
    )
    out.print(f"Pushed to {address}", soft_wrap=True)
