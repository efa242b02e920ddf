"""The card of an adapter: what it is, what it learnt from, how well, how to use and delete it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.disk import write_whole
from bot.engines.weights.sources import licences_in
from bot.training.curves import pictures
from bot.wording import count

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.training.record import TrainingRecord

CARD = "README.md"
PICTURES = "pictures"
LICENCES = "licences"

_METADATA = """---
base_model: {base}
library_name: peft
pipeline_tag: text-generation
tags: [lora, {method}, twofold]
---
"""

_INTRODUCTION = """# {slug}

A LoRA adapter for the base model `{base}`, made by `twofold train` with {method} from blind votes
on pairs of answers. It completes raw text in the prompt template `{template}`, as its parent
`{parent}` does; it has no chat template. Generation {generation}.
"""

_DATASET = """## What it learnt from

| | |
|---|---|
| dataset | `{identity}` |
| SHA-256 of its manifest | `{manifest}` |
| exported for | {purpose} |
| votes of | {source} |
| rows to train on | {rows:,}, of them {pairs:,} pairs |
| rows held out | {held_out:,} |
| rows left out as too long | {too_long:,} |

Only what everybody in it had allowed for training. The policies of the export:

```json
{policy}
```
"""

_USE = """## Use it

`twofold models try {slug}` compares it with its parent. With PEFT:

```python
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

model = AutoModelForCausalLM.from_pretrained("FOLDER_OF_THE_BASE_MODEL", dtype="auto")
model = PeftModel.from_pretrained(model, "FOLDER_OF_THIS_CARD")
tokenizer = AutoTokenizer.from_pretrained("FOLDER_OF_THIS_CARD")
prompt = tokenizer("{prompt}", return_tensors="pt")
print(tokenizer.decode(model.generate(**prompt, max_new_tokens=60)[0]))
```

`{method}` was done with this recipe; with the same rows it gives the same adapter:

```json
{recipe}
```

It took {minutes:.0f} minutes and at most {memory:.1f} GB, with {versions}.

## Delete it

`twofold models rm {slug}` removes it, or delete this folder. When a member is erased whose words
or votes it was trained on, `twofold models list` says so: train it anew from a new export then.
"""

_ENDED = {
    "done": "All planned updates were made",
    "stopped_early": "It was stopped early, as held-out rows were predicted no better",
    "diverged": "It diverged, and what was good before was kept",
}


def write(folder: Path, record: TrainingRecord, *, base: Path) -> None:
    """Write README.md, its pictures and the base model's licence into the adapter's folder."""
    (folder / PICTURES).mkdir()
    drawn = pictures(record.curves, record.best_step)
    for name, picture in drawn.items():
        write_whole(folder / PICTURES / name, picture)
    licence = "\n".join(_licence(folder, base))
    parts = (*_parts(record), _curves(record, drawn), licence)
    write_whole(folder / CARD, "\n".join(parts).encode())


def _parts(record: TrainingRecord) -> Iterator[str]:
    learnt = record.dataset
    plain = record.model_dump(mode="json")
    yield _METADATA.format(base=record.base.source, method=record.method)
    yield _INTRODUCTION.format(
        slug=record.slug,
        base=record.base.source,
        method=record.method.upper(),
        template=record.template,
        parent=record.parent,
        generation=record.generation,
    )
    yield _DATASET.format(
        identity=learnt.identity,
        manifest=learnt.manifest_sha256,
        purpose=learnt.purpose,
        source={"live": "members", "simulated": "simulated members"}.get(
            learnt.source["kind"], "an imported collection"
        ),
        rows=learnt.rows,
        pairs=learnt.pairs,
        held_out=learnt.held_out,
        too_long=learnt.too_long,
        policy=json.dumps(learnt.policy),
    )
    yield "\n".join(_evaluation(record))
    yield _USE.format(
        slug=record.slug,
        method=record.method.upper(),
        prompt="The prompt as `twofold prompt` prints it",
        recipe=json.dumps(plain["recipe"]),
        minutes=record.seconds / 60,
        memory=record.peak_memory_bytes / 1e9,
        versions=", ".join(f"{name} {version}" for name, version in record.versions.items()),
    )


def _evaluation(record: TrainingRecord) -> Iterator[str]:
    found = record.evaluation
    yield "## How well\n"
    if found.accuracy is None or found.low is None or found.high is None:
        yield "There were no held-out pairs, so nobody knows yet.\n"
        return
    yield (
        f"On {count(found.pairs, 'pair')} that it was not trained on ({found.split}) it raises the "
        f"chosen answer more over its parent than the rejected one in {found.accuracy:.0%} (95 % "
        f"interval: {found.low:.0%} to {found.high:.0%}); chance is 50 %. The mean difference is "
        f"{found.margin:+.2f} nats: {found.chosen:+.2f} for the chosen and {found.rejected:+.2f} "
        "for the rejected answer.\n"
    )


def _curves(record: TrainingRecord, drawn: dict[str, bytes]) -> str:
    lines = [
        "## Curves\n",
        f"{_ENDED[record.ended]}: {record.steps}. Step {record.best_step} is what was kept.\n",
        *(f"![{name.removesuffix('.png')}]({PICTURES}/{name})\n" for name in drawn),
    ]
    return "\n".join(lines)


def _licence(folder: Path, base: Path) -> Iterator[str]:
    """What the base model's folder tells of its licence, with the files copied along."""
    yield "## Licence of the base model\n"
    told = _manifest(base)
    names = [*told.get("licences", ()), *licences_in(base)]
    copied = []
    for name in dict.fromkeys(Path(name).name for name in names):
        if (base / name).is_file():
            (folder / LICENCES).mkdir(exist_ok=True)
            shutil.copy(base / name, folder / LICENCES)
            copied.append(f"[{name}]({LICENCES}/{name})")
    if told.get("notice"):
        yield f"{told['notice']}\n"
    yield (
        f"Beside this card: {', '.join(copied)}.\n"
        if copied
        else "It came without a licence file; ask where you got it.\n"
    )


def _manifest(base: Path) -> dict[str, Any]:
    """The manifest of weights that Twofold fetched; an empty one of others."""
    try:
        told = json.loads((base / "manifest.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}
