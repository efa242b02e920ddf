"""Write the committed outputs anew."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path

from storage.database import Database, database_url
from tests.unit.golden import FORMATS, HERE, build, write


async def renew() -> None:
    """Replace the files of every format."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        await build(home)
        async with Database.open(database_url(home / "twofold.db")) as store:
            for name in FORMATS:
                shutil.rmtree(HERE / name, ignore_errors=True)
                for path, content in (await write(store, home / name, name)).items():
                    (HERE / name / path).parent.mkdir(parents=True, exist_ok=True)
                    (HERE / name / path).write_bytes(content)


if __name__ == "__main__":
    asyncio.run(renew())
