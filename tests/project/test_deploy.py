"""What is there to run Twofold elsewhere: the wheel, the image, compose, systemd.

No image is built here: there is no Docker engine where these tests run.
"""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

from bot.config import Config, load

ROOT = Path(__file__).parents[2]
IGNORED = shutil.ignore_patterns("__pycache__", "*.pyc")
UNIT = ROOT / "deploy" / "twofold.service"
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))
SCRIPTED = """
[[contenders]]
slug = "wild"
kind = "base"
model = "scripted:"

[[contenders]]
slug = "tame"
kind = "instruct"
model = "scripted:"
"""


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `.dockerignore` lets into the image, and the wheel is made of there."""
    folder = tmp_path_factory.mktemp("context")
    for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines():
        if line.startswith("!"):
            source, target = ROOT / line[1:], folder / line[1:]
            if source.is_dir():
                shutil.copytree(source, target, ignore=IGNORED)
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, target)
    return folder


@pytest.fixture(scope="module")
def wheel(context: Path) -> Path:
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", "dist", "."]
    subprocess.run(command, cwd=context, check=True)
    (made,) = (context / "dist").glob("*.whl")
    return made


def test_the_wheel_has_every_file(wheel: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    here = {
        str(path.relative_to(ROOT))
        for room in ("bot", "cogs", "storage")
        for path in (ROOT / room).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert len(here) > 200
    assert here <= inside
    assert {name.partition("/")[0] for name in inside if "dist-info" not in name} == {
        "bot",
        "cogs",
        "storage",
    }


def test_the_wheel_runs_without_the_repository(wheel: Path, tmp_path: Path) -> None:
    installed = tmp_path / "installed"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target"]
    subprocess.run([*pip, str(installed), str(wheel)], check=True)
    (tmp_path / "twofold.toml").write_text(SCRIPTED)
    env = {**os.environ, "PYTHONPATH": str(installed), "TWOFOLD_HOME": str(tmp_path / "home")}

    def twofold(*words: str) -> str:
        command = [sys.executable, "-m", "bot.cli", *words]
        done = subprocess.run(
            command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    where = [sys.executable, "-c", "import bot; print(bot.__file__)"]
    found = subprocess.run(where, cwd=tmp_path, env=env, capture_output=True, text=True, check=True)
    assert found.stdout.startswith(str(installed))
    assert "Discord bot" in twofold("--help")
    assert "scripted: answers" in twofold("check").replace("\n", " ")
    assert "tiny" in twofold("models", "presets")
    assert "Q:" in twofold("prompt", "--template", "qa", "Why is the sea salty?")


def test_the_image_needs_what_the_project_does() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    every, remote = (
        subprocess.run(
            [sys.executable, "deploy/requirements.py", extras, local],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split("\n")[:-1]
        for extras, local in (("postgresql", "1"), ("llamacpp", "0"))
    )
    extra = project["optional-dependencies"]["postgresql"]
    assert every == [*project["dependencies"], *extra]
    left_out = {line.split(">")[0].split("=")[0] for line in set(every) - set(remote)}
    assert left_out == {"torch", "transformers", "accelerate", "gguf", "asyncpg"}


def test_the_image_runs_as_nobody_in_particular() -> None:
    lines = (ROOT / "Dockerfile").read_text("utf-8").splitlines()
    last = lines[max(n for n, line in enumerate(lines) if line.startswith("FROM")) :]
    assert "USER 10001:10001" in last
    assert 'ENTRYPOINT ["twofold"]' in last
    assert any("HEALTHCHECK" in line for line in last)
    assert not [line for line in lines if re.search(r"latest|TOKEN|KEY|SECRET", line)]


@pytest.mark.parametrize("name", COMPOSE["services"])
def test_every_service_gives_up_what_it_does_not_need(name: str) -> None:
    service = COMPOSE["services"][name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service.get("read_only") or name.startswith("vllm")
    assert "image" in service
    tag = service["image"].rpartition(":")[2]
    assert name == "twofold" or re.search(r"\d", tag)
    for port in service.get("ports", ()):
        assert port.startswith("127.0.0.1:")


def test_compose_names_files_and_settings_that_there_are() -> None:
    services = COMPOSE["services"]
    volumes = [volume for service in services.values() for volume in service.get("volumes", ())]
    for volume in volumes:
        source = volume.split(":")[0]
        assert source in COMPOSE["volumes"] or (ROOT / source).exists(), volume
    assert services["twofold"].get("profiles") is None
    profiles = {tuple(s.get("profiles", ())) for s in services.values()}
    assert profiles == {(), ("postgresql",), ("vllm",), ("prometheus",)}
    variables = set(services["twofold"]["environment"])
    assert variables <= {f"TWOFOLD_{name.upper()}" for name in Config.model_fields}


def test_composes_roster_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWOFOLD_CONFIG", str(ROOT / "deploy" / "vllm.toml"))
    for contender in load().contenders:
        host = contender.servers[0].split("/")[2].split(":")[0]
        command = COMPOSE["services"][host]["command"]
        assert f"--model {contender.model.removeprefix('openai:')} " in command


def test_what_the_example_leaves_to_the_unit_and_the_image_it_does_not_set() -> None:
    """What is in a file wins over them, also where it is empty."""
    lines = (ROOT / ".env.example").read_text("utf-8").splitlines()
    example = {line.partition("=")[0] for line in lines if line and not line.startswith("#")}
    assert example == {"DISCORD_TOKEN"}


def test_the_unit_never_gives_the_bot_up() -> None:
    unit = read_unit(UNIT.read_text("utf-8"))
    assert unit["Unit"]["StartLimitIntervalSec"] == "0"
    assert unit["Service"]["Restart"] == "on-failure"
    assert int(unit["Service"]["TimeoutStopSec"]) > 10


def test_instances_of_the_unit_share_nothing_but_its_settings() -> None:
    first, last = (read_unit(instance(name)) for name in ("0-7", "8-15"))
    assert first["Service"]["ExecStart"].endswith("/twofold run --shards 0-7/16")
    assert "TWOFOLD_HOME=/var/lib/twofold-0-7 " in instance("0-7")
    assert "EnvironmentFile=/etc/twofold/env\nEnvironmentFile=-/etc/twofold/env-0-7\n" in (
        instance("0-7")
    )
    for own in ("StateDirectory", "WorkingDirectory", "EnvironmentFile"):
        assert first["Service"][own] != last["Service"][own]


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
@pytest.mark.parametrize("name", ["twofold", "twofold@8-15"])
def test_systemd_reads_the_unit(name: str, tmp_path: Path) -> None:
    file = tmp_path / f"{name}.service"
    text = instance("8-15") if "@" in name else UNIT.read_text("utf-8")
    file.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", text, flags=re.MULTILINE))
    command = ["systemd-analyze", "verify", "--man=no", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    newer = re.compile("Unknown key( name)? 'Restart(Steps|MaxDelaySec)'")  # than systemd 254
    wrong = [line for line in done.stderr.splitlines() if file.name in line]
    assert not [line for line in wrong if not newer.search(line)]


def read_unit(text: str) -> configparser.ConfigParser:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str
    unit.read_string(text)
    return unit


def instance(name: str) -> str:
    """The unit as the documentation makes a template of it, for one instance."""
    guide = (ROOT / "docs" / "systemd.md").read_text("utf-8")
    (command,) = re.findall(r"^sed .*?(?= \|\n)", guide, re.MULTILINE | re.DOTALL)
    done = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.replace("%i", name)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_systemd_thinks_well_of_the_unit() -> None:
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=20", str(UNIT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-400:]
