"""A dataset folder to the hub: private unless asked otherwise, and only after lint passes."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx2

from bot import __version__
from bot.dataset import layout, trainers
from bot.dataset.card import headline
from bot.dataset.card.sections import PICTURES
from bot.dataset.lint.checking import check as lint
from bot.dataset.lint.rules import RULES, Severity
from bot.dataset.manifest import read
from bot.errors import ConfigError
from bot.wording import count
from storage.records import Consent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from huggingface_hub import HfApi

    from bot.dataset.lint.report import Report

_REPO = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
_KIND = "dataset"
SHOWN = 3
"""How many findings of lint are named."""

_SEVERITY = {rule.name: rule.severity for rule in RULES}

_STATUS = {
    400: "The hub does not accept what is in {repo}. Check the name, and the head of README.md.",
    401: "The hub does not know this token. Set HF_TOKEN to one that may write.",
    403: "This token may not write to {repo}. Set HF_TOKEN to one that may write there.",
    404: "The hub knows no {repo}, or this token may not see it. Check the name and HF_TOKEN.",
    409: "Somebody else is changing {repo} just now. Push again.",
    429: "The hub has had too many requests. Push again later.",
}

_UNREACHABLE = "The hub cannot be reached. Check the network, then push again."

HISTORY = (
    "The hub keeps what was there before in the repository's history, rows of members who have "
    "left since included. To have it forgotten, push with --squash."
)
SQUASHED = "The repository's history is one commit now. Tags and other branches are as they were."


def push(
    folder: Path,
    repo: str,
    *,
    token: str,
    check: Callable[[Path], Report] = lint,
    private: bool = True,
    squash: bool = False,
    endpoint: str | None = None,
    tell: Callable[[str], object] = lambda _: None,
) -> str:
    """Bring an export to OWNER/NAME and return its address.

    It goes in one commit: the files that the manifest names, the card and what lies beside
    them, and nothing else of the folder. Rows of an earlier push that have no place in this
    one leave with it; other files of the repository stay. `squash` makes the history one
    commit, for good. `tell` gets what the operator has to know. `endpoint` is another hub.

    Raises ConfigError: as `require_pushable`, for an export without rows, for what `check`
    finds, where a private push would become public, and where the hub cannot be reached or
    refuses. Nothing is on the hub then, unless it says that only `squash` failed.
    """
    manifest = _manifest(folder)
    is_delta = manifest["since"] is not None
    require_pushable(repo, manifest["purpose"], private=private, since=is_delta)
    if not manifest["rows"]:
        raise ConfigError("There are no rows yet, so there is nothing to push.")
    report = check(folder)
    if not report.ok:
        raise ConfigError(_objections(folder, report))
    names, message = _files(folder, manifest), headline(manifest)
    with _online(repo):
        from huggingface_hub import HfApi  # noqa: PLC0415 - it takes half a second to import

        api = HfApi(
            endpoint=endpoint, token=token, library_name="twofold", library_version=__version__
        )
        _open(api, repo, private=private, tell=tell)
        address, replaced = _commit(api, repo, folder, names, message)
    if squash:
        _squash(api, repo, message)
        tell(SQUASHED)
    elif replaced:
        tell(HISTORY)
    return address


def require_pushable(repo: str, purpose: str, *, private: bool, since: bool) -> None:
    """Raise ConfigError where no such export may go to OWNER/NAME, whatever its rows are.

    `purpose` is a Consent or its value, `since` whether the export is a delta.
    """
    if not _REPO.fullmatch(repo):
        raise ConfigError("Name the repository as OWNER/NAME, in letters, digits, `-`, `_`, `.`.")
    if purpose not in {Consent.TRAIN, Consent.PUBLISH}:
        raise ConfigError(
            "Exports for evaluation stay here: their members have not agreed to more. Export with "
            "`--purpose publish`, or `--purpose train` for a private repository."
        )
    if not private and purpose != Consent.PUBLISH:
        raise ConfigError(
            "Only what members agreed to publish may be public. Export with `--purpose publish`."
        )
    if since:
        raise ConfigError("An export with --since has only what changed. Push a whole one.")


def _manifest(folder: Path) -> dict[str, Any]:
    found = read(folder / layout.MANIFEST)
    if not found.keys() >= {"format", "chat", "purpose", "since", "votes", "rows"}:
        raise ConfigError(f"{folder} is no export of Twofold: its manifest.json is another one.")
    return found


def _objections(folder: Path, report: Report) -> str:
    """How much lint found, and the first few places."""
    found = report.findings
    serious = [f for f in found if _SEVERITY[f.rule] is Severity.ERROR] or found
    places = " ".join(f"{finding.place}: {finding.text}" for finding in serious[:SHOWN])
    much = count(report.errors, "error") if report.errors else count(report.warnings, "warning")
    return f"Nothing was pushed. Lint found {much}. {places} `twofold lint {folder}` lists them."


def _files(folder: Path, manifest: Mapping[str, Any]) -> list[str]:
    """What goes, by its path in the folder; a manifest cannot name anything else."""
    data = list(manifest["files"])
    if strange := [name for name in data if not layout.is_data(name)]:
        raise ConfigError(f"manifest.json names {strange[0]}, where no export has rows.")
    pictures = [name for name in PICTURES if (folder / name).is_file()]
    names = [*data, layout.MANIFEST, layout.CARD, *trainers.files(manifest), *pictures]
    if missing := [n for n in names if not (folder / n).is_file()]:
        raise ConfigError(f"{missing[0]} is not in {folder}. Export again.")
    if linked := [n for n in names if folder.resolve() not in (folder / n).resolve().parents]:
        raise ConfigError(f"{linked[0]} lies outside of {folder}. Put the file itself there.")
    return names


def _open(api: HfApi, repo: str, *, private: bool, tell: Callable[[str], object]) -> None:
    """Make the repository, or find it as private as was asked for."""
    api.create_repo(repo, repo_type=_KIND, private=private, exist_ok=True)
    is_private = bool(api.repo_info(repo, repo_type=_KIND).private)
    if private and not is_private:
        raise ConfigError(
            f"{repo} is there already, and public. Make it private first, or push with --public."
        )
    if is_private and not private:
        tell(f"{repo} was private before and stays so; its settings on the hub change that.")


def _commit(
    api: HfApi, repo: str, folder: Path, names: Sequence[str], message: str
) -> tuple[str, bool]:
    """Put the files there; returns the address, and whether rows were there before."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete  # noqa: PLC0415 - as above

    there = api.list_repo_files(repo, repo_type=_KIND)
    ours = [name for name in there if layout.is_data(name) or name in trainers.NAMES]
    done = api.create_commit(
        repo,
        [
            *(CommitOperationAdd(name, folder / name) for name in names),
            *(CommitOperationDelete(name) for name in ours if name not in names),
        ],
        commit_message=message,
        repo_type=_KIND,
    )
    return str(done.repo_url), any(map(layout.is_data, there))


