"""The head of a card: the YAML by which hubs and `datasets` know a folder.

Source of the keys: the hub's documentation, "Dataset Cards" and "Manual Configuration".
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from bot.dataset import layout
from bot.dataset.card.markdown import line
from bot.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bot.dataset.formats import Spec

LICENCES = frozenset(
    {
        *("apache-2.0", "mit", "cc0-1.0", "odc-by", "odbl", "pddl", "unlicense", "unknown"),
        *("cc-by-2.0", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0"),
        *("cc-by-nc-3.0", "cc-by-nc-4.0", "cc-by-nd-4.0", "cc-by-nc-nd-4.0"),
        *("cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0", "cdla-permissive-2.0", "cdla-sharing-1.0"),
    }
)
"""What data is mostly licensed under, of the names that the hub knows; others are `other`."""

FIRST_TABLE = {"arena": "votes", "raw": "battles"}
"""Which of several tables `load_dataset` gives where none is named."""

_CATEGORIES = {"sft": ["text-generation"], "arena": ["text-generation"], "raw": ["text-generation"]}
_OTHER_CATEGORIES = ["text-generation", "reinforcement-learning"]
_ORIGINS = {"imported": "found", "simulated": "machine-generated"}
_TYPES = {"int": "int64", "float": "float64", "day": "date32"}
"""What `datasets` calls what columns hold, where its name is another one."""

_BY_TRL = ("dpo", "kto", "sft", "reward")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]+)*|code|multilingual")
_SIZES = (
    *(("n<1K", 0), ("1K<n<10K", 10**3), ("10K<n<100K", 10**4), ("100K<n<1M", 10**5)),
    *(("1M<n<10M", 10**6), ("10M<n<100M", 10**7), ("100M<n<1B", 10**8)),
)


def metadata(
    manifest: Mapping[str, Any],
    *,
    title: str,
    licence: str,
    languages: Sequence[str],
    columns: Mapping[str, Mapping[str, Spec]],
) -> str:
    """The YAML, without the lines that enclose it. Raises ConfigError for a wrong language.

    `columns` are those of each table, where they are known. Without them, readers of JSON lines
    guess from the first rows: a list that is empty there then cannot hold a text later on.
    """
    for language in languages:
        if not _LANGUAGE.fullmatch(language):
            raise ConfigError(
                f"{line(language)} is no code of a language. Use two or three letters, as in `en`."
            )
    # Not at the top: its first import settles whether this process may go out.
    from huggingface_hub import DatasetCardData  # noqa: PLC0415

    origin = _ORIGINS.get(manifest["source"]["kind"], "crowdsourced")
    data = DatasetCardData(
        language=list(languages) or None,
        license=licence.lower() if licence.lower() in LICENCES else "other",
        annotations_creators=[origin],
        size_categories=[_size(manifest["rows"])],
        task_categories=_CATEGORIES.get(manifest["format"], _OTHER_CATEGORIES),
        pretty_name=title,
    )
    if data["license"] == "other":
        data["license_name"] = re.sub(r"[^a-z0-9.]+", "-", licence.lower()).strip("-") or "other"
    data["tags"] = _tags(manifest)
    if configs := _configs(manifest):
        data["configs"] = configs
        data["dataset_info"] = [
            {"config_name": table or "default", "features": _features(columns[table])}
            for table in layout.tables(manifest)
            if table in columns
        ] or None
    return data.to_yaml()


def _tags(manifest: Mapping[str, Any]) -> list[str]:
    simulated = manifest["source"]["kind"] == "simulated"
    whose = "synthetic" if simulated else "human-feedback"
    tags = ["twofold", "preference", whose, manifest["format"]]
    return [*tags, "trl"] if manifest["format"] in _BY_TRL else tags


def _configs(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One configuration a table; the first one is what is loaded without a name."""
    tables = layout.tables(manifest)
    first = FIRST_TABLE.get(manifest["format"])
    configs: list[dict[str, Any]] = []
    for table in sorted(tables, key=lambda name: name != first):
        files = [{"split": split, "path": path} for split, path in tables[table].items()]
        default = {} if configs else {"default": True}
        configs.append({"config_name": table or "default", **default, "data_files": files})
    return configs


def _features(columns: Mapping[str, Spec]) -> list[dict[str, Any]]:
    return [{"name": name, **_feature(spec)} for name, spec in columns.items()]


def _feature(spec: Spec) -> dict[str, Any]:
    if isinstance(spec, dict):
        return {"struct": _features(spec)}
    if isinstance(spec, list):
        ((_, inner),) = _feature(spec[0]).items()
        return {"list": inner}
    return {"dtype": _TYPES.get(spec, spec)}


def _size(rows: int) -> str:
    for (name, _), (_, above) in pairwise(_SIZES):
        if rows < above:
            return name
    return _SIZES[-1][0]
