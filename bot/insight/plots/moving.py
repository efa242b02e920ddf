"""The course of the scores as a moving picture."""

from __future__ import annotations

import math
from io import BytesIO
from typing import TYPE_CHECKING, Any

from bot.colours import KIND_COLOURS
from bot.insight.plots.course import TITLE, course, day_words, ranked, reach, ticks
from bot.insight.plots.leaderboard import MEAN, key_of
from bot.insight.plots.rows import GAP, NAMES, draw_key
from bot.insight.plots.sheet import LEADING, Sheet
from bot.insight.plots.theme import DARK, MARGIN, SMALL, TEXT, WIDTH, colour_of, shape_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from matplotlib.artist import Artist
    from PIL.Image import Image

    from bot.insight.plots.course import Kinds, Scores
    from bot.insight.results import Course
    from storage.records import Kind

RESOLUTION = 54
"""Pixels to the inch: three quarters of the other pictures, for half of the bytes."""

FRAMES, SETTLING = 40, 5
"""At most so many while days go by, and then until each row is where it belongs."""

PACE, REST = 120, 4000
"""How long a frame stays, and the last one, in milliseconds."""

FEW = 8
"""Contenders whose rows change places; more would be a crowd, and keep to their last ones."""

EASE = 0.5
"""The part of the way to its place that a row goes in a frame."""

ROW, LINES = 44, 2
SHADES = 6
"""Of each colour against the ground, for smooth edges."""


def moving_picture(found: Course, kinds: Kinds) -> bytes:
    """A GIF: a row for each contender, whose mark moves, and which changes places with others.

    It begins again after a rest. It is one frame where there is nothing that could move.
    """
    from PIL import Image  # noqa: PLC0415 - comes with matplotlib

    if len(found.days) > 1 and ranked(found):
        return _gif(list(_frames(found, kinds)))
    still = Image.open(BytesIO(course(found, kinds).png()))
    return _gif([still.convert("RGB")])


class _Race:
    """The sheet with all that moves on it."""

    def __init__(self, scores: Scores, kinds: Kinds) -> None:
        self.sheet = sheet = Sheet(DARK)
        self._top = sheet.heading(TITLE, " ")
        labels = {name: sheet.broken(name, NAMES, most=LINES) for name in scores}
        lines = [line for label in labels.values() for line in label]
        self._row = max(ROW, *(len(label) * TEXT * LEADING + 8 for label in labels.values()))
        self._low, self._high = reach(scores)
        self._left = MARGIN + 2 * GAP + max(sheet.width(line) for line in lines)
        self._right = WIDTH - MARGIN - 2 * GAP - sheet.width("0000", bold=True)
        bottom = self._top + self._row * len(scores)
        for tick in ticks(self._low, self._high, most=4):
            x = self._x(tick)
            sheet.line([x, x], [self._top, bottom], colour=DARK.faint, width=1, layer=0)
            y = bottom + SMALL * 0.8
            sheet.text(x, y, f"{tick}", size=SMALL, colour=DARK.quiet, across="center")
        self._day = sheet.text(MARGIN, self._top - SMALL * 1.3, "", size=SMALL, colour=DARK.quiet)
        self._places = {name: float(place) for place, name in enumerate(scores)}
        self._runners = {
            name: _Runner(sheet, label, kinds.get(name), self._y(name))
            for name, label in labels.items()
        }
        self._crowd = len(scores) > FEW
        kinds_here = [kinds[name] for name in scores if name in kinds]
        sheet.close(draw_key(sheet, bottom + SMALL * 1.5, key_of(kinds_here)) + MARGIN)

    def move(self, day: str, scores: Mapping[str, float]) -> None:
        """Go on to these scores."""
        self._day.set_text(day)
        if not self._crowd:
            order = sorted(scores, key=lambda name: (math.isnan(scores[name]), -scores[name]))
            for place, name in enumerate(order):
                self._places[name] += EASE * (place - self._places[name])
        for name, runner in self._runners.items():
            if not math.isnan(scores[name]):
                runner.move(self._y(name), self._x(scores[name]), self._x(MEAN), scores[name])

    def artists(self, scores: Mapping[str, float]) -> list[Artist]:
        """What is to be seen of what moves: no mark of anybody before the first vote."""
        there = [runner for name, runner in self._runners.items() if not math.isnan(scores[name])]
        names = [] if self._crowd else [line for runner in there for line in runner.name]
        return [self._day, *names, *(artist for runner in there for artist in runner.score)]

    def _x(self, score: float) -> float:
        part = (score - self._low) / (self._high - self._low)
        return self._left + part * (self._right - self._left)

    def _y(self, name: str) -> float:
        return self._top + self._row * (self._places[name] + 0.5)


