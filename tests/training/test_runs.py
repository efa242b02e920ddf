"""The work folder of a run: only whole checkpoints are gone on from."""

from __future__ import annotations

from bot.training.recipe import Recipe
from bot.training.runs import WHOLE, Checkpoint, Job, Run


def checkpoint(run: Run, step: int) -> None:
    folder = run.folder / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    (folder / "weights").write_bytes(b"w" * step)


def test_the_last_whole_checkpoint_counts_and_others_are_removed(tmp_path):
    run = Run(tmp_path)
    assert run.last() is None
    for step in (5, 10, 15, 20):
        checkpoint(run, step)
    for step in (5, 10, 15):
        run.seal(step, seconds=2.0 * step, ended=step == 10)
    (tmp_path / "checkpoint-15" / "weights").write_bytes(b"cut off")
    assert run.last() == Checkpoint(tmp_path / "checkpoint-10", seconds=20.0, ended=True)
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == ["checkpoint-10", "checkpoint-5"]
    (tmp_path / "checkpoint-10" / WHOLE).write_bytes(b'{"files"')
    assert run.last() == Checkpoint(tmp_path / "checkpoint-5", seconds=10.0, ended=False)


def test_what_decides_the_adapter_decides_the_run_and_nothing_else(tmp_path):
    job = Job(
        contender="small",
        base="path:small",
        base_folder=tmp_path,
        weights="abc",
        template="transcript",
        template_digest="1",
        dataset=tmp_path,
        dataset_identity="d",
        recipe=Recipe(),
        adapters=tmp_path,
    )
    same = {"threads": 1, "adapters": tmp_path / "b", "base_folder": tmp_path / "c"}
    assert job.model_copy(update=same).run == job.run
    for other in (
        {"contender": "large"},
        {"weights": "abd"},
        {"parent_sha256": "p"},
        {"template_digest": "2"},
        {"dataset_identity": "e"},
        {"recipe": Recipe(seed=1)},
        {"dtype": "float32"},
    ):
        assert job.model_copy(update=other).run != job.run
