"""The generated part of the README. `python -m tests.project.readme` writes it anew."""

from __future__ import annotations

from pathlib import Path

from pydantic_core import PydanticUndefined

from bot.config import Config
from bot.contenders import presets
from bot.prompting import built_in

README = Path(__file__).parents[2] / "README.md"
MADE = "made by `make docs`, checked by a test"


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


def templates_table() -> str:
    """Every prompt template that comes along, with what it is for."""
    rows = [f"| `{name}` | {frame.help} |" for name, frame in built_in().items()]
    return "\n".join(("| template | what it is for |", "| --- | --- |", *rows))


def presets_table() -> str:
    """Every roster that comes along, with what it is."""
    rows = [f"| `{name}` | {preset.help} |" for name, preset in presets().items()]
    return "\n".join(("| preset | what it is |", "| --- | --- |", *rows))


TABLES = {"settings": settings_table, "templates": templates_table, "presets": presets_table}


def up_to_date(text: str) -> str:
    """The README with its tables as they should be."""
    for name, table in TABLES.items():
        begin, end = f"<!-- {name}: {MADE} -->\n", f"\n<!-- /{name} -->"
        before, _, rest = text.partition(begin)
        _, found, after = rest.partition(end)
        assert found, f"the README has no place for {name}"
        text = f"{before}{begin}{table()}{end}{after}"
    return text


if __name__ == "__main__":
    README.write_text(up_to_date(README.read_text("utf-8")), "utf-8")
