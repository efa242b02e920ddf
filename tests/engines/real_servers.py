"""Real OpenAI-compatible servers as child processes on loopback."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
START_SECONDS = 180.0


@dataclass(frozen=True)
class Server:
    """One that is up: its base URL, and the process to end."""

    url: str
    process: subprocess.Popen

    def kill(self) -> None:
        """At once, as a crash would."""
        self.process.kill()
        self.process.wait()


@contextmanager
def llama(model: Path, **settings: object) -> Iterator[Server]:
    """llama.cpp's own server with a GGUF file."""
    told = json.dumps({"model": str(model), **settings})
    command = [sys.executable, HERE / "llama_server.py", told]
    with _process(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Server(f"{process.stdout.readline().strip()}/v1", process)


@contextmanager
def transformers_serve() -> Iterator[Server]:
    """`transformers serve`, which loads what it is asked for: here, folders."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "transformers.cli.transformers", "serve"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    with _process(command, env=environment, stdout=subprocess.DEVNULL) as process:
        _until_up(f"http://127.0.0.1:{port}/health", process)
        yield Server(f"http://127.0.0.1:{port}/v1", process)


@contextmanager
def _process(command: list[object], **options: object) -> Iterator[subprocess.Popen]:
    process = subprocess.Popen([*map(str, command)], stderr=subprocess.DEVNULL, **options)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for pipe in filter(None, (process.stdin, process.stdout)):
            pipe.close()


def _until_up(url: str, process: subprocess.Popen) -> None:
    ends = time.monotonic() + START_SECONDS
    while True:
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except OSError:
            assert process.poll() is None, "the server ended"
            assert time.monotonic() < ends, "the server does not come up"
            time.sleep(0.05)
