"""Adapters beside the plain engine, on the default base model: `python -m benchmarks.adapters`.

In turns: the engine with nothing beside it, then with two adapters loaded, asked for the base
alone, and asked for the base and both adapters at once. The adapters are random, of the shape
that `twofold train` gives them. Memory is what the process has resident; greedy answers in
float32 are held against those of `peft` with `generate`.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import tempfile
import time
from itertools import count
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import platformdirs
import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.throughput import BASE, cpu
from bot.contenders import EngineKey
from bot.engines import CompletionRequest
from bot.engines.factory import EngineFactory
from bot.engines.local import LocalEngine, LocalModel
from bot.engines.weights import parse_source, pull
from storage.records import Sampling

if TYPE_CHECKING:
    from bot.engines import Engine

PROMPT = (
    "This is a chat in a small community.\n"
    "Ann: does anyone know a good place for a walk this weekend?\n"
    "Ben: the lake, if it does not rain\n"
    "Ann: and number {n}, where would you go?\n"
    "Twofold:"
)
CONSOLE = Console(width=100)
SAID = 9
"""Greedy answers that are held against PEFT's; prompts with one digit are equally long."""
ROUND = ("plain", "base", "mixed")


def save_adapters(folder: Path, place: Path, *, rank: int) -> list[Path]:
    """Write two random adapters on all linear layers of the model in `folder`."""
    import torch  # noqa: PLC0415
    from peft import LoraConfig, get_peft_model  # noqa: PLC0415
    from transformers import AutoModelForCausalLM  # noqa: PLC0415

    written = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_pretrained(str(folder), dtype=torch.bfloat16)
        config = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear")
        tuned = get_peft_model(model, config)
        for name, weights in tuned.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(weights, std=0.02)
        tuned.save_pretrained(str(place / str(seed)))
        written.append(place / str(seed))
    return written


async def complete(engine: Engine, n: int, sampling: Sampling) -> tuple[str, int]:
    """One answer and its number of tokens."""
    request = CompletionRequest(prompt=PROMPT.format(n=n), sampling=sampling, seed=n, deadline=600)
    chunks = [chunk async for chunk in engine.stream(request)]
    return "".join(chunk.text for chunk in chunks), chunks[-1].completion_tokens


async def rate(engines: list[Engine], at_once: int, tokens: int, *, begin: int) -> float:
    """Tokens per second in all, of `at_once` requests to the engines in turn."""
    begun = time.perf_counter()
    sampling = Sampling(max_tokens=tokens)
    made = await asyncio.gather(
        *(complete(engines[n % len(engines)], begin + n, sampling) for n in range(at_once))
    )
    return sum(tokens for _, tokens in made) / (time.perf_counter() - begun)


def resident() -> float:
    """MiB of this process that are in memory."""
    gc.collect()
    return float(psutil.Process().memory_info().rss / 2**20)


async def measure(
    folders: list[Path], *, cache: Path, turns: int, at_once: int, tokens: int
) -> tuple[dict[str, list[float]], float, float]:
    """Rates by kind of round, and MiB of the base alone and with both adapters."""
    rates: dict[str, list[float]] = {kind: [] for kind in ROUND}
    factory = EngineFactory(cache=cache, llama_cpp=False)
    base = factory.make(EngineKey(BASE))
    await base.start()
    seeds = count(step=at_once)
    await rate([base], at_once, tokens, begin=next(seeds))  # the first run pays for allocations
    alone, beside = resident(), 0.0
    for _ in range(turns):
        rates["plain"].append(await rate([base], at_once, tokens, begin=next(seeds)))
        tuned = [factory.make(EngineKey(BASE, adapter=str(folder))) for folder in folders]
        for engine in tuned:
            await engine.start()
        for kind, engines in (("base", [base]), ("mixed", [base, *tuned])):
            rates[kind].append(await rate(engines, at_once, tokens, begin=next(seeds)))
        beside = max(beside, resident())
        for engine in tuned:
            await engine.close()
    await base.close()
    return rates, alone, beside