def _squash(api: HfApi, repo: str, message: str) -> None:
    try:
        with _online(repo):
            api.super_squash_history(repo, repo_type=_KIND, commit_message=message)
    except ConfigError as error:
        raise ConfigError(
            f"The files are on the hub, but {repo} still has its history. {error.user_message}"
        ) from None


@contextmanager
def _online(repo: str) -> Iterator[None]:
    """The hub's library goes out, and what it raises becomes a sentence.

    Loading local models keeps it offline in this process, which it reads only once.
    """
    from huggingface_hub import constants  # noqa: PLC0415 - as above
    from huggingface_hub.errors import HfHubHTTPError  # noqa: PLC0415 - as above

    before, constants.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE, False
    try:
        yield
    except HfHubHTTPError as error:
        status = error.response.status_code
        sentence = _STATUS.get(status, f"The hub fails just now ({status}). Push again later.")
        raise ConfigError(sentence.format(repo=repo)) from None
    except (httpx2.HTTPError, OSError, ValueError) as error:
        # The library makes a ValueError of a head of README.md that the hub refuses. So is what
        # is no JSON, as from a network that wants a login first.
        refused = isinstance(error.__cause__, HfHubHTTPError)
        raise ConfigError(_STATUS[400].format(repo=repo) if refused else _UNREACHABLE) from None
    finally:
        constants.HF_HUB_OFFLINE = before
