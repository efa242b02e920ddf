"""The generated part of the README. `python -m tests.project.readme` writes it anew."""

from __future__ import annotations

import re
from pathlib import Path

from pydantic_core import PydanticUndefined

from bot.config import Config

README = Path(__file__).parents[2] / "README.md"
SETTINGS = re.compile(r"(<!-- settings: [^\n]* -->\n).*(<!-- /settings -->)", re.DOTALL)


def settings_table() -> str:
    """Every field of Config as a row: in the environment, in the TOML, default, help."""
    rows = [
        "| environment | in `twofold.toml` | default | what it does |",
        "| --- | --- | --- | --- |",
    ]
    for name, field in Config.model_fields.items():
        alias = field.validation_alias
        variable = alias.choices[0] if alias else f"TWOFOLD_{name.upper()}"
        plain = field.default is not PydanticUndefined and isinstance(
            field.default, str | int | float
        )
        default = f"`{str(field.default).lower()}`" if plain and name != "system_prompt" else ""
        toml = "" if name == "config" else f"`{name}`"
        rows.append(f"| `{variable}` | {toml} | {default} | {field.description} |")
    return "\n".join(rows)


def with_settings(text: str) -> str:
    """The README with its table as it should be."""
    return SETTINGS.sub(lambda found: f"{found[1]}{settings_table()}\n{found[2]}", text)


if __name__ == "__main__":
    README.write_text(with_settings(README.read_text("utf-8")), "utf-8")
