"""The forms in which a server may say a secret again, found in what it answers and replaced.

In: values with what stands for each, bytes of an answer. Out: the bytes without the values.
Never: a look at anything but whole forms; FORMS is the list, docs/secrets.md names its limits.

Exact bytes, base64 at each alignment in both alphabets, hexadecimal, UTF-16 and UTF-32 are searched
as they are. Percent-encoding and the escapes of JSON may be mixed letter by letter and nested, in
themselves and one in the other: the values are searched in the text without escapes, and the hits
led back to where they came from.
"""

import base64
import codecs
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

# Loaded here: a confined process can load no codec later.
_WIDE: Final = tuple(
    codecs.lookup(name) for name in ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")
)
# How much longer than the value a form may be to be found across the borders of pieces: each of its
# bytes as \\u00XX or %2525XX. One that is nested deeper is found within a piece only.
_LONGEST_FORM: Final = 8
_FILLER: Final = b"A"  # in base64, which could not be decoded with a placeholder in its midst
# How `+` and `/` of base64 are written in addresses, and by makers of JSON that escape them.
_SPELT: Final = (
    (b"%2B", b"/"), (b"%2B", b"%2F"), (b"%2b", b"%2f"),
    (b"+", b"\\/"), (b"\\u002B", b"/"), (b"\\u002b", b"\\u002f"), (b"\\u002B", b"\\u002F"),
)  # fmt: skip
# How pages write the signs of HTML: libraries differ in the last ones. `&` is escaped first.
_TAGS: Final = ((b"&", b"&amp;"), (b"<", b"&lt;"), (b">", b"&gt;"))
_HTML: Final = (
    (*_TAGS, (b'"', b"&quot;")),
    (*_TAGS, (b'"', b"&quot;"), (b"'", b"&#x27;")),
    (*_TAGS, (b'"', b"&quot;"), (b"'", b"&#039;")),
    (*_TAGS, (b'"', b"&quot;"), (b"'", b"&#39;")),
    (*_TAGS, (b'"', b"&#34;"), (b"'", b"&#39;")),
    (*_TAGS, (b'"', b"&#34;"), (b"'", b"&#39;"), (b"+", b"&#43;")),
)

# Nesting escapes the escape itself: %2541 is an A too, and a JSON escape may have more backslashes.
# What begins with one letter, or one class of letters, is what `re` looks for fast.
# SECURITY: of a run of backslashes only the first one asks what follows the run. If each did, a
# page of them would take the gateway minutes.
_PERCENT: Final = rb"(?<=%)(?:25)*([0-9A-Fa-f]{2})"
_UNITS: Final = rb"u([dD][89abAB][0-9A-Fa-f]{2})\\+u([dD][c-fC-F][0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})"
_ESCAPE: Final = re.compile(rb"[%%\\](?:%b|(?<=\\)(?<!\\\\)\\*(?:%b))" % (_PERCENT, _UNITS))
_ANY_ESCAPE: Final = re.compile(
    rb'[%%\\](?:%b|(?<=\\)(?:(?<!\\\\)\\*(?:%b|(["/]))|(\\)))' % (_PERCENT, _UNITS)
)
_ESCAPED_SHORT: Final = re.compile(rb'["/\\]')
# Letters that nobody needs to escape, and their escapes: most values have no other, most answers
# none of these: neither as they are, nor with the sign of an escape escaped, however often.
_UNRESERVED: Final = re.compile(rb"[A-Za-z0-9._~-]+")
_CODE: Final = rb"(?:25|5[cC]u00)*(?:2[dDeE]|3[0-9]|[46][1-9a-fA-F]|[57][0-9aA]|5[fF]|7[eE])"
_NEEDLESS: Final = (
    (b"%", re.compile(rb"%%%b" % _CODE)),
    # so that it is looked for by one letter
    (b"\\u", re.compile(rb"\\(?=u)u00%b" % _CODE)),
)
MOST_NESTED: Final = 4  # times that an address has JSON in it and JSON an address, in turns


@dataclass(frozen=True, slots=True)
class Word:
    """A value and what stands for it."""

    value: bytes
    placeholder: bytes

    def __repr__(self) -> str:
        return "Word(***)"

    @property
    def spellings(self) -> frozenset[bytes]:
        """It, and as a form writes it: a blank is a plus sign there."""
        return frozenset({self.value, self.value.replace(b" ", b"+")})


