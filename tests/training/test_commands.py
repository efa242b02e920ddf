"""`twofold train` as an operator types it."""

from __future__ import annotations

import json
import shutil

from bot.engines.adapters import WEIGHTS
from bot.training import record
from bot.training.plan import lengths_of
from bot.training.recipe import Method
from bot.training.rows import read
from tests.unit.answered import answered
from tests.unit.exports import exported

QUICK = ("--precision", "float32", "--max-steps", "4", "--evaluate-every", "2", "--threads", "1")


def test_it_trains_once_and_says_where_the_adapter_is(twofold, folders, tmp_path):
    command = ("train", str(folders[Method.DPO]), *QUICK, "--anyway")
    done = twofold(*command)
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "adapters").iterdir()
    assert f"The adapter is in {folder}" in done.stdout
    assert "held-out pairs:" in done.stdout
    again = twofold(*command)
    assert "finished already" in again.stderr
    assert again.stdout == done.stdout
    weights = folder / WEIGHTS
    as_trained = weights.read_bytes()
    weights.write_bytes(as_trained[:-1])
    assert twofold(*command).returncode == 0
    assert weights.read_bytes() == as_trained
    child = twofold(
        "train", str(folders[Method.DPO]), *QUICK, "--anyway", "--contender", folder.name
    )
    assert child.returncode == 0, child.stderr
    found = {path: record.read(path) for path in (tmp_path / "adapters").iterdir()}
    assert sorted(one.generation for one in found.values()) == [1, 2]
    assert {one.slug.rsplit("-", 2)[0] for one in found.values()} == {"small"}

    compared = twofold("models", "try", folder.name, "--prompts", "2", "--no-kl", "--json")
    assert len(json.loads(compared.stdout)["prompts"]) == 2
    told = json.loads((folder / record.RECORD).read_text("utf-8"))
    told["base"]["weights"] = "0" * 12
    (folder / record.RECORD).write_text(json.dumps(told), "utf-8")
    refused = twofold(
        "train", str(folders[Method.DPO]), *QUICK, "--anyway", "--contender", folder.name
    )
    assert "was trained on other weights of path:tiny" in refused.stderr

    shutil.rmtree(folder)
    [grandchild] = [path.name for path, one in found.items() if one.generation == 2]
    compared = twofold("models", "try", grandchild, "--prompts", "2", "--no-kl", "--json")
    assert f"Its parent {folder.name} is gone" in compared.stderr
    assert compared.returncode == 0, compared.stderr


def test_a_dry_run_tells_and_leaves_nothing(twofold, folders, tmp_path, settings):
    settings["TWOFOLD_TRAINING"] = '{"beta": 0.3, "learning_rate": 0.5, "max_steps": 2}'
    chosen = ("--learning-rate", "3e-4")
    done = twofold("train", str(folders[Method.DPO]), *QUICK, *chosen, "--anyway", "--dry-run")
    assert done.returncode == 0, done.stderr
    for words in ("of them pairs", "tokens of prompt", "memory: about", "measured:", "time: about"):
        assert words in done.stdout
    longest = 1024 + 128  # of a prompt, of an answer
    for chosen in ("learning_rate 0.0003", "beta 0.3", "max_steps 4", f"max_length {longest}"):
        assert chosen in done.stdout
    assert not (tmp_path / "adapters").exists()
    assert not list(tmp_path.rglob("checkpoint-*"))


async def test_too_few_votes_are_refused_with_how_many_are_missing(twofold, tmp_path, settings):
    await answered(tmp_path)
    manifest = await exported(tmp_path, "few", "dpo", render_with="transcript")
    off = twofold("train", str(tmp_path / "few"), "--dry-run")
    assert "Exports for training and publishing are off" in off.stderr
    settings["TWOFOLD_TRAINING_EXPORT"] = "true"
    refused = twofold("train", str(tmp_path / "few"), "--dry-run")
    splits = manifest["splits"]
    held_out = splits.get("validation", 0) + splits.get("test", 0)
    assert refused.returncode == 1
    assert f"{50 - splits['train']} more decided pairs" in refused.stderr
    assert f"{20 - held_out} more held out" in refused.stderr
    assert "Traceback" not in refused.stderr
    shorter = twofold("train", str(tmp_path / "few"), "--max-length", "16")
    assert "(there are 0)" in shorter.stderr
    assert f"Too long for --max-length: {sum(splits.values())} rows." in shorter.stderr


def test_rows_that_are_too_long_are_told(twofold, folders, tiny):
    folder = folders[Method.DPO]
    lengths = lengths_of(read(folder, Method.DPO), tiny / "tokenizer.json")
    middle = lengths.percentile(0.5)
    rows = f"{lengths.longer_than(middle)} rows"
    command = ("train", str(folder), *QUICK, "--max-length", str(middle))
    done = twofold(*command, "--anyway")
    assert f"{rows} longer than {middle} tokens will be left out" in done.stderr
    assert done.returncode == 0, done.stderr


def test_what_cannot_be_trained_is_refused_with_a_sentence(twofold, folders, tmp_path):
    folder = str(folders[Method.DPO])
    for arguments, words in (
        (("--contender", "far"), "its weights are not here"),
        (("--contender", "chatty"), "is an instruct model"),
        (("--contender", "nobody"), "There are: small"),
        (("--template", "qa"), "are not written in the template qa"),
        (("--template", "nowhere"), "There is no template nowhere"),
        (("--learning-rate", "0"), "learning_rate:"),
        (("--method", "kto", "--batch", "1"), "--batch must be 2 or more"),
        (("--max-grad-norm", "inf"), "max_grad_norm: Input should be a finite number."),
        (("--target", "all-linear", "--target", "q_proj"), "name no other --target."),
        (("--target", "lm_head"), "--target lm_head names no linear layers inside of this model."),
    ):
        refused = twofold("train", folder, "--anyway", *arguments)
        assert refused.returncode == 1
        assert words in refused.stderr
        assert "Traceback" not in refused.stderr
    unknown = twofold("train", folder, "--anyway", "--precision", "float8")
    assert unknown.returncode == 2
    assert "'float8' is not one of 'bfloat16', 'float32'" in unknown.stderr
    nothing = twofold("train", str(tmp_path / "nothing"))
    assert "cannot be read" in nothing.stderr


def test_training_on_members_words_needs_the_operators_switch(twofold):
    refused = twofold("train")
    assert refused.returncode == 1
    assert "Exports for training and publishing are off" in refused.stderr


def test_help_comes_without_the_heavy_libraries(settings):
    import subprocess  # noqa: PLC0415
    import sys  # noqa: PLC0415

    code = (
        "import sys\nfrom typer.testing import CliRunner\nfrom bot.cli import cli\n"
        "assert '--dry-run' in CliRunner().invoke(cli, ['train', '--help']).output\n"
        "print(sorted({'torch', 'trl', 'peft', 'datasets', 'transformers'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=settings, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
