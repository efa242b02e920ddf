"""No secret is in the repository: `python -m tests.project.scan` fails where one seems to be.

detect-secrets looks through every file that is, or may be, committed, without asking anybody
on the network. Of its detectors those for mere entropy are left out: hashes are everywhere
here. What is no secret but looks like one stands in known_secrets.txt, which `--accept` writes
anew: file, kind and SHA-1, so that it holds nobody's secret itself.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from detect_secrets import SecretsCollection
from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
from detect_secrets.settings import transient_settings

ROOT = Path(__file__).parents[2]
KNOWN = Path(__file__).with_name("known_secrets.txt")
ENTROPY = {"Base64HighEntropyString", "HexHighEntropyString"}
FILTERS = (
    *("allowlist.is_line_allowlisted", "heuristic.is_indirect_reference"),
    *("heuristic.is_not_alphanumeric_string", "heuristic.is_templated_secret"),
    "heuristic.is_potential_uuid",
)
Found = tuple[str, str, str]


def found_in(files: list[str]) -> set[Found]:
    """What looks like a secret: file, kind, SHA-1."""
    kinds = {plugin.__name__ for plugin in get_mapping_from_secret_type_to_class().values()}
    settings = {
        "plugins_used": [{"name": name} for name in sorted(kinds - ENTROPY)],
        "filters_used": [{"path": f"detect_secrets.filters.{name}"} for name in FILTERS],
    }
    collection = SecretsCollection(root=str(ROOT))
    with transient_settings(settings):
        collection.scan_files(*files)
    return {(file, one.type, one.secret_hash) for file, one in collection}


def committed() -> list[str]:
    """Every text that git knows, or would take."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    return [name for name in listed if name and (ROOT / name).is_file()]


def known() -> set[tuple[str, ...]]:
    """What was looked at and is none, by kind and SHA-1, in whatever file."""
    return {tuple(line.split("\t")[1:]) for line in KNOWN.read_text("utf-8").splitlines()}


def main(arguments: list[str]) -> int:
    """Return the exit status."""
    found = found_in(committed())
    if "--accept" in arguments:
        KNOWN.write_text("".join("\t".join(one) + "\n" for one in sorted(found)), "utf-8")
        return 0
    accepted = known()
    new = sorted((file, kind) for file, kind, sha1 in found if (kind, sha1) not in accepted)
    for file, kind in new:
        print(f"{file}: this looks like a secret ({kind}). Take it out, and have it replaced.")
    return 1 if new else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
