"""Model files from strangers: nothing in them is run, and only what was meant is read."""

from __future__ import annotations

import ast
import json
import pickle
import re
from fnmatch import fnmatch
from pathlib import Path

import pytest

from bot.engines.local.loading import folder_hash, load
from bot.engines.weights import hub
from bot.errors import ModelCorrupt, ModelNotFound
from tests.engines.tiny_model import save_tiny_model
from tests.security.test_input import _Trap

ROOT = Path(__file__).parents[2]
CODE = "from pathlib import Path\nPath({!r}).write_text('caught')\nclass Model: ...\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model as it should be."""
    return save_tiny_model(tmp_path / "model")


def rewrite(file: Path, **values: object) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))


def test_code_that_comes_with_a_model_is_not_run(folder: Path, tmp_path: Path) -> None:
    caught = tmp_path / "caught"
    (folder / "evil.py").write_text(CODE.format(str(caught)))
    for name in ("config.json", "tokenizer_config.json"):
        classes = ("AutoConfig", "AutoModelForCausalLM", "AutoTokenizer")
        rewrite(folder / name, auto_map=dict.fromkeys(classes, "evil.Model"))
    assert load(folder, dtype="float32").model is not None
    rewrite(folder / "config.json", model_type="evil", architectures=["Model"])
    with pytest.raises(ModelCorrupt):
        load(folder, dtype="float32")
    assert not caught.exists()


def test_a_pickle_is_never_opened(folder: Path, tmp_path: Path) -> None:
    trap = pickle.dumps(_Trap(tmp_path / "caught"))
    for name in ("pytorch_model.bin", "training_args.bin", "model.pt"):
        (folder / name).write_bytes(trap)
    assert load(folder, dtype="float32").model is not None
    (folder / "model.safetensors").write_bytes(trap)
    with pytest.raises(ModelCorrupt):
        load(folder, dtype="float32")
    (folder / "model.safetensors").unlink()
    with pytest.raises((ModelCorrupt, ModelNotFound)):
        load(folder, dtype="float32")
    assert not (tmp_path / "caught").exists()


def test_weights_lead_out_of_their_folder_nowhere(folder: Path, tmp_path: Path) -> None:
    """An index may name files; one beside the folder is not read for it."""
    (folder / "model.safetensors").rename(tmp_path / "outside.safetensors")
    names = ("model.embed_tokens.weight", "lm_head.weight")
    index = {"metadata": {}, "weight_map": dict.fromkeys(names, "../outside.safetensors")}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ModelCorrupt):
        load(folder, dtype="float32")


def test_a_manifest_of_another_program_is_no_fingerprint(folder: Path) -> None:
    (folder / "manifest.json").unlink(missing_ok=True)
    known = folder_hash(folder)
    for text in ("[]", "{}", "null", "{", "\x00"):
        (folder / "manifest.json").write_text(text)
        assert folder_hash(folder) == known


def readers() -> list[tuple[Path, str, dict[str | None, ast.expr]]]:
    """Every call of a `from_pretrained`: where, whose, and with which keywords."""
    return [
        (path, ast.unparse(node.func.value), {word.arg: word.value for word in node.keywords})
        for path in (ROOT / "bot").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "from_pretrained"
    ]


def test_every_reader_of_models_says_that_it_runs_no_code() -> None:
    calls = [call for call in readers() if call[1] != "PeftModel"]
    assert len(calls) >= 4
    for path, _, options in calls:
        assert ast.literal_eval(options["trust_remote_code"]) is False, path.name


def test_every_reader_of_adapters_asks_for_safetensors_first() -> None:
    # PEFT would read a pickle where they are missing, and has no option against that.
    paths = [path for path, whose, _ in readers() if whose == "PeftModel"]
    assert len(paths) >= 2
    for path in paths:
        assert re.search(r"WEIGHTS\b.*is_file\(\)|weights\.is_file\(\)", path.read_text("utf-8"))


@pytest.mark.parametrize(
    "name", ["pytorch_model.bin", "model.pt", "model.ckpt", "a.pkl", "modeling_x.py", "x.so"]
)
def test_of_a_hub_come_neither_pickles_nor_code(name: str) -> None:
    assert not any(fnmatch(name, pattern) for pattern in hub.PATTERNS)
