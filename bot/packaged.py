"""Data that comes along with the program: small TOML files, by name."""

from __future__ import annotations

import tomllib
from importlib import resources
from typing import TypeVar

from pydantic import BaseModel

T = TypeVar("T", bound=BaseModel)


def packaged(folder: str, model: type[T]) -> dict[str, T]:
    """The files in `bot/FOLDER/`, each read as a `model`, by file name and in its order."""
    files = (f for f in (resources.files("bot") / folder).iterdir() if f.name.endswith(".toml"))
    return {
        file.name.removesuffix(".toml"): model.model_validate(
            tomllib.loads(file.read_text("utf-8"))
        )
        for file in sorted(files, key=lambda file: file.name)
    }
