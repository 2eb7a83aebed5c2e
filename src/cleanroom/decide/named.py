"""What an object of git names: a commit its folder and its parents, a folder what is in it.

In: an object's kind and bytes. Out: names, one after the other. Never: a look at a byte that was
looked at before; an object that git would not follow as it is followed here.
"""

import re
from collections.abc import Iterator
from typing import Final

COMMIT, TREE, BLOB, TAG = 1, 2, 3, 4  # as packs number them
_TREE_LINE: Final = re.compile(rb"tree ([0-9a-f]+)\n")
_PARENT_LINE: Final = re.compile(rb"parent ([0-9a-f]+)\n")
_OBJECT_LINE: Final = re.compile(rb"object ([0-9a-f]+)\n")
_ENTRY: Final = {
    size: re.compile(rb"([0-7]{1,7}) [^\0]+\0(.{%d})" % size, re.DOTALL) for size in (20, 32)
}
_KIND_BITS: Final = 0o170000
_IN_TREES: Final = frozenset({0o040000, 0o100000, 0o120000})  # all else is a submodule to git


class OddError(Exception):
    """It is no object of git's."""


def names_in(kind: int, data: bytes, size: int, *, is_cut: bool = False) -> Iterator[bytes]:
    """Yield the names, of `size` bytes, and b"" for a submodule. Raises OddError.

    `is_cut`: a commit's parents do not count.
    """
    if kind == TREE:
        yield from _in_tree(data, size)
    elif kind == COMMIT:
        yield _name(_TREE_LINE.match(data), size)
        at = len(b"tree \n") + 2 * size
        while not is_cut and (found := _PARENT_LINE.match(data, at)):
            at = found.end()
            yield _name(found, size)
    elif kind == TAG:
        yield _name(_OBJECT_LINE.match(data), size)


def _in_tree(data: bytes, size: int) -> Iterator[bytes]:
    # SECURITY: each entry is looked for where the last one ended, and nowhere else: a search would
    # look at all the rest again and again.
    entry, at = _ENTRY[size], 0
    while at < len(data):
        found = entry.match(data, at)
        if found is None:
            raise OddError
        at = found.end()
        yield found[2] if int(found[1], 8) & _KIND_BITS in _IN_TREES else b""


def _name(found: re.Match[bytes] | None, size: int) -> bytes:
    if found is None or len(found[1]) != 2 * size:
        raise OddError
    return bytes.fromhex(found[1].decode())
