"""House rules that no linter knows."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = ("bot", "cogs", "storage")
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for room in ROOMS
    for path in (ROOT / room).rglob("*.py")
    if "versions" not in path.parts and path.name != "env.py"
)
PROBE = """
import os, sys, threading, importlib
for name in [n for n in os.environ if n not in ("PATH", "HOME", "LANG")]:
    del os.environ[name]
opened = []
sys.addaudithook(lambda event, args: opened.append((event, args)) if event in
    ("socket.connect", "sqlite3.connect", "subprocess.Popen") else None)
for module in sys.argv[1:]:
    importlib.import_module(module)
heavy = {"torch", "transformers", "openai"} & set(sys.modules)
print(opened, threading.active_count(), sorted(heavy))
"""


def probe(*modules: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *modules],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    return done.stdout.strip()


def test_importing_everything_opens_nothing_and_starts_no_thread() -> None:
    heavy = ("bot.engines.", "bot.training.worker.")
    light = [m for m in MODULES if not m.startswith(heavy) and m != "bot.demo"]
    assert probe(*light) == "[] 1 []"


def test_the_command_line_and_the_export_do_not_import_models() -> None:
    assert probe("bot.cli", "bot.app", "bot.dataset.export", "cogs.chat") == "[] 1 []"


def test_help_waits_for_no_heavy_library() -> None:
    done = subprocess.run(
        [sys.executable, "-c", HELP], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.splitlines()[-1] == "[]"


HELP = """
import sys
sys.argv = ["twofold", "--help"]
from bot.cli import cli
try:
    cli()
except SystemExit:
    print(sorted({"numpy", "matplotlib", "sqlalchemy", "aiohttp", "jinja2"} & set(sys.modules)))
"""


def test_the_environment_is_read_in_one_file() -> None:
    reading = re.compile(r"os\.(environ\[?\b(?!\.setdefault)|getenv)")
    readers = {
        str(path.relative_to(ROOT))
        for room in ROOMS
        for path in (ROOT / room).rglob("*.py")
        if reading.search(path.read_text("utf-8"))
    }
    assert "bot/config.py" in readers
    assert readers <= {"bot/config.py", *ENGINE_SETTERS}


ENGINE_SETTERS = {
    "bot/engines/local/loading.py",
    "bot/engines/weights/children.py",
    "bot/engines/weights/convert.py",
    "bot/engines/weights/wheels.py",
    "bot/training/child.py",
}
"""These set variables for libraries, or hand the environment to a child process."""
