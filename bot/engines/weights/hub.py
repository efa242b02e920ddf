"""One hub repository into a folder, in a process of its own: `python -m bot.engines.weights.hub`.

A child process, because huggingface_hub reads HF_HUB_OFFLINE once, at import, and
the parent keeps it set so that local loads never touch the network. It prints one
JSON object a line: the commit and the bytes to come, or an error.
"""

from __future__ import annotations

import json
import sys
from fnmatch import fnmatch

from bot.engines.weights.tether import heed

LICENCES = ["LICEN[CS]E*", "COPYING*", "NOTICE*", "TERMS*", "USE_POLICY*"]
PATTERNS = ["*.safetensors", "*.json", "tokenizer*", "*.txt", "*.jinja", *LICENCES]
"""Weights as safetensors, configuration, tokenizer, licence: never pickles, never code."""


def main(arguments: list[str]) -> int:
    """Run as `hub OWNER/NAME REVISION FOLDER`; returns the exit status."""
    from huggingface_hub import HfApi, snapshot_download  # noqa: PLC0415 - only the child needs it

    name, revision, folder = arguments
    try:
        info = HfApi().model_info(name, revision=revision, files_metadata=True, timeout=20)
        total = sum(
            file.size or 0
            for file in info.siblings or []
            if "/" not in file.rfilename and any(fnmatch(file.rfilename, p) for p in PATTERNS)
        )
        _say({"commit": info.sha, "total": total})
        snapshot_download(
            name,
            revision=info.sha,
            local_dir=folder,
            allow_patterns=PATTERNS,
            ignore_patterns=["*/*", "*.py"],
        )
    except Exception as error:  # noqa: BLE001 - a process boundary: the parent decides what it means
        kinds = [kind.__name__ for kind in type(error).__mro__]
        _say({"error": kinds, "errno": getattr(error, "errno", None)})
        return 1
    return 0


def _say(what: dict[str, object]) -> None:
    print(json.dumps(what), flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main(heed(sys.argv[1:])))