class Echoes:
    """Replaces the values of a sandbox. Made once for all its connections: it costs a little."""

    def __init__(self, words: Iterable[Word]) -> None:
        self.words = sorted(words, key=_length, reverse=True)
        forms: dict[bytes, bytes] = {}
        for word in self.words:
            forms.update(_forms(word))
        # The longest first: a value may begin like another.
        self._forms = sorted(forms.items(), key=_size, reverse=True)
        self._shortest = min(map(len, forms), default=0)
        longest = max((len(word.value) for word in self.words), default=0)
        self.held_bytes = max(0, _LONGEST_FORM * longest - 1)
        self.awaited_bytes = longest  # of a stream, so that what is held is not searched for each
        short = any(_ESCAPED_SHORT.search(word.value) for word in self.words)
        self._escape = _ANY_ESCAPE if short else _ESCAPE
        self._is_plain = all(_UNRESERVED.fullmatch(word.value) for word in self.words)

    def __repr__(self) -> str:
        return "Echoes(***)"

    def joined(self, other: "Echoes") -> "Echoes":
        """Return what replaces the values of both."""
        return Echoes(dict.fromkeys([*self.words, *other.words]))

    def replace(self, data: bytes) -> bytes:
        """Return `data` with each whole form of a value replaced."""
        # SECURITY: of tiny messages there may be very many, and each form is a search of its own.
        if len(data) < self._shortest:
            return data
        for form, instead in self._forms:
            if form in data:
                data = data.replace(form, instead)
        return self._replace_escaped(data) if self._may_be_escaped(data) else data

    def _may_be_escaped(self, data: bytes) -> bool:
        if not self._is_plain:
            return b"%" in data or b"\\" in data
        return any(mark in data and code.search(data) for mark, code in _NEEDLESS)

    def _replace_escaped(self, data: bytes) -> bytes:
        # An address may have JSON in it, and JSON an address, which has JSON in it.
        texts = [data]
        while len(texts) <= MOST_NESTED and self._may_be_escaped(texts[-1]):
            text = self._escape.sub(_unescaped, texts[-1])
            if text == texts[-1]:
                break
            texts.append(text)
        spans: list[_Hit] = []  # from within, each text led back to the one around it
        for outer, text in reversed(list(pairwise(texts))):
            spans += self._hits(text)
            if spans:
                origin = _Origin(outer, self._escape)
                spans = [(*origin.span(start, end), word) for start, end, word in spans]
        if not spans:
            return data
        pieces, done = [], 0
        for start, end, word in sorted(spans, key=_place):
            if start >= done:
                pieces += [data[done:start], word.placeholder]
            done = max(done, end)
        return b"".join([*pieces, data[done:]])

    def _hits(self, plain: bytes) -> "list[_Hit]":
        return [
            (at, at + len(word.value), word)
            for word in self.words
            for spelling in word.spellings
            for at in _found(plain, spelling)
        ]


_Hit = tuple[int, int, Word]  # where it begins and ends in a text
EchoesNow = Callable[[], Echoes]


class Scrubber:
    """Replaces in a stream that arrives in pieces.

    SECURITY: how much is held back does not depend on what the values are, only on how long. Else
    a sandbox that has a server send guesses could tell from what comes late how much of a guess is
    right. No form of a value has a line end in it, so nothing before one is held: a server that
    sends lines or events and waits is not kept waiting.
    """

    def __init__(self, echoes_now: EchoesNow) -> None:
        self._echoes_now = echoes_now
        self._latest = self._echoes = echoes_now()
        self._held = b""  # searched, but what follows may make a form of its end
        self._new: list[bytes] = []  # not searched yet
        self._new_bytes = 0

    def feed(self, data: bytes) -> bytes:
        """Take a piece; return what may pass."""
        self._look_again()
        echoes = self._echoes
        self._new.append(data)
        self._new_bytes += len(data)
        # SECURITY: tiny pieces are searched together, or each would cost a search of all that is
        # held, and a slow server that sends them would have the gateway for itself.
        if self._new_bytes < echoes.awaited_bytes and b"\n" not in data:
            return b""
        text = self._searched()
        end = max(0, len(text) - echoes.held_bytes, text.rfind(b"\n") + 1)
        self._held = text[end:]
        return text[:end]

    def end(self) -> bytes:
        """Return the rest."""
        rest, self._held = self._searched(), b""
        return rest

    def _look_again(self) -> None:
        """Search for what was minted since, and for all that was searched for so far."""
        latest = self._echoes_now()
        if latest is not self._latest:
            self._latest, self._echoes = latest, self._echoes.joined(latest)

    def _searched(self) -> bytes:
        text = b"".join([self._held, *self._new])
        self._new, self._new_bytes = [], 0
        return self._replaced(text)

    def _replaced(self, text: bytes) -> bytes:
        return self._echoes.replace(text)


