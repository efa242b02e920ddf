"""Reference log-probabilities: what is kept in the side file, and what is asked again."""

from __future__ import annotations

from dataclasses import dataclass, field

import orjson
import pytest

from bot.dataset.logprobs import WINDOW, Scored
from bot.errors import ConfigError


@dataclass
class Lengths:
    """Finds a text the less likely the longer it is, and says so in another order."""

    fingerprint: str = "lengths"
    max_length: int = 40
    asked: list[tuple[str, str, str]] = field(default_factory=list)

    def score(self, completions):
        self.asked += completions
        for index, (prompt, text, other) in reversed(list(enumerate(completions))):
            fits = len(prompt) + max(len(text), len(other)) <= self.max_length
            yield index, -float(len(text)) if fits else None


def rows(count=3):
    return [
        {"prompt": f"Ann: {n}\nTwofold:", "chosen": f" yes {n}", "rejected": " no"}
        for n in range(count)
    ]


@pytest.fixture
def fill(tmp_path):
    """Fill rows as one export does; gives the scorer and what was said."""

    def filled(rows, **scorer):
        lengths = Lengths(**scorer)
        scored = Scored(scorer=lengths, cache=tmp_path / "logprobs")
        scored.fill(rows)
        scored.close()
        return lengths, scored

    return filled


def side_file(tmp_path):
    (file,) = (tmp_path / "logprobs").iterdir()
    return file


def columns(rows):
    return [(row["ref_chosen_logps"], row["ref_rejected_logps"]) for row in rows]


def test_both_columns_are_filled(fill):
    wanted = rows()
    _, scored = fill(wanted)
    assert columns(wanted) == [(-6.0, -3.0)] * 3
    assert scored.told() == "reference log-probabilities: 3 of 3 rows"


def test_a_second_export_asks_for_what_is_new_alone(fill):
    first, again = rows(), rows(4)
    fill(first)
    lengths, scored = fill(again)
    assert {prompt for prompt, *_ in lengths.asked} == {"Ann: 3\nTwofold:"}
    assert (scored.computed, columns(again)[:3]) == (2, columns(first))


def test_a_pair_whose_winner_changed_is_known(fill):
    fill(rows(1))
    (turned,) = [row | {"chosen": row["rejected"], "rejected": row["chosen"]} for row in rows(1)]
    lengths, _ = fill([turned])
    assert lengths.asked == []
    assert columns([turned]) == [(-3.0, -6.0)]


def test_rows_and_answers_that_are_the_same_are_asked_for_once(fill):
    equal = [{"prompt": "Q:", "chosen": " yes", "rejected": " yes"}] * 2
    lengths, _ = fill([dict(row) for row in equal])
    assert lengths.asked == [("Q:", " yes", " yes")]


def test_another_model_shares_nothing(fill):
    fill(rows())
    lengths, _ = fill(rows(), fingerprint="other")
    assert len(lengths.asked) == 6


def test_a_row_that_is_too_long_has_no_numbers_and_is_told(fill):
    long = {"prompt": "Q:", "chosen": " yes" * 20, "rejected": " no"}
    wanted = [*rows(2), long]
    _, scored = fill(wanted)
    assert columns(wanted) == [(-6.0, -3.0), (-6.0, -3.0), (None, None)]
    assert scored.too_long == 1
    told = "2 of 3 rows, the others are longer than 40 tokens or than the model takes"
    assert scored.told().endswith(told)


@pytest.mark.parametrize("lost", [1, 2, 5, 30])
def test_a_line_whose_end_is_missing_is_computed_again(fill, tmp_path, lost):
    fill(rows())
    file = side_file(tmp_path)
    file.write_bytes(file.read_bytes()[:-lost])
    again = rows()
    lengths, _ = fill(again)
    assert len(lengths.asked) == (lost > 1)  # without its line end alone it is whole
    assert columns(again) == [(-6.0, -3.0)] * 3
    assert fill(rows())[0].asked == []


def test_the_side_file_holds_no_text(fill, tmp_path):
    fill(rows())
    for line in side_file(tmp_path).read_bytes().splitlines():
        key, logp = orjson.loads(line)
        assert len(bytes.fromhex(key)) == 16
        assert isinstance(logp, float)


def test_progress_climbs_to_the_number_of_rows(tmp_path):
    seen = []
    scored = Scored(scorer=Lengths(), cache=tmp_path, progress=seen.append)
    scored.fill(rows(WINDOW + 5))
    scored.fill(rows(2))
    assert seen == sorted(seen)
    assert {WINDOW // 2, WINDOW, WINDOW + 5} <= set(seen)
    assert seen[-1] == WINDOW + 7
    scored.close()


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"cannot be written .* TWOFOLD_HOME"):
        Scored(scorer=Lengths(), cache=tmp_path / "file")
