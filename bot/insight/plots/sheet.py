"""A sheet to draw on, measured in pixels from its upper left corner."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from io import BytesIO, StringIO
from pathlib import Path
from typing import TYPE_CHECKING

from bot.insight.plots.svg import tidied
from bot.insight.plots.theme import DARK, MARGIN, PAGE, SMALL, TEXT, TITLE, WIDTH

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from matplotlib.font_manager import FontProperties
    from matplotlib.lines import Line2D
    from matplotlib.text import Text

    from bot.insight.plots.theme import Colour, Theme

LEADING = 1.22
"""From line to line, in letter sizes."""

CAPITALS = 0.365
"""Half of a capital's height, in letter sizes."""

MOST_LINES = 4
"""That a name is broken into."""


class Sheet:
    """Pixels are matplotlib's points here: the figure has 72 of them to the inch.

    It grows downwards; `close` tells where it ends. matplotlib is loaded by the first one. None
    of its global state is read or set, so that threads may draw at the same time.
    """

    def __init__(self, theme: Theme) -> None:
        import matplotlib as mpl  # noqa: PLC0415 - takes a while that `twofold --help` need not
        from matplotlib.figure import Figure  # noqa: PLC0415

        self.theme = theme
        fonts = Path(mpl.get_data_path(), "fonts", "ttf")
        self._fonts = {False: fonts / "DejaVuSans.ttf", True: fonts / "DejaVuSans-Bold.ttf"}
        self.figure = Figure(dpi=72, facecolor=theme.ground)
        self._axes = self.figure.add_axes((0, 0, 1, 1))
        self._axes.axis("off")
        self._advances: dict[tuple[str, float, bool], float] = {}

    def text(
        self,
        x: float,
        y: float,
        words: str,
        *,
        size: float = TEXT,
        colour: Colour | None = None,
        bold: bool = False,
        across: str = "left",
    ) -> Text:
        """Write one line, its capitals around `y`. Nothing in the words is taken for markup."""
        return self._axes.text(
            x,
            y + CAPITALS * size,
            words,
            color=colour or self.theme.ink,
            fontproperties=self._font(size, bold=bold),
            horizontalalignment=across,
            verticalalignment="baseline",
            parse_math=False,
            usetex=False,
        )

    def lines(
        self,
        x: float,
        y: float,
        lines: Sequence[str],
        *,
        size: float = TEXT,
        colour: Colour | None = None,
        bold: bool = False,
        across: str = "left",
    ) -> list[Text]:
        """Write lines, `y` in the middle of all of them."""
        top = y - (len(lines) - 1) / 2 * LEADING * size
        return [
            self.text(
                x, top + at * LEADING * size, line,
                size=size, colour=colour, bold=bold, across=across,
            )
            for at, line in enumerate(lines)
        ]  # fmt: skip

    def note(self, top: float, words: str) -> float:
        """Explain in small print, over the whole width; tells where that ends."""
        for line in self.wrapped(words, WIDTH - 2 * MARGIN, SMALL) if words else ():
            top += LEADING * SMALL
            self.text(MARGIN, top - SMALL / 2, line, size=SMALL, colour=self.theme.quiet)
        return top

    def line(
        self,
        xs: Sequence[float],
        ys: Sequence[float],
        *,
        colour: Colour,
        width: float = 2,
        dash: str | tuple[int, tuple[float, ...]] = "-",
        layer: float = 2,
    ) -> Line2D:
        """Draw a line through these points, beneath what has a higher layer."""
        (line,) = self._axes.plot(
            xs,
            ys,
            color=colour,
            linewidth=width,
            linestyle=dash,
            solid_capstyle="round",
            dash_capstyle="butt",
            marker="",
            clip_on=False,
            zorder=layer,
        )
        return line

    def box(
        self, corners: tuple[float, float, float, float], *, fill: Colour, opacity: float = 1
    ) -> None:
        """Fill a rectangle: left, top, right and bottom."""
        left, top, right, bottom = corners
        self.area(
            [left, right, right, left], [top, top, bottom, bottom], fill=fill, opacity=opacity
        )

    def area(
        self, xs: Sequence[float], ys: Sequence[float], *, fill: Colour, opacity: float = 1
    ) -> None:
        """Fill what lies between these points."""
        from matplotlib.colors import to_rgba  # noqa: PLC0415

        red, green, blue, own = to_rgba(fill)
        self._axes.fill(xs, ys, color=(red, green, blue, own * opacity), linewidth=0, clip_on=False)

    def mark(self, x: float, y: float, shape: str, *, colour: Colour, size: float = 18) -> Line2D:
        """Draw a mark with a rim in ink, which keeps dark and light ones visible anywhere."""
        (mark,) = self._axes.plot(
            [x],
            [y],
            marker=shape,
            markersize=size * (0.84 if shape == "D" else 1),
            markerfacecolor=colour,
            markeredgecolor=self.theme.ink,
            markeredgewidth=2,
            linestyle="none",
            clip_on=False,
            zorder=4,
        )
        return mark

    def width(self, words: str, size: float = TEXT, *, bold: bool = False) -> float:
        """How far a line of text reaches."""
        from matplotlib.font_manager import get_font  # noqa: PLC0415

        font = get_font(self._fonts[bold])
        font.set_size(size, 72)
        for letter in words:
            if (letter, size, bold) not in self._advances:
                advance = font.load_char(ord(letter)).linearHoriAdvance / 2**16
                self._advances[letter, size, bold] = advance
        return sum(self._advances[letter, size, bold] for letter in words)

    def wrapped(
        self, words: str, room: float, size: float = TEXT, *, most: int = MOST_LINES
    ) -> tuple[str, ...]:
        """Broken into lines that are no wider than `room`; what does not fit ends in `…`."""
        lines = [""]
        for part in re.findall(r"[^\s\-._/@:]*[\s\-._/@:]+|[^\s\-._/@:]+", words):
            for piece in (part,) if self.width(part.rstrip(), size) <= room else part:
                if self.width((lines[-1] + piece).rstrip(), size) > room:
                    lines.append("")
                lines[-1] += piece
        lines = [line.strip() for line in lines]
        if len(lines) > most:
            last = lines[most - 1]
            while self.width(f"{last}…", size) > room:
                last = last[:-1]
            lines[most - 1 :] = [f"{last}…"]
        return tuple(lines)

    def broken(
        self, name: str, room: float, size: float = TEXT, *, most: int = MOST_LINES
    ) -> tuple[str, ...]:
        """Broken like this, into lines that are about as long as each other."""
        lines = self.wrapped(name, room, size, most=most)
        for part in (0.5, 0.6, 0.7, 0.8, 0.9) if len(lines) > 1 else ():
            balanced = self.wrapped(name, part * room, size, most=most + 1)
            if len(balanced) == len(lines):
                return balanced
        return lines

    def heading(self, title: str, about: str) -> float:
        """Write a title and a line beneath it; tells where the rest may begin."""
        top = MARGIN + TITLE / 2
        self.text(MARGIN, top, title, size=TITLE, bold=True)
        return self.note(top + TITLE * 0.75, about) + SMALL * 0.8

    def close(self, bottom: float) -> None:
        """End the sheet there."""
        self.figure.set_size_inches(WIDTH / 72, round(bottom) / 72)
        self._axes.set(xlim=(0, WIDTH), ylim=(round(bottom), 0))

    def png(self) -> bytes:
        """The same bytes for the same picture: nothing of the time or the program is in them."""
        file = BytesIO()
        self.figure.savefig(file, format="png", dpi=72, metadata={"Software": None})
        return file.getvalue()

    def svg(self) -> str:
        """As matplotlib writes it."""
        file = StringIO()
        self.figure.savefig(file, format="svg")
        return file.getvalue()

    def _font(self, size: float, *, bold: bool) -> FontProperties:
        from matplotlib.font_manager import FontProperties  # noqa: PLC0415

        return FontProperties(fname=str(self._fonts[bold]), size=size)


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Something to draw, for Discord or for a page. `words` say the same to who cannot see it.

    `draw` begins at a height in pixels and returns where it ended.
    """

    name: str
    title: str
    about: str = ""
    words: str
    draw: Callable[[Sheet, float], float]

    def above(self, other: Picture) -> Picture:
        """Both in one, the other beneath with its title."""

        def draw(sheet: Sheet, top: float) -> float:
            bottom = self.draw(sheet, top) + TITLE * 1.5
            sheet.text(MARGIN, bottom, other.title, size=TITLE, bold=True)
            return other.draw(sheet, bottom + TITLE * 1.2)

        return replace(self, words=f"{self.words} {other.title}: {other.words}", draw=draw)

    def png(self) -> bytes:
        """A PNG on Discord's background, with the title in it."""
        sheet = Sheet(DARK)
        bottom = self.draw(sheet, sheet.heading(self.title, self.about))
        sheet.close(bottom + MARGIN)
        return sheet.png()

    def svg(self) -> str:
        """An `<svg>` element for a page, in the colour of the text around it.

        Title and words are in it for screen readers; letters are shapes, and nothing is loaded.
        """
        sheet = Sheet(PAGE)
        sheet.close(self.draw(sheet, 0) + 4)
        return tidied(sheet.svg(), name=self.name, title=self.title, words=self.words)
