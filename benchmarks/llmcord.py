"""llmcord, unchanged, against the tests' server: somebody else's bot that answers once."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from benchmarks.wired import replied_to

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.wire.driver import WireServer
    from tests.wire.server import Record

HOW_TO_GET_IT = (
    "git clone https://github.com/jakobdylanc/llmcord, and an environment of its own with "
    "pip install -r llmcord/requirements.txt; then --llmcord llmcord --llmcord-python BIN/python"
)

COMPLETE = 0x1F8B4C
"""The colour that it gives to a message with the whole answer."""

# It takes Discord's addresses from discord.py, and its settings from where it is started.
START = """
import runpy, sys, yarl
from discord.gateway import DiscordWebSocket
from discord.http import Route
Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY = sys.argv[2], yarl.URL(sys.argv[3])
runpy.run_path(sys.argv[1], run_name="__main__")
"""

# What its own example has, with one provider and one model of ours.
CONFIG = """
bot_token: {token}
client_id:
status_message:
max_text: 100000
max_images: 5
max_messages: 25
use_plain_responses: false
allow_dms: true
permissions:
  users: {{admin_ids: [], allowed_ids: [], blocked_ids: []}}
  roles: {{allowed_ids: [], blocked_ids: []}}
  channels: {{allowed_ids: [], blocked_ids: []}}
providers:
  null-model:
    base_url: {model}
models:
  null-model/null:
system_prompt: You are a member of a small community.
"""


@asynccontextmanager
async def llmcord(
    checkout: Path, *, python: str, wire: WireServer, model: str, folder: Path
) -> AsyncIterator[int]:
    """Run it in a folder of its own, with `python`, which has what it needs; gives its pid."""
    folder.mkdir()  # noqa: ASYNC240 - nothing runs yet
    (folder / "config.yaml").write_text(CONFIG.format(token=wire.token, model=model))
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(python, "-c", START, str(checkout / "llmcord.py")),
            *(wire.api_url, wire.gateway_url),
            cwd=folder,
            env={"PATH": os.environ["PATH"], "HOME": str(folder)},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        await wire.wait_ready()
        yield process.pid
    except BaseException as error:
        error.add_note((folder / "log").read_text()[-4000:])
        raise
    finally:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGKILL)
        await process.wait()


def whole_answer_to(record: Record) -> int | None:
    """The prompt below which a request of its shows the whole answer."""
    embeds = (record.body or {}).get("embeds") if "messages" in record.route else None
    return replied_to(record) if embeds and embeds[0].get("color") == COMPLETE else None
