"""Copy the objects that a sandbox wrote out of its git folder, bounded, into a repository of ours.

In: a GitView, a scratch folder. Out: loose objects in their places, packs as files to be indexed.
Never: more bytes than the limits, before or after inflating; an object is only bytes here, git
judges it later.
"""

import os
import zlib
from pathlib import Path
from typing import Final

from cleanroom.backends.workspace.folders import opened
from cleanroom.backends.workspace.gitview import GitView
from cleanroom.backends.workspace.sources import open_file
from cleanroom.errors import Code, Refused

MAX_OBJECTS: Final = 100_000
MAX_BYTES: Final = 1 << 30
_CHUNK: Final = 1 << 20
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Budget:
    """What may still be copied, and inflated. Raises Refused(resource_limit) when it is used up."""

    def __init__(self, objects: int = MAX_OBJECTS, size: int = MAX_BYTES) -> None:
        self._objects = objects
        self._copied = self._inflated = size

    def object(self) -> None:
        """Count one."""
        self._objects -= 1
        self._judge(self._objects)

    def copied(self, size: int) -> None:
        """Count bytes as they are on disk."""
        self._copied -= size
        self._judge(self._copied)

    def inflated(self, size: int) -> None:
        """Count bytes as git will see them."""
        self._inflated -= size
        self._judge(self._inflated)

    def _judge(self, left: int) -> None:
        if left < 0:
            message = "cannot bring commits out: they are more than 100,000 objects or 1 GiB"
            raise Refused(Code.RESOURCE_LIMIT, message, "bring files out: cleanroom apply")


def copy_objects(view: GitView, scratch: Path, budget: Budget) -> list[Path]:
    """Copy all; the packs, which lie in `scratch`/incoming. Raises Refused."""
    incoming = scratch / "incoming"
    incoming.mkdir(mode=0o700)
    packs = []
    for path in view.new_objects():
        budget.object()
        *_, folder, name = path.split("/")
        if folder == "pack":
            packs.append(incoming / name)
            _copy(view.upper, path, packs[-1], budget, loose=False)
        else:
            place = scratch / "objects" / folder
            place.mkdir(exist_ok=True)
            _copy(view.upper, path, place / name, budget, loose=True)
    return packs


def _copy(upper: int, path: str, target: Path, budget: Budget, *, loose: bool) -> None:
    source = open_file(upper, path)
    if source is None:
        return  # a whiteout, or something that is no file: git will miss the object, if it needs it
    engine = zlib.decompressobj()
    with opened(source), opened(os.open(target, _NEW, 0o600)) as new:
        while data := os.read(source, _CHUNK):
            budget.copied(len(data))
            if loose and not _inflate(engine, data, budget):
                return
            view = memoryview(data)
            while len(view):
                view = view[os.write(new, view) :]


def _inflate(engine: "zlib._Decompress", data: bytes, budget: Budget) -> bool:
    """Count what `data` becomes; false if it is no zlib stream."""
    while data:
        try:
            budget.inflated(len(engine.decompress(data, _CHUNK)))
        except zlib.error:
            return False
        if engine.eof:
            return True
        data = engine.unconsumed_tail
    return True
