"""The leaderboard as a message."""

from __future__ import annotations

from bot.answers import utf16_length
from cogs._render import insight
from storage.records import Kind, Standing


def test_a_leaderboard_of_any_length_fits_into_a_message() -> None:
    many = [
        Standing(
            contender=f"{number}{'_' * 62}",
            kind=Kind.INSTRUCT,
            wins=100_000 + number,
            losses=100_000,
            ties=100_000,
            both_bad=100_000,
        )
        for number in range(10, 60)
    ]
    board = insight.leaderboard(many, not_blind=1000)
    assert utf16_length(board) <= 4000
    assert "And 36 contenders behind these." in board
    assert board.index("59") < board.index("58")
