"""`twofold lint`: its options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bot.terminal import configured, err, out


def lint(  # noqa: PLR0913 - an option each
    path: Annotated[Path, typer.Argument(help="A dataset's folder, or one of its files.")],
    names: Annotated[
        Path | None, typer.Option(help="A file of names that must not occur, one a line.")
    ] = None,
    max_tokens: Annotated[int, typer.Option(help="What the trainer takes of a row.", min=2)] = 1024,
    tokenizer: Annotated[
        str | None,
        typer.Option(
            help="What counts tokens: a `tokenizer.json`, its folder, or a model as "
            "`twofold models list` names it. Without it they are estimated."
        ),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(help="Where the report goes. Without it into the folder, if there is one."),
    ] = None,
    skip: Annotated[
        list[str] | None, typer.Option(help="A rule to leave out; give it again for another.")
    ] = None,
    *,
    near: Annotated[
        bool | None,
        typer.Option(
            help="Look for near-duplicates in all rows, or in none. Without it in the first "
            "50,000 of each table."
        ),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings count as errors.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check a dataset, Twofold's or another, against the rules of its format.

    Looked for are rows that trainers fail on, personal data and names, duplicates, prompts
    that are in two splits, and what the better answers have in common besides being
    better. The exit code is 1 where there are errors.

    Example: `twofold lint exports/dpo --strict`
    """
    import orjson

    from bot.console import tokenizer_file
    from bot.dataset.lint import telling
    from bot.dataset.lint.checking import Options, check

    options = Options(
        names=telling.names_in(names) if names else (),
        max_tokens=max_tokens,
        tokenizer=tokenizer_file(tokenizer, configured()) if tokenizer else None,
        near=near,
        skip=frozenset(skip or ()),
        strict=strict,
    )
    with telling.bar(err) as progress:
        found = check(path, options, progress)
    if place := report or telling.beside(path):
        telling.write(found, place)
    if as_json:
        typer.echo(orjson.dumps(found.as_dict(), option=orjson.OPT_INDENT_2))
    else:
        telling.tell(found, out)
    if place:
        err.print(f"Written to {place}", soft_wrap=True, markup=False)
    if not found.ok:
        raise typer.Exit(1)
