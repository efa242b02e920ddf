"""The dataset of a training that was given none: an export like `twofold export` makes."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bot.dataset.export import export, told
from bot.dataset.gate import TRAINING_NEEDS, require_permission
from bot.dataset.policy import Policy
from bot.dataset.pseudonyms import Pseudonyms
from bot.dataset.request import Means, Request
from bot.errors import ConfigError
from bot.prompting import library
from bot.redaction import Redactor
from bot.redaction.presidio import presidio
from bot.terminal import database_of, err
from bot.training import datasets
from bot.training.recipe import Method
from bot.training.rows import TAKES
from storage.database import Database
from storage.records import Consent

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from bot.config import Config

VALIDATION, TEST = 0.1, 0.25
"""Shares of the prompts: of 150 pairs 37 are left for the test, which 25 right ones pass.

Of 300, three of four that predict 65 % pass, and nearly all that predict 70 %.
"""


def dataset_for(
    method: Method, template: str, config: Config, *, simulated: bool, new_to: str | None = None
) -> Path:
    """Export the votes for a method, all prompts written in a template; returns the folder.

    What the tuned contender `new_to` has learnt from already is left out.

    The folder's name follows from the rows, so that the same votes give the same one. Raises
    ConfigError where training on them is not allowed, or there are none.
    """
    if not simulated:
        require_permission(Consent.TRAIN, training_export=config.training_export)
        err.print(TRAINING_NEEDS, soft_wrap=True)
    # Preferences serve SFT as well, and what was rejected tells how good it has become.
    form = "dpo" if method is Method.SFT else TAKES[method][0]
    policy = Policy(
        render_with=template,
        simulated=simulated,
        new_to=new_to,
        validation=VALIDATION,
        test=TEST,
    )
    request = Request(format=form, purpose=Consent.TRAIN, policy=policy)
    with datasets.drafting(config.home) as draft:
        manifest = asyncio.run(_export(config, request, draft))
        for line in told(manifest):
            err.print(line, soft_wrap=True)
        if not manifest["rows"]:
            raise ConfigError(
                "No vote can be learnt from yet: none is on a battle that "
                "all who are in it allowed for training. `twofold export` tells what was left out."
            )
        folder = datasets.folder_of(config.home, str(manifest["dataset"]))
        if not folder.exists():
            draft.replace(folder)
    return folder


async def _export(config: Config, request: Request, out: Path) -> dict[str, Any]:
    url = database_of(config, None)
    means = Means(
        pseudonyms=Pseudonyms.kept_in(config.home),
        redactor=Redactor(more=presidio()),
        templates=library(config.templates),
        system_prompt=config.system_prompt,
        url=url,
        key=config.database_key,
    )
    async with Database.open(url, key=means.key) as store:
        await datasets.sweep(config.home, store.exports)
        return await export(store, request, means, out=out, at=datetime.now(UTC))
