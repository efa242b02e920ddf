"""Real pictures, opened again as whoever looks at them would."""

from __future__ import annotations

import gc
import math
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from io import BytesIO
from xml.etree import ElementTree as ET

import pytest
from matplotlib.figure import Figure
from PIL import Image

from bot.insight import plots
from bot.insight.plots.sheet import Sheet
from bot.insight.plots.theme import DARK, MARGIN, WIDTH, ink_on
from bot.insight.results import Estimate
from tests.unit import found

KINDS = dict(found.SLUGS)
STATS = found.stats()
PICTURES = {
    "two": plots.leaderboard(found.board(2)),
    "two with few votes": plots.leaderboard(found.board(2, told=0)),
    "three": plots.leaderboard(found.board(3)),
    "three with few votes": plots.leaderboard(found.board(3, told=0)),
    "twenty": plots.leaderboard(found.board(20, told=17, spread=700)),
    "too many": plots.leaderboard(found.board(22)),
    "nobody": plots.leaderboard(found.no_board()),
    "stats": plots.overview(STATS),
    "no stats": plots.overview(found.no_stats()),
    "effects": plots.effects(STATS.effects),
    "no effects": plots.effects(()),
    "blinding": plots.blinding(STATS.blinding),
    "no blinding": plots.blinding(None),
    "agreement": plots.agreement({f"channel {at}": it for at, it in STATS.channels.items()}),
    "no agreement": plots.agreement({}),
    "places": plots.places(STATS.topics, by="topic"),
    "meetings": plots.meetings(found.board(6)),
    "many meetings": plots.meetings(found.board(20)),
    "no meetings": plots.meetings(found.no_board()),
    "course": plots.course(STATS.course, KINDS),
    "course of many": plots.course(found.course(20, 30), KINDS),
    "course of a day": plots.course(found.course(3, 1), {}),
    "no course": plots.course(found.no_stats().course, {}),
    "generations": plots.generations(found.descent(1, generations=6)),
    "generations of many": plots.generations(found.descent(9)),
    "generations with few votes": plots.generations(found.descent(2)[1:]),
    "no generations": plots.generations(()),
    "leaderboard above generations": plots.leaderboard(found.board(5)).above(
        plots.generations(found.descent(2))
    ),
    "days": plots.votes_by_day(STATS.votes_by_day),
    "no days": plots.votes_by_day(()),
}
every = pytest.mark.parametrize("picture", PICTURES.values(), ids=PICTURES)


@every
def test_png_is_the_same_each_time_and_nothing_reaches_its_edges(picture: plots.Picture) -> None:
    drawn = picture.png()

    image = Image.open(BytesIO(drawn)).convert("RGB")
    assert image.width == WIDTH
    assert 200 < image.height < 1700
    assert picture.png() == drawn
    ground = Image.new("RGB", image.size, (0x31, 0x33, 0x38))
    edge = MARGIN // 3
    inner = image.crop((edge, edge, image.width - edge, image.height - edge))
    ground.paste(inner, (edge, edge))
    assert ground.tobytes() == image.tobytes()


@every
def test_svg_stands_in_a_page_and_says_what_it_shows(picture: plots.Picture) -> None:
    drawn = picture.svg()

    root = ET.fromstring(drawn)
    name = "{http://www.w3.org/2000/svg}"
    assert root.attrib["role"] == "img"
    assert root.attrib["viewBox"].startswith(f"0 0 {WIDTH}")
    assert root.findtext(f"{name}title") == picture.title
    assert root.findtext(f"{name}desc") == picture.words
    assert set(root.attrib["aria-labelledby"].split()) <= {e.get("id") for e in root.iter()}
    ids = [element.attrib["id"] for element in root.iter() if "id" in element.attrib]
    targets = re.findall(r'href="([^"]*)"|url\(([^)]*)\)', drawn)
    assert len(ids) == len(set(ids))
    assert {a or b for a, b in targets} <= {f"#{at}" for at in ids}
    assert not re.search(r"<style|style=|<script|<image|<text|#010203", drawn)
    assert "currentColor" in drawn
    assert picture.svg() == drawn


def test_pictures_on_one_page_share_no_ids() -> None:
    drawn = [PICTURES[name].svg() for name in ("two", "three", "twenty", "stats", "effects")]

    ids = [found for svg in drawn for found in re.findall(r' id="([^"]*)"', svg)]

    assert len(ids) == len(set(ids))


