"""Prints what Twofold needs, for the image: its extras, and with or without local models.

    python requirements.py llamacpp,postgresql 1

Installed before the program itself, they are a layer that a change of the program leaves alone.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

LOCAL = {"torch", "transformers", "accelerate", "gguf", "xllamacpp"}
"""What only weights in this process need: contenders on servers do without."""


def requirements(extras: str, *, local: bool) -> list[str]:
    """List the requirements of the project and of some of its extras, as pip reads them."""
    project = tomllib.loads(Path("pyproject.toml").read_text("utf-8"))["project"]
    wanted = [*project["dependencies"]]
    for extra in filter(None, extras.split(",")):
        wanted += project["optional-dependencies"][extra]
    return [line for line in wanted if local or _name(line) not in LOCAL]


def _name(requirement: str) -> str:
    return re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0].lower()


if __name__ == "__main__":
    print("\n".join(requirements(sys.argv[1], local=sys.argv[2] != "0")))
