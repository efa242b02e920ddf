"""The tree in the docstring is the tree in the code."""

from __future__ import annotations

import re
from inspect import getdoc

from bot import errors


def test_every_exception_is_drawn_under_its_parent() -> None:
    drawn = {}
    path: list[str] = []
    for line in (getdoc(errors) or "").splitlines():
        if found := re.match(r"((?:│   |├── |└── |    )*)([A-Z]\w+)", line):
            depth = len(found[1]) // 4
            path[depth:] = [found[2]]
            if depth:
                drawn[found[2]] = path[depth - 1]
    real = {
        kind.__name__: kind.__base__.__name__
        for kind in vars(errors).values()
        if isinstance(kind, type) and kind is not errors.TwofoldError
    }
    assert drawn == real
