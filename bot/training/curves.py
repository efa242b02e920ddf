"""The curves of a training as pictures, in the colours of the house."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

from bot.insight.plots.theme import DARK

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from matplotlib.axes import Axes

_SIZE, _DPI = (8.0, 3.6), 100
"""Inches, and pixels to the inch."""

_DRAWN = {
    "loss": ("Loss", {"loss": "training", "held_out_loss": "held out"}),
    "margin": (
        "Reward margin (nats × beta)",
        {"margin": "training", "held_out_margin": "held out"},
    ),
    "accuracy": (
        "Pairs whose chosen answer gained more",
        {"accuracy": "training", "held_out_accuracy": "held out"},
    ),
    "likelihood": (
        "Log-probability of answers (nats)",
        {"chosen": "chosen", "rejected": "rejected"},
    ),
}


def pictures(curves: Sequence[Mapping[str, float]], best_step: int) -> dict[str, bytes]:
    """A PNG for each figure that was followed, by file name; the step that is kept is marked."""
    found = {}
    for name, (title, lines) in _DRAWN.items():
        drawn = {label: _points(curves, key) for key, label in lines.items()}
        if any(len(points) > 1 for points in drawn.values()):
            found[f"{name}.png"] = _draw(title, drawn, best_step)
    return found


def _points(curves: Iterable[Mapping[str, float]], key: str) -> list[tuple[float, float]]:
    return [(step["step"], step[key]) for step in curves if key in step]


def _draw(title: str, drawn: Mapping[str, list[tuple[float, float]]], best_step: int) -> bytes:
    from matplotlib.figure import Figure  # noqa: PLC0415 - takes a while that --help need not

    figure = Figure(figsize=_SIZE, dpi=_DPI, facecolor=DARK.ground, layout="constrained")
    axes = figure.add_subplot()
    styles: tuple[dict[str, Any], ...] = (
        {"color": DARK.quiet, "linewidth": 1.2},
        {"color": DARK.heat, "marker": "D"},
    )
    for (label, points), style in zip(drawn.items(), styles, strict=True):
        if points:
            axes.plot(*zip(*points, strict=True), label=label, **style)
    axes.axvline(best_step, color=DARK.faint, linestyle="--", label=f"kept: step {best_step}")
    _dress(axes, title)
    file = BytesIO()
    figure.savefig(file, format="png", metadata={"Software": None})
    return file.getvalue()


def _dress(axes: Axes, title: str) -> None:
    axes.set_facecolor(DARK.ground)
    axes.set_title(title, color=DARK.ink, loc="left")
    axes.set_xlabel("update", color=DARK.quiet)
    axes.tick_params(colors=DARK.quiet)
    axes.grid(visible=True, color=DARK.faint, linewidth=0.5)
    for name, spine in axes.spines.items():
        spine.set_visible(name in {"left", "bottom"})
        spine.set_color(DARK.faint)
    legend = axes.legend(facecolor=DARK.ground, edgecolor="none")
    for text in legend.get_texts():
        text.set_color(DARK.ink)