async def said_greedily(folder: Path, adapters: list[Path], *, tokens: int) -> list[str]:
    """The answers to SAID prompts in one batch, in float32: the base and both adapters in turn."""
    model = LocalModel(source=BASE, fetch=lambda: folder, dtype="float32", llama_cpp=False)
    engines = [LocalEngine(model, adapter=adapter) for adapter in (None, *adapters)]
    for engine in engines:
        await engine.start()
    sampling = Sampling(temperature=0.0, max_tokens=tokens)
    made = await asyncio.gather(*(complete(engines[n % 3], n, sampling) for n in range(SAID)))
    for engine in engines:
        await engine.close()
    return [text for text, _ in made]


def said_by_peft(folder: Path, adapters: list[Path], *, tokens: int) -> list[str]:
    """The same by `peft` and `generate`."""
    import torch  # noqa: PLC0415
    from peft import PeftModel  # noqa: PLC0415

    from bot.engines.local.loading import load  # noqa: PLC0415

    loaded = load(folder, dtype="float32")
    tuned = PeftModel.from_pretrained(loaded.model, str(adapters[0]), adapter_name="1")
    tuned.load_adapter(str(adapters[1]), adapter_name="2")
    ids = torch.tensor([loaded.encode(PROMPT.format(n=n)) for n in range(SAID)])  # equally long
    made = tuned.generate(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        adapter_names=[("__base__", "1", "2")[n % 3] for n in range(SAID)],
        max_new_tokens=tokens,
        do_sample=False,
        eos_token_id=loaded.eos,
    )
    return [
        loaded.decoder(asked)(answer[len(asked) :])
        for asked, answer in zip(ids.tolist(), made.tolist(), strict=True)
    ]


def main(cache: Path, *, turns: int, at_once: int, tokens: int, rank: int) -> None:
    """Measure and print."""
    folder = pull(parse_source(BASE), cache)
    with tempfile.TemporaryDirectory() as place:
        adapters = save_adapters(folder, Path(place), rank=rank)
        rates, alone, beside = asyncio.run(
            measure(adapters, cache=cache, turns=turns, at_once=at_once, tokens=tokens)
        )
        show(rates, f"{at_once} at once, {tokens} new tokens, rank {rank}, {turns} turns")
        CONSOLE.print(
            f"resident: {alone:.0f} MiB, with two adapters {beside:.0f} MiB "
            f"({beside / alone:.2f} ×); {cpu()}"
        )
        ours = asyncio.run(said_greedily(folder, adapters, tokens=tokens // 2))
        theirs = said_by_peft(folder, adapters, tokens=tokens // 2)
    same = [ours[n] == theirs[n] for n in range(SAID)]
    for turn, name in enumerate(("base", "first adapter", "second adapter")):
        told = same[turn::3]
        CONSOLE.print(f"greedy answers as peft gives them, {name}: {sum(told)} of {len(told)}")


def show(rates: dict[str, list[float]], title: str) -> None:
    """Print the rates and their ratio to the plain engine's."""
    table = Table(title=title)
    for heading in ("", "tokens/s, median", "from", "to", "× plain"):
        table.add_column(heading, justify="right")
    for kind, values in rates.items():
        share = median(values) / median(rates["plain"])
        shown = (median(values), min(values), max(values))
        table.add_row(kind, *(f"{value:.0f}" for value in shown), f"{share:.2f}")
    CONSOLE.print(table)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--at-once", type=int, default=16)
    parser.add_argument("--tokens", type=int, default=64, help="new tokens per answer, at most")
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument(
        "--cache", type=Path, default=platformdirs.user_data_path("twofold") / "models"
    )
    arguments = parser.parse_args()
    main(
        arguments.cache,
        turns=arguments.turns,
        at_once=arguments.at_once,
        tokens=arguments.tokens,
        rank=arguments.rank,
    )