class Sieve(Scrubber):
    """Lets a stream pass as it is; nothing more of it once there is a value in it.

    Whether there is one is known for certain at its end.
    """

    found = False

    def _replaced(self, text: bytes) -> bytes:
        self.found = self.found or self._echoes.replace(text) != text
        return b"" if self.found else text


def repeats(sieve: Sieve, *texts: str) -> bool:
    """Tell whether a text of a head has a value in it; so it was found in the stream too."""
    for text in texts:
        sieve.feed(text.encode("latin-1", "replace") + b"\n")
    return sieve.found


def _forms(word: Word) -> Iterator[tuple[bytes, bytes]]:
    value, placeholder = word.value, word.placeholder
    for spelling in word.spellings:
        yield spelling, placeholder
    for signs in _HTML:
        text = value
        for sign, written in signs:
            text = text.replace(sign, written)
        yield text, placeholder
    yield value.hex().encode(), placeholder.hex().encode()
    yield value.hex().upper().encode(), placeholder.hex().upper().encode()
    for skipped in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            core = _core(encode(bytes(skipped) + value), skipped, len(value))
            yield core, _FILLER * len(core)
            for plus, slash in _SPELT:
                spelt = core.replace(b"+", plus).replace(b"/", slash)
                if spelt != core:
                    yield spelt, _FILLER * len(core)
    yield from _wide(word)


def _core(text: bytes, skipped: int, length: int) -> bytes:
    """Return the letters of base64 that no neighbour of the value has a part in."""
    return text[-(-8 * skipped // 6) : 8 * (skipped + length) // 6]


def _wide(word: Word) -> Iterator[tuple[bytes, bytes]]:
    try:
        text = word.value.decode("utf-8")
    except UnicodeDecodeError:
        return
    for coding in _WIDE:
        form, _ = coding.encode(text)
        if b"\n" not in form:  # see Scrubber
            yield form, coding.encode(word.placeholder.decode("ascii"))[0]


# The usual ones by a table, in half the time: a page of them keeps the gateway from others.
_USUAL: Final = {
    template % byte: (bytes([byte]) if template.startswith(b"%") else chr(byte).encode())
    for template in (b"%%%02X", b"%%%02x", b"\\u00%02X", b"\\u00%02x")
    for byte in range(256)
}


def _unescaped(match: "re.Match[bytes]") -> bytes:
    usual = _USUAL.get(match[0])
    if usual is not None:
        return usual
    percent, high, low, unit, *short = match.groups()
    if percent is not None:
        return bytes.fromhex(percent.decode())
    if high is not None:
        pair = bytes.fromhex((high + low).decode())
        return pair.decode("utf-16-be").encode()
    if unit is not None:
        return chr(int(unit, 16)).encode("utf-8", "surrogatepass")
    return b"".join(each for each in short if each is not None)


def _found(plain: bytes, value: bytes) -> Iterator[int]:
    at = plain.find(value)
    while at >= 0:
        yield at
        at = plain.find(value, at + len(value))


class _Origin:
    """Where each byte of a text without escapes stood in the text with them."""

    def __init__(self, data: bytes, escape: "re.Pattern[bytes]") -> None:
        self._plain, self._raw = [0], [0]  # where a piece begins in each: literal, escape, ...
        at = 0
        for match in escape.finditer(data):
            literal = match.start() - self._raw[-1]
            at += literal
            self._plain.append(at)
            self._raw.append(match.start())
            at += len(_unescaped(match))
            self._plain.append(at)
            self._raw.append(match.end())

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return where these bytes came from, whole escapes."""
        first = bisect_right(self._plain, start) - 1
        last = bisect_right(self._plain, end - 1) - 1
        is_escape = last % 2 == 1
        begin = self._raw[first] + (0 if first % 2 else start - self._plain[first])
        stop = self._raw[last + 1] if is_escape else self._raw[last] + end - self._plain[last]
        return begin, stop


def _length(word: Word) -> int:
    return len(word.value)


def _size(form: tuple[bytes, bytes]) -> int:
    return len(form[0])


def _place(hit: _Hit) -> int:
    return hit[0]