class _Runner:
    """What one contender is drawn with."""

    def __init__(self, sheet: Sheet, label: Sequence[str], kind: Kind | None, y: float) -> None:
        self._y = y
        self._stick = sheet.line([0, 0], [0, 0], colour=DARK.quiet, width=4)
        self._mark = sheet.mark(0, 0, shape_of(kind), colour=colour_of(kind))
        self._figure = sheet.text(WIDTH - MARGIN, y, "", bold=True, across="right")
        self.name = sheet.lines(MARGIN, y, label)
        self.score: list[Artist] = [self._stick, self._mark, self._figure]
        self._words = [*self.name, self._figure]
        self._heights = [float(line.get_position()[1]) - y for line in self._words]

    def move(self, y: float, x: float, even: float, score: float) -> None:
        """Go there."""
        for line, height in zip(self._words, self._heights, strict=True):
            line.set_y(y + height)
        self._stick.set_data([even, x], [y, y])
        self._mark.set_data([x], [y])
        self._figure.set_text(f"{score:.0f}")


def _frames(found: Course, kinds: Kinds) -> Iterator[Image]:
    """What stays is drawn once, and what moves over it in every frame."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from PIL import Image  # noqa: PLC0415

    scores = ranked(found)
    race = _Race(scores, kinds)
    figure = race.sheet.figure
    figure.set_dpi(RESOLUTION)
    canvas: Any = FigureCanvasAgg(figure)  # its methods have no types
    last = {name: path[-1] for name, path in scores.items()}
    for artist in race.artists(last):
        artist.set_animated(True)
    canvas.draw()
    behind = canvas.copy_from_bbox(figure.bbox)
    for moment in _moments(len(found.days)):
        now = {name: _at(path, moment) for name, path in scores.items()}
        race.move(day_words(found.days[int(moment)]), now)
        canvas.restore_region(behind)
        for artist in race.artists(now):
            figure.draw_artist(artist)
        pixels = bytes(canvas.buffer_rgba())
        yield Image.frombytes("RGBA", canvas.get_width_height(), pixels).convert("RGB")


def _moments(days: int) -> list[float]:
    """The index of a day, or what lies between two of them, for each frame."""
    frames = min(FRAMES, 8 * (days - 1) + 1)
    return [at * (days - 1) / (frames - 1) for at in range(frames)] + SETTLING * [days - 1.0]


def _at(path: Sequence[float], moment: float) -> float:
    """The score then, or between two days; NaN before the first vote."""
    before = int(moment)
    first, second = path[before], path[min(before + 1, len(path) - 1)]
    return first + (moment - before) * (second - first) if moment > before else first


def _gif(frames: Sequence[Image]) -> bytes:
    from PIL import Image  # noqa: PLC0415

    palette = Image.new("P", (1, 1))
    palette.putpalette(_palette())
    first, *rest = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    file = BytesIO()
    first.save(
        file,
        format="GIF",
        save_all=True,
        append_images=rest,
        duration=[PACE] * len(rest) + [REST],
        loop=0,
    )
    return file.getvalue()


def _palette() -> list[int]:
    """Few colours make small files: those that there are, and shades for smooth edges."""
    from matplotlib.colors import to_rgb  # noqa: PLC0415

    ground, ink = to_rgb(DARK.ground), to_rgb(DARK.ink)
    kinds = [colour_of(kind) for kind in (*KIND_COLOURS, None)]
    pairs = [
        *((ground, to_rgb(colour), SHADES) for colour in (DARK.ink, DARK.quiet)),
        *((ink, to_rgb(colour), 3) for colour in kinds),
        (ground, to_rgb(DARK.faint), 1),
    ]
    return [
        round(255 * (a + (b - a) * at / steps))
        for first, second, steps in pairs
        for at in range(1, steps + 1)
        for a, b in zip(first, second, strict=True)
    ] + [round(255 * part) for part in ground]
