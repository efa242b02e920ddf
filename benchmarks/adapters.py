"""Adapters beside the plain engine, on the default base model: `python -m benchmarks.adapters`.

In turns: the engine with nothing beside it, then with two adapters loaded, asked for the base
alone, and asked for the base and both adapters at once. The adapters are random, of the shape
that `twofold train` gives them. Memory is what the process has resident; each greedy answer
is held against `peft` with `generate`.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import tempfile
import time
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


async def complete(engine: Engine, n: int, tokens: int, *, greedy: bool = False) -> tuple[str, int]:
    """One answer and its number of tokens."""
    sampling = Sampling(max_tokens=tokens, **({"temperature": 0.0} if greedy else {}))
    request = CompletionRequest(prompt=PROMPT.format(n=n), sampling=sampling, seed=n, deadline=600)
    chunks = [chunk async for chunk in engine.stream(request)]
    return "".join(chunk.text for chunk in chunks), chunks[-1].completion_tokens


async def rate(engines: list[Engine], at_once: int, tokens: int, *, begin: int) -> float:
    """Tokens per second in all, of `at_once` requests to the engines in turn."""
    begun = time.perf_counter()
    made = await asyncio.gather(
        *(complete(engines[n % len(engines)], begin + n, tokens) for n in range(at_once))
    )
    return sum(count for _, count in made) / (time.perf_counter() - begun)


def resident() -> float:
    """MiB of this process that are in memory."""
    gc.collect()
    return float(psutil.Process().memory_info().rss / 2**20)


async def measure(
    factory: EngineFactory,
    folders: list[Path],
    *,
    turns: int,
    at_once: int,
    tokens: int,
    greedy: int,
) -> tuple[dict[str, list[float]], float, float, list[str]]:
    """Rates by kind of round, MiB of the base alone and with both adapters, greedy answers."""
    rates: dict[str, list[float]] = {kind: [] for kind in ROUND}
    base = factory.make(EngineKey(BASE))
    await base.start()
    await rate([base], at_once, tokens, begin=-1000)  # the first run pays for allocations
    alone, beside, begin = resident(), 0.0, 0
    said: list[str] = []
    for _ in range(turns):
        rates["plain"].append(await rate([base], at_once, tokens, begin=begin))
        tuned = [factory.make(EngineKey(BASE, adapter=str(folder))) for folder in folders]
        for engine in tuned:
            await engine.start()
        everyone = [base, *tuned]
        rates["base"].append(await rate([base], at_once, tokens, begin=begin + at_once))
        mixed = await rate(everyone, at_once, tokens, begin=begin + 2 * at_once)
        rates["mixed"].append(mixed)
        beside = max(beside, resident())
        begin += 3 * at_once
        made = await asyncio.gather(
            *(complete(everyone[n % 3], n, tokens, greedy=True) for n in range(greedy))
        )
        said = [text for text, _ in made]
        for engine in tuned:
            await engine.close()
    await base.close()
    return rates, alone, beside, said


def expected(folder: Path, adapters: list[Path], greedy: int, tokens: int) -> list[str]:
    """The same greedy answers by `peft` and `generate`, one after the other."""
    import torch  # noqa: PLC0415
    from peft import PeftModel  # noqa: PLC0415
    from transformers import AutoModelForCausalLM  # noqa: PLC0415

    from bot.engines.local.loading import load  # noqa: PLC0415

    loaded = load(folder)
    dtype = getattr(torch, loaded.dtype)
    plain = AutoModelForCausalLM.from_pretrained(str(folder), dtype=dtype)
    tuned = PeftModel.from_pretrained(plain, str(adapters[0]), adapter_name="0")
    tuned.load_adapter(str(adapters[1]), adapter_name="1")
    texts = []
    for n in range(greedy):
        ids = torch.tensor([loaded.encode(PROMPT.format(n=n))])
        asked = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        how = {"max_new_tokens": tokens, "do_sample": False, "eos_token_id": loaded.eos}
        if n % 3:
            tuned.set_adapter(str(n % 3 - 1))
            made = tuned.generate(**asked, **how)
        else:
            with tuned.disable_adapter():
                made = tuned.generate(**asked, **how)
        decode = loaded.decoder(ids[0].tolist())
        texts.append(decode(made[0, ids.shape[1] :].tolist()))
    return texts


def main(cache: Path, *, turns: int, at_once: int, tokens: int, rank: int, greedy: int) -> None:
    """Measure and print."""
    folder = pull(parse_source(BASE), cache)
    with tempfile.TemporaryDirectory() as place:
        adapters = save_adapters(folder, Path(place), rank=rank)
        factory = EngineFactory(cache=cache, llama_cpp=False)
        rates, alone, beside, said = asyncio.run(
            measure(factory, adapters, turns=turns, at_once=at_once, tokens=tokens, greedy=greedy)
        )
        show(rates, f"{at_once} at once, {tokens} new tokens, rank {rank}, {turns} turns")
        CONSOLE.print(
            f"resident: {alone:.0f} MiB, with two adapters {beside:.0f} MiB "
            f"({beside / alone:.2f} ×); {cpu()}"
        )
        wanted = expected(folder, adapters, greedy, tokens)
    for name, first in (("base", 0), ("first adapter", 1), ("second adapter", 2)):
        pairs = list(zip(said[first::3], wanted[first::3], strict=True))
        same = sum(ours == theirs for ours, theirs in pairs)
        CONSOLE.print(f"greedy answers as peft gives them, {name}: {same} of {len(pairs)}")


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
    parser.add_argument("--greedy", type=int, default=12, help="answers to hold against peft's")
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
        greedy=arguments.greedy,
    )
