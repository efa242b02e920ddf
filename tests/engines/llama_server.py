"""llama.cpp's server, from its wheel: `python llama_server.py '{"model": "FILE.gguf"}'`.

Prints its address and ends when standard input does. `slots`, `context` (tokens for all
slots together) and `key` may be given too.
"""

from __future__ import annotations

import json
import sys

import xllamacpp


def main(settings: dict[str, object]) -> None:
    params = xllamacpp.CommonParams()
    params.model.path = settings["model"]
    params.model_alias = {"far-model"}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_parallel = settings.get("slots", 16)
    params.n_ctx = settings.get("context", 16 * 512)
    params.cpuparams.n_threads = 1  # two that spin starve each other on a busy machine
    params.cpuparams_batch.n_threads = 1
    params.warmup = False
    params.use_jinja = True
    params.api_keys = [settings["key"]] if "key" in settings else []
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
