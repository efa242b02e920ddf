"""Known vulnerabilities of what is installed: `python -m tests.project.audit`.

It fails where a version is known that mends one. pip-audit asks PyPI for advisories, else OSV;
it takes a package that nobody answers for as one in order, so here most must be answered for.
Where they are not, that is said, and with `--strict` it fails: without a network a machine can
do nothing about it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

SERVICES = ("pypi", "osv")
SECONDS = 300
COULD_NOT = (
    "The packages that are installed could NOT be audited: no service for advisories was reached "
    "from here. Run `make audit` where PyPI or OSV can be reached."
)


def dependencies(service: str) -> list[dict[str, Any]]:
    """What pip-audit says of each package that is installed; nothing where it cannot say."""
    command = [sys.executable, "-m", "pip_audit", "--local", "--skip-editable"]
    options = ["--vulnerability-service", service, "--format", "json", "--progress-spinner", "off"]
    try:
        done = subprocess.run(
            [*command, *options],
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )
        return list(json.loads(done.stdout)["dependencies"])
    except (subprocess.TimeoutExpired, ValueError, LookupError):
        return []


def main(arguments: list[str], ask: Callable[[str], list[dict[str, Any]]] = dependencies) -> int:
    """Return the exit status; `ask` says of each package what a service knows."""
    for service in SERVICES:
        told = ask(service)
        audited = [one for one in told if "vulns" in one and "skip_reason" not in one]
        if len(audited) <= len(told) / 2:
            continue
        for one in audited:
            for fault in one["vulns"]:
                fixed = ", ".join(fault["fix_versions"]) or "no version yet"
                print(f"{one['name']} {one['version']}: {fault['id']}, mended in {fixed}")
        print(f"{len(audited)} of {len(told)} packages were audited ({service}).")
        return 1 if any(fault["fix_versions"] for one in audited for fault in one["vulns"]) else 0
    print(COULD_NOT)
    return 1 if "--strict" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