def test_words_name_each_contender_and_what_nobody_can_tell() -> None:
    words = PICTURES["twenty"].words

    assert all(slug in words for slug, _ in found.SLUGS[:20])
    assert words.count("too few votes to tell") == 3
    assert "Look into it" in PICTURES["effects"].words
    assert "gemma-270m-raw wins 69 % of decided votes against" in PICTURES["meetings"].words


def test_where_there_is_nothing_it_says_so() -> None:
    empty = {"nobody", "no stats", "no effects", "no blinding", "no agreement", "no meetings"}

    for name in empty | {"no course", "no days"}:
        assert PICTURES[name].words == "Nothing to show yet."


def test_simulated_votes_are_called_so() -> None:
    board = found.board(3)

    simulated = replace(board, counting=replace(board.counting, simulated=True))

    assert plots.leaderboard(simulated).about.startswith("Simulated: ")
    assert plots.picture_of_leaderboard(simulated) != plots.picture_of_leaderboard(board)


def test_alarms_and_ranges_change_the_picture() -> None:
    calm = replace(STATS, effects=(replace(STATS.effects[0], harmless=0.2), *STATS.effects[1:]))
    line = found.board(3).lines[0]
    wide = replace(line, score=Estimate(line.score.value, -2000, 5000))
    board = replace(found.board(3), lines=(wide, *found.board(3).lines[1:]))

    assert plots.picture_of_stats(calm) != plots.picture_of_stats(STATS)
    assert plots.picture_of_leaderboard(board) != plots.picture_of_leaderboard(found.board(3))


@pytest.mark.parametrize("slug", ["$x_1$", "W" * 64, "a" * 64, "a-" * 32, "a\\frac{1}{2}"])
def test_any_name_fits_and_is_only_text(slug: str) -> None:
    sheet = Sheet(DARK)

    lines = sheet.broken(slug, 300)

    assert all(sheet.width(line) <= 300 for line in lines)
    assert "".join(lines) == slug or lines[-1].endswith("…")
    board = found.board(3)
    named = replace(board.lines[0], entrant=replace(board.lines[0].entrant, slug=slug))
    for lines in ((named, *board.lines[1:]), (named, board.lines[1])):
        picture = plots.leaderboard(replace(board, lines=lines))
        assert Image.open(BytesIO(picture.png())).width == WIDTH
        assert slug in (ET.fromstring(picture.svg()).findtext("{*}desc") or "")


def test_threads_draw_at_the_same_time() -> None:
    names = ["three", "stats", "meetings", "course"] * 3
    alone = {name: PICTURES[name].png() for name in set(names)}

    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(lambda name: PICTURES[name].png(), names))

    assert together == [alone[name] for name in names]


@pytest.mark.parametrize("contenders", [3, 20])
def test_moving_picture_moves_and_ends_where_the_scores_do(contenders: int) -> None:
    course = found.course(contenders, 30)

    drawn = plots.moving_picture(course, KINDS)

    assert len(drawn) < 1_000_000
    assert plots.moving_picture(course, KINDS) == drawn
    image = Image.open(BytesIO(drawn))
    assert image.n_frames > 20
    frames = []
    for at in (0, image.n_frames - 1):
        image.seek(at)
        frames.append(image.convert("RGB").tobytes())
    assert frames[0] != frames[1]
    assert image.info["duration"] >= 4000
    assert image.info["loop"] == 0


def test_moving_picture_of_what_cannot_move_is_still() -> None:
    unknown = replace(found.course(3, 2), scores={"x": (math.nan, math.nan)})

    for course in (found.course(3, 1), found.no_stats().course, unknown):
        image = Image.open(BytesIO(plots.moving_picture(course, {})))
        assert image.format == "GIF"
        assert image.n_frames == 1


def test_nothing_of_a_picture_is_kept() -> None:
    PICTURES["three"].png()
    PICTURES["three"].svg()

    gc.collect()

    assert not [kept for kept in gc.get_objects() if isinstance(kept, Figure)]


def test_text_on_a_colour_is_legible() -> None:
    assert ink_on("#FFC24D") == ink_on("#3E8ED0") == "#111214"
    assert ink_on("#1D6F42") == "#FFFFFF"


def test_matplotlib_is_loaded_by_the_first_picture_and_pyplot_never() -> None:
    script = (
        "import sys; from bot.insight import plots; from tests.unit import found;"
        "assert 'matplotlib' not in sys.modules and 'PIL' not in sys.modules;"
        "plots.picture_of_stats(found.stats()); plots.moving_picture(found.course(3, 3), {});"
        "assert 'matplotlib' in sys.modules and 'matplotlib.pyplot' not in sys.modules"
    )

    subprocess.run([sys.executable, "-c", script], check=True)
