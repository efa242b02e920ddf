"""The dashboard and the alerts ask for what the program has, and the other way round."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from itertools import combinations
from typing import TYPE_CHECKING

import pytest
import yaml

from bot.telemetry.instruments import MODES, OUTCOMES, STAGES
from bot.telemetry.watching import observing
from tests.project.readme import ROOT

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

DEPLOY = ROOT / "deploy"
BOARD = json.loads((DEPLOY / "grafana" / "twofold.json").read_text("utf-8"))
PANELS = [panel for panel in BOARD["panels"] if panel["type"] != "row"]
RULES = yaml.safe_load((DEPLOY / "alerts.yml").read_text("utf-8"))["groups"][0]["rules"]
QUERIES = [target["expr"] for panel in PANELS for target in panel["targets"]]
QUERIES += [note["expr"] for note in BOARD["annotations"]["list"]]
ALERTS = [rule["expr"] for rule in RULES]

SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "gauge": ("",)}
OF_PROMETHEUS = {"up": {"job", "instance"}}
EVERYWHERE = {"job", "instance"}
VALUES = {"stage": STAGES, "outcome": OUTCOMES, "mode": MODES}

NAME = re.compile(r"\b(?:twofold|process|python)_[a-z_]+|\bup\b")
SELECTED = re.compile(r"([a-z_]+)\{([^}]*)\}")
MATCHER = re.compile(r'([a-z_]+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"')
GROUPED = re.compile(r"\bby \(([^)]*)\)")


@pytest.fixture
async def known() -> dict[str, set[str]]:
    """Every series that the program can have, with its labels."""
    async with observing({}) as instruments:
        return {**_declared(instruments.registry), **OF_PROMETHEUS}


def _declared(registry: CollectorRegistry) -> dict[str, set[str]]:
    found = {}
    for collector in set(registry._collector_to_names):
        labels = set(getattr(collector, "_labelnames", ()))
        for family in collector.collect():
            more = {"le"} if family.type == "histogram" else set()
            for suffix in SUFFIXES.get(family.type, ("",)):
                found[f"{family.name}{suffix}"] = labels | more | EVERYWHERE
    return found


@pytest.mark.parametrize("query", QUERIES + ALERTS)
def test_a_query_asks_for_what_there_is(query: str, known: dict[str, set[str]]) -> None:
    names = NAME.findall(re.sub(r"\{[^}]*\}", "", query))
    assert names
    assert [name for name in names if name not in known] == []
    for name, matchers in SELECTED.findall(query):
        for label, value in MATCHER.findall(matchers):
            assert label in known[name], f"{name} has no label {label}"
            if label in VALUES:
                assert set(value.split("|")) <= set(VALUES[label])
    there = set.union(*(known[name] for name in names))
    for labels in GROUPED.findall(query):
        assert {label.strip() for label in labels.split(",")} <= there


def test_every_metric_of_the_program_is_on_the_dashboard(known: dict[str, set[str]]) -> None:
    shown = " ".join(QUERIES)
    own = {re.sub(r"_(bucket|count|sum)$", "", name) for name in known if "twofold" in name}
    assert [name for name in sorted(own) if name not in shown] == []


def test_a_legend_names_labels_that_its_query_keeps() -> None:
    for panel in PANELS:
        for target in panel["targets"]:
            wanted = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            grouped = GROUPED.findall(target["expr"])
            if grouped:
                kept = {label.strip() for label in grouped[-1].split(",")}
                assert wanted <= kept, target


def test_panels_stand_beside_each_other() -> None:
    numbers = [panel["id"] for panel in BOARD["panels"]]
    assert len(set(numbers)) == len(numbers)
    for one, other in combinations((panel["gridPos"] for panel in BOARD["panels"]), 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or below, (one, other)
        assert one["x"] + one["w"] <= 24


def test_prometheus_reads_the_rules() -> None:
    config = yaml.safe_load((DEPLOY / "prometheus.yml").read_text("utf-8"))
    assert all((DEPLOY / file).is_file() for file in config["rule_files"])
    assert [job["job_name"] for job in config["scrape_configs"]] == ["twofold"]


@pytest.mark.skipif(shutil.which("promtool") is None, reason="Prometheus is not installed here")
def test_the_alerts_ring_when_they_should() -> None:
    tests = ROOT / "tests" / "project" / "alerts_test.yml"
    done = subprocess.run(
        ["promtool", "test", "rules", tests], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
