"""The generated parts of the documentation. `python -m tests.project.readme` writes them anew."""

from __future__ import annotations

import re
from itertools import groupby
from pathlib import Path
from typing import get_args, get_type_hints

import yaml
from prometheus_client import Counter
from pydantic_core import PydanticUndefined

from benchmarks.sums import assumptions, sums
from bot.config import Config
from bot.contenders import presets
from bot.dataset.formats.registry import HELP
from bot.dataset.lint.rules import RULES
from bot.guilds import SETTINGS, GuildSettings
from bot.prompting import built_in
from bot.settings import Control, Group, Setting
from bot.telemetry.metrics import Metrics
from tests.faults.matrix import matrix

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
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


def server_tables() -> str:
    """Every setting of a server by group: what it does, its values, its default."""
    tables = []
    for group in Group:
        rows = [
            f"| {setting.label} (`{key}`) | {setting.help} | {_values(setting)} | {_default(key)} |"
            for key, setting in SETTINGS.items()
            if setting.group is group
        ]
        heads = ("| setting | what it does | values | default |", "| --- | --- | --- | --- |")
        tables.append("\n".join((f"### {group}", "", *heads, *rows)))
    return "\n\n".join(tables)


def lint_table() -> str:
    """Every rule of `twofold lint`: what it looks for, and what to do where it is found."""
    rows = [f"| `{rule.name}` | {rule.severity} | {rule.help} | {rule.fix} |" for rule in RULES]
    heads = ("| rule | severity | looks for | what to do |", "| --- | --- | --- | --- |")
    return "\n".join((*heads, *rows))


def formats_table() -> str:
    """Every format of exports, with who reads it."""
    rows = [f"| `{name}` | {help_} |" for name, help_ in HELP.items()]
    return "\n".join(("| format | what it is |", "| --- | --- |", *rows))


def faults_tables() -> str:
    """The fault matrix by area: what goes wrong, and what comes of it."""
    tables = []
    for area, faults in groupby(matrix(), key=lambda fault: fault.area):
        rows = [f"| {fault.name} | {fault.outcome} |" for fault in faults]
        heads = ("| what goes wrong | what comes of it |", "| --- | --- |")
        tables.append("\n".join((f"## {area}", "", *heads, *rows)))
    return "\n\n".join(tables)


def metrics_table() -> str:
    """Every metric of the program: what it is, its labels, what it means."""
    rows = ["| metric | kind | labels | what it is |", "| --- | --- | --- | --- |"]
    for name, hint in get_type_hints(Metrics, include_extras=True).items():
        kind, means, *rest = get_args(hint)
        labels = ", ".join(f"`{each}`" for each in rest if isinstance(each, str))
        full = f"twofold_{name}{'_total' if kind is Counter else ''}"
        rows.append(f"| `{full}` | {kind.__name__.lower()} | {labels} | {means} |")
    return "\n".join(rows)


def alerts_table() -> str:
    """Every alert: how urgent it is, what it says, what to do."""
    rules = yaml.safe_load((ROOT / "deploy" / "alerts.yml").read_text("utf-8"))
    rows = ["| alert | | it says | what to do |", "| --- | --- | --- | --- |"]
    for rule in rules["groups"][0]["rules"]:
        says = re.sub(r"\{\{.*?\}\}", "…", rule["annotations"]["summary"])
        first = f"| `{rule['alert']}` | {rule['labels']['severity']}"
        rows.append(f"{first} | {says} | {rule['annotations']['description']} |")
    return "\n".join(rows)


def _values(setting: Setting) -> str:
    if setting.options:
        return "<br>".join(f"`{value}`: {help_}" for value, help_ in setting.options.items())
    if setting.control is Control.NUMBER:
        most = f"{setting.most}{_unit(setting, setting.most)}" if setting.most else "the default"
        return f"{setting.least} to {most}"
    return {
        Control.TOGGLE: "on, off",
        Control.CHANNELS: f"text{', voice and forum' if setting.forums else ' and voice'} channels",
        Control.CHOICES: "those of the roster",
        Control.CHOICE: "the prompt templates",
        Control.LINK: "an address that begins with `https://`",
    }[setting.control]


def _default(key: str) -> str:
    setting, default = SETTINGS[key], GuildSettings.model_fields[key].default
    if setting.operator:
        return f"the operator's `{setting.operator}`"
    if isinstance(default, bool):
        return "on" if default else "off"
    if isinstance(default, int):
        return f"{default}{_unit(setting, default)}"
    if default in (None, ()):
        return "all" if setting.control is Control.CHOICES else "none"
    return f"`{default}`"


def _unit(setting: Setting, number: int) -> str:
    return f" {setting.unit}" if setting.unit == "%" or number == 1 else f" {setting.unit}s"


TABLES = {
    "settings": settings_table,
    "templates": templates_table,
    "presets": presets_table,
    "server settings": server_tables,
    "lint rules": lint_table,
    "formats": formats_table,
    "metrics": metrics_table,
    "sums": sums,
    "assumptions": assumptions,
    "alerts": alerts_table,
    "faults": faults_tables,
}
PAGES = {
    README: ("templates", "presets", "formats"),
    ROOT / "docs" / "dataset.md": ("formats",),
    ROOT / "docs" / "faults.md": ("faults",),
    ROOT / "docs" / "lint.md": ("lint rules",),
    ROOT / "docs" / "operating.md": ("alerts", "metrics"),
    ROOT / "docs" / "settings.md": ("server settings", "settings"),
    ROOT / "docs" / "sums.md": ("sums", "assumptions"),
}


def up_to_date(page: Path) -> str:
    """A page with its tables as they should be."""
    text = page.read_text("utf-8")
    for name in PAGES[page]:
        begin, end = f"<!-- {name}: {MADE} -->\n", f"\n<!-- /{name} -->"
        before, _, rest = text.partition(begin)
        _, found, after = rest.partition(end)
        assert found, f"{page.name} has no place for {name}"
        text = f"{before}{begin}{TABLES[name]()}{end}{after}"
    return text


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(up_to_date(page), "utf-8")
