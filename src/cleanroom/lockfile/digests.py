"""Digests as lock files write them -> "sha512:<hex>".

In: SRI text, "alg:hex", tables of hashes. Out: well-formed digests, sorted. Never: a malformed one,
an algorithm that is broken for this use (md5), or a weak one beside a strong one.
"""

import binascii
import re
from collections.abc import Iterable
from typing import Final

# hex characters of each algorithm that counts
LENGTHS: Final = {"sha512": 128, "sha384": 96, "sha256": 64, "sha1": 40}
_STRENGTH: Final = ("sha512", "sha384", "sha256", "sha1")
_SRI: Final = re.compile(r"(sha512|sha384|sha256|sha1)-([A-Za-z0-9+/]+={0,2})(?:\?[!-~]*)?")
_USUAL: Final = re.compile(r"sha256:[0-9a-f]{64}")  # of nearly every file of Python
_HEX: Final = re.compile(r"[0-9a-f]+")
_GO: Final = re.compile(r"h1:[A-Za-z0-9+/]{43}=")


def sri(text: str) -> tuple[str, ...]:
    """Return the digests of an `integrity` value: of its strongest algorithm, as SRI says."""
    only = _SRI.fullmatch(text)  # nearly all have one: many thousands are asked for
    if only:
        digest = _from_base64(only[1], only[2])
        return (digest,) if digest else ()
    found: dict[str, set[str]] = {}
    for word in text.split():
        match = _SRI.fullmatch(word)
        digest = _from_base64(match[1], match[2]) if match else ""
        if digest:
            found.setdefault(digest.partition(":")[0], set()).add(digest)
    for algorithm in _STRENGTH:
        if algorithm in found:
            return tuple(sorted(found[algorithm]))
    return ()


def _from_base64(algorithm: str, text: str) -> str:
    try:
        digest = binascii.a2b_base64(text, strict_mode=True).hex()
    except binascii.Error:
        return ""
    return f"{algorithm}:{digest}" if len(digest) == LENGTHS[algorithm] else ""


def hexadecimal(algorithm: str, text: str) -> tuple[str, ...]:
    """Return the digest if it is well-formed."""
    text = text.lower()
    if len(text) != LENGTHS.get(algorithm, 0) or not _HEX.fullmatch(text):
        return ()
    return (f"{algorithm}:{text}",)


def strong(words: Iterable[str]) -> tuple[str, ...]:
    """Return the digests of "alg:hex" words, without sha1: what Python's formats write."""
    found: list[str] = []
    for word in words:
        if _USUAL.fullmatch(word):
            found.append(word)
            continue
        algorithm, _, text = word.partition(":")
        if algorithm != "sha1":
            found += hexadecimal(algorithm, text)
    return tuple(sorted(set(found)) if len(found) > 1 else found)


def without_weak(digests: tuple[str, ...]) -> tuple[str, ...]:
    """Return the digests, sorted; sha1 counts only where nothing stronger is said."""
    if len(digests) < 2:
        return digests
    every = sorted(set(digests))
    firm = tuple(each for each in every if not each.startswith("sha1:"))
    return firm or tuple(every)


def go_sum(text: str) -> tuple[str, ...]:
    """Return an "h1:" digest if it is well-formed."""
    return (text,) if _GO.fullmatch(text) else ()
