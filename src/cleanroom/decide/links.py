"""Where a page of a Python index has one file: its link, found while the page comes in.

In: a file's name, bytes of HTML in pieces of any size. Out: the link's address as it is written, ""
while none was found. Never: the page in memory; a look at all of it for one piece.
"""

from html import unescape
from typing import Final
from urllib.parse import quote

_HREF: Final = b"href="
_LONGEST: Final = 4096  # a link with its address
_ENDS: Final = b"\"'#?"  # what stands behind a file's name in an address
_MOST: Final = 64  # times that a piece is looked at for having the name in it


class LinkFinder:
    """Looks for the link of one file."""

    def __init__(self, file: str) -> None:
        self.found = ""
        self._names = {file.encode(), quote(file).encode()}
        self._tail = b""

    def feed(self, data: bytes) -> None:
        """Take the next piece."""
        window = self._tail + data
        for name in self._names if not self.found else ():
            self._look(window, name)
        self._tail = window[-_LONGEST:]

    def _look(self, window: bytes, name: bytes) -> None:
        at = window.find(name)
        for _ in range(_MOST):
            if at < 0 or self.found:
                return
            end = at + len(name)
            if window[end : end + 1] in (_ENDS[n : n + 1] for n in range(len(_ENDS))):
                self.found = _address(window[max(0, end - _LONGEST) : end])
            at = window.find(name, at + 1)


def _address(text: bytes) -> str:
    """Return what stands behind the last `href=`; "" if that is no address in quotation marks."""
    _, href, written = text.rpartition(_HREF)
    mark, address = written[:1], written[1:]
    is_whole = href and mark in (b'"', b"'") and not any(each in address for each in b"\"'<> ")
    return unescape(address.decode("ascii")) if is_whole and address.isascii() else ""
