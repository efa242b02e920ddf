"""Side files with which other trainers read a dataset folder as it lies there.

LLaMA-Factory gets `dataset_info.json`, to be used with `dataset_dir:` set to the folder.
Sources: its `data/README.md`, "Alpaca Format", and `src/llamafactory/data/converter.py`
and `loader.py`. It finds a file's type by the last suffix, of which it knows neither gz
nor zst, and it wants chosen and rejected as one message each, or a whole conversation in
one column: so it gets a file for text rows that are not compressed, and none for others.

axolotl gets `axolotl.yaml`, the part of its configuration that names the data. Sources:
`docs/rlhf.qmd` ("DPO", "KTO": user_defined.default, chat_template.default),
`docs/dataset-formats/inst_tune.qmd` ("How to add custom prompt format"),
`docs/reward_modelling.qmd`. Its reward models want the prompt in a column `input`, and its
KTO and SFT want a chat in one column: these get none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from bot.dataset import layout

if TYPE_CHECKING:
    from collections.abc import Mapping

LLAMA_FACTORY = "dataset_info.json"
AXOLOTL = "axolotl.yaml"
NAMES = (LLAMA_FACTORY, AXOLOTL)

_PAIR = {"prompt": "prompt", "chosen": "chosen", "rejected": "rejected"}
_COLUMNS: dict[str, dict[str, Any]] = {
    "dpo": {"ranking": True, "columns": _PAIR},
    "reward": {"ranking": True, "columns": _PAIR},
    "kto": {"columns": {"prompt": "prompt", "response": "completion", "kto_tag": "label"}},
    "sft": {"columns": {"prompt": "prompt", "response": "completion"}},
}
"""LLaMA-Factory's description of each format's text rows."""

_READY_MADE = (".jsonl", ".parquet")

_TYPES = {
    ("dpo", False): """\
    type:
      field_prompt: prompt
      field_chosen: chosen
      field_rejected: rejected
      prompt_format: "{prompt}"
      chosen_format: "{chosen}"
      rejected_format: "{rejected}"
""",
    ("dpo", True): """\
    type: chat_template.default
    field_messages: prompt
    field_chosen: chosen
    field_rejected: rejected
    message_property_mappings:
      role: role
      content: content
    roles:
      system: [system]
      user: [user]
      assistant: [assistant]
""",
    ("kto", False): """\
    type:
      field_prompt: prompt
      field_completion: completion
      field_label: label
      prompt_format: "{prompt}"
      completion_format: "{completion}"
""",
    ("sft", False): """\
    type:
      system_prompt: ""
      field_instruction: prompt
      field_output: completion
      format: "{instruction}"
      no_input_format: "{instruction}"
""",
}
"""axolotl's description of the rows, by format and by whether they are chats."""

_HEAD = """\
# The part of an axolotl configuration that names the data. Paths count from where axolotl runs.
"""


def files(manifest: Mapping[str, Any]) -> dict[str, bytes]:
    """Name and content of each side file that fits the folder; empty where none does."""
    splits = layout.tables(manifest).get(layout.ONE_TABLE, {})
    made = {
        LLAMA_FACTORY: _llama_factory(manifest, splits),
        AXOLOTL: _axolotl(manifest, splits),
    }
    return {name: content for name, content in made.items() if content}


def _llama_factory(manifest: Mapping[str, Any], splits: Mapping[str, str]) -> bytes:
    description = _COLUMNS.get(manifest["format"])
    readable = all(path.endswith(_READY_MADE) for path in splits.values())
    if not splits or description is None or manifest["chat"] or not readable:
        return b""
    info = {
        "twofold" if split == "train" else f"twofold_{split}": {"file_name": path, **description}
        for split, path in splits.items()
    }
    return orjson.dumps(info, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _axolotl(manifest: Mapping[str, Any], splits: Mapping[str, str]) -> bytes:
    """Only the splits that it has words for: `datasets`, and `test_datasets` to evaluate on."""
    kind = _TYPES.get((manifest["format"], manifest["chat"]))
    if kind is None or "train" not in splits:
        return b""
    lines = [_HEAD]
    if manifest["format"] != "sft":
        lines.append(f"rl: {manifest['format']}\n")
    for key, split in (("datasets", "train"), ("test_datasets", "validation")):
        if split in splits:
            lines += [f"{key}:\n", f"  - path: {splits[split]}\n", "    split: train\n", kind]
    return "".join(lines).encode()
