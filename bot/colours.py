"""The colours of the three kinds of contenders, wherever they are shown."""

from __future__ import annotations

from storage.records import Kind

KIND_COLOURS = {Kind.BASE: 0xFFC24D, Kind.INSTRUCT: 0x3E8ED0, Kind.TUNED: 0x1D6F42}
"""They differ in lightness as well, for those who see no colours: 82, 57 and 41 of 100."""
