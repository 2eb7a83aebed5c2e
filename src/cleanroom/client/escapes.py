"""What a workload may tell a terminal: text, and the sequences that draw. Pure.

In: bytes of a workload, cut anywhere; the terminal reads UTF-8. Out: the same bytes without what
could write the clipboard or the title, make the terminal answer with text of the workload's
choice, switch its character set, program its keys, print, or load files. Never: half a sequence
passed on, a character of text changed, or more than LIMIT held.

A sequence passes whole or not at all, so no cut and no nesting builds another one. Inside a string
(OSC, DCS, APC, PM, SOS) nothing passes until it ends; since its introducer was never passed on, a
line feed may end it too, and a stray introducer in binary output hides one line, not all.
"""

import codecs
import re
from typing import Final

from cleanroom.client.modes import Modes

LIMIT: Final = 4096  # characters of one sequence

# What the text between sequences may not hold: ENQ (the terminal answers), ESC, and the C1
# controls, as characters and as single bytes that are no UTF-8.
_SPECIAL: Final = re.compile("[\x05\x1b\x80-\x9f\udc80-\udc9f]")
_SEQUENCE: Final = re.compile(
    "\x1b(?:"
    r"\[(?P<csi>[0-?]*[ -/]*)(?P<final>[@-~])"
    "|\\](?P<osc>[^\x00-\x1f\x7f-\x9f\ud800-\udfff]*)(?P<end>\x07|\x1b\\\\)"
    r"|(?P<string>[\]PX^_k])"
    r"|(?P<short>[ -/]+[0-~]|[0-OQ-WYZ\\`-jl-~])"
    ")"
)
# The beginning of any of them, at the end of what came so far.
_BEGINNING: Final = re.compile(
    "\x1b(?:"
    r"|\[[0-?]*[ -/]*"
    "|\\][^\x00-\x1f\x7f-\x9f\ud800-\udfff]*\x1b?"
    r"|[ -/]+"
    ")"
)
_STRING_END: Final = re.compile("\x07|\x1b|\x9c|\udc9c|\x18|\x1a|\n")

# CSI (parameters and intermediates, final character) that does more than draw: media copy; window
# operations and title reports; checksums and state reports of the screen, which can hold text.
_CSI_REFUSED: Final = re.compile(r".*[it]|.*\*y|.*[$&][uw]|.*,[p-~]|.*'[w-|]")
# Private modes: 2 and 38 are other languages (VT52, Tektronix), 1001 can hang a terminal. Of the
# others only 4 (insert) draws; 2 locks the keyboard.
_MODES_REFUSED: Final = re.compile(r"\?(?:.*;)?0*(?:2|38|1001)(?:;.*)?[hl]|(?!4[hl])[0-9;]*[hl]")
# `ESC %` leaves UTF-8, where harmless bytes are controls; `ESC SP` chooses 8-bit answers; the end
# of a string ends nothing here.
_SHORT_REFUSED: Final = re.compile(r"[% ].*|\\")
# OSC: links to the web, questions for colours (answered with numbers), colours as they were.
_OSC_ALLOWED: Final = re.compile(
    r"8;[!-:<-~]*;(?:https?://[!-~]*)?|(?:1[0-2]|4;[0-9]{1,3});\?|(?:104|11[0-2])(?:;[0-9;]*)?"
)


class EscapeFilter:
    """One stream on its way to a terminal. `everything`: pass all, and only follow the modes."""

    def __init__(self, *, everything: bool = False) -> None:
        self.modes = Modes()
        self._everything = everything
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._held = ""  # a sequence that is not whole yet
        self._in_string = False

    def feed(self, data: bytes) -> bytes:
        """Take bytes; return those that may be shown now."""
        passed = self._filter(self._held + self._decoder.decode(data))
        return data if self._everything else passed.encode("utf-8", "surrogateescape")

    def end(self) -> bytes:
        """Return what is left of a text that was cut within a character."""
        passed = self._filter(self._held + self._decoder.decode(b"", final=True))
        return b"" if self._everything else passed.encode("utf-8", "surrogateescape")

    def _filter(self, text: str) -> str:
        self._held = ""
        shown: list[str] = []
        at = 0
        while at < len(text):
            if self._in_string:
                at = self._skip_string(text, at)
                continue
            special = _SPECIAL.search(text, at)
            if special is None:
                shown.append(text[at:])
                break
            shown.append(text[at : special.start()])
            at = special.start()
            if text[at] == "\x1b":
                at = self._sequence(text, at, shown)
            else:
                at += 1
        return "".join(shown)

    def _sequence(self, text: str, at: int, shown: list[str]) -> int:
        """Judge the sequence that begins at `at`; return where to go on."""
        found = _SEQUENCE.match(text, at)
        begun = _BEGINNING.fullmatch(text, at)
        unfinished = begun is not None and (found is None or found["string"] == "]")
        if unfinished and len(text) - at <= LIMIT:
            self._held = text[at:]
            return len(text)
        if found is None or len(found[0]) > LIMIT:
            return at + 1  # an escape that begins nothing: what follows is text
        if found["string"]:
            self._in_string = True
        elif _allowed(found):
            self.modes.saw(found[0])
            shown.append(found[0])
        return found.end()

    def _skip_string(self, text: str, at: int) -> int:
        end = _STRING_END.search(text, at)
        if end is None:
            return len(text)
        if end[0] == "\x1b" and text[end.end() : end.end() + 1] == "\\":
            self._in_string = False
            return end.end() + 1
        self._in_string = False
        # An escape ends the string and may begin a sequence; a line feed is text again.
        return end.start() if end[0] in "\x1b\n" else end.end()


def _allowed(found: re.Match[str]) -> bool:
    """Tell whether a whole sequence only draws."""
    if found["final"]:
        whole = found["csi"] + found["final"]
        return not (_CSI_REFUSED.fullmatch(whole) or _MODES_REFUSED.fullmatch(whole))
    if found["osc"] is not None:
        return _OSC_ALLOWED.fullmatch(found["osc"]) is not None
    return not _SHORT_REFUSED.fullmatch(found["short"])
