"""Sizes as people write and read them: `5GiB`, `1.5 GiB`.

In: words, or bytes. Out: bytes, or words. Never: a unit of 1000, or of
a number alone: who writes 5 means no 5 bytes.
"""

import re
from typing import Final

from cleanroom.errors import Code, UsageError

_SIZE: Final = re.compile(r"([0-9]{1,6})(B|KiB|MiB|GiB|TiB)|0")
_UNITS: Final = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}


def read_size(text: str) -> int:
    """Return the bytes of `500MiB`. Raises UsageError."""
    found = _SIZE.fullmatch(text)
    if found is None:
        message = f"cannot read {text!r} as a size"
        raise UsageError(Code.REQUEST_INVALID, message, "write 500MiB, 5GiB or 0")
    return int(found[1]) * _UNITS[found[2]] if found[2] else 0


def size_text(count: int) -> str:
    """Return bytes as people read them: `1.5 GiB`."""
    unit = next(name for name in reversed(_UNITS) if count >= _UNITS[name] or name == "B")
    return f"{count} B" if unit == "B" else f"{count / _UNITS[unit]:.1f} {unit}"
