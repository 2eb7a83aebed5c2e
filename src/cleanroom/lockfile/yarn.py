"""yarn.lock of yarn 1: its own syntax, neither YAML nor JSON.

In: text. Out: a Reading. Never: a commit taken for a digest.
"""

import json
import re
from collections.abc import Iterator
from typing import Final, NamedTuple, NoReturn

from cleanroom.lockfile.collector import LOCAL, NO_DIGEST, Collector, Entry, Held
from cleanroom.lockfile.digests import hexadecimal, sri
from cleanroom.lockfile.model import Ecosystem, LockfileError, Reading
from cleanroom.lockfile.names import is_web, registry_package
from cleanroom.lockfile.npm import hold_npm

FORMAT: Final = "yarn.lock"
_TARBALLS: Final = (".tgz", ".tar.gz")
_WORD: Final = r'(?:"(?:[^"\\]|\\.)*+"|[^\s",:]++)'
_KEYS: Final = re.compile(rf"({_WORD}(?:,[ ]*{_WORD})*+):")
_ONE_KEY: Final = re.compile(_WORD)
_FIELD: Final = re.compile(rf"  ({_WORD})(?: ({_WORD}|[^\s\"]+)|:)")
_LOCAL: Final = ("file:", "link:", "portal:", "./", "../", "/")


class _Block(NamedTuple):
    keys: tuple[str, ...]
    fields: dict[str, str]
    line: int


def read(text: str) -> Reading:
    """Return what the file pins. Raises LockfileError."""
    found = Collector(FORMAT, Ecosystem.NPM)
    for block in _blocks(text):
        _add(block, found)
    return found.reading("1")


def _blocks(text: str) -> Iterator[_Block]:
    block: _Block | None = None
    for number, line in _lines(text):
        indent = len(line) - len(line.lstrip(" "))
        if indent == 0:
            if block is not None:
                yield block
            block = _Block(_keys(line, number), {}, number)
        elif block is None:
            _refuse("it begins with an indented line", number)
        elif indent == 2:
            _read_field(line, number, block)
        elif indent != 4:
            _refuse("the line is indented by neither 2 nor 4 spaces", number)
    if block is not None:
        yield block


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines that say something, with their numbers."""
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.rstrip("\r")
        if line.strip(" ") and not line.lstrip(" ").startswith("#"):
            yield number, line


def _keys(line: str, number: int) -> tuple[str, ...]:
    match = _KEYS.fullmatch(line)
    if match is None:
        _refuse("the line is no 'NAME@RANGE:'", number)
    return tuple(_plain(each, number) for each in _ONE_KEY.findall(match[1]))


def _read_field(line: str, number: int, block: _Block) -> None:
    match = _FIELD.fullmatch(line)
    if match is None:
        _refuse("the line is no 'KEY VALUE'", number)
    key = _plain(match[1], number)
    if key in block.fields:
        _refuse(f"'{key[:40]}' is there twice", number)
    block.fields[key] = _plain(match[2] or "", number)


def _plain(word: str, number: int) -> str:
    if not word.startswith('"'):
        return word
    try:
        return str(json.loads(word))
    except ValueError:
        _refuse("a quoted text is broken", number)


def _refuse(why: str, number: int) -> NoReturn:
    message = f"cannot read it as yarn.lock: {why}"
    raise LockfileError(message, number)


def _add(block: _Block, found: Collector) -> None:
    name, wanted = _split(block.keys[0], block.line)
    url, _, fragment = block.fields.get("resolved", "").partition("#")
    served = registry_package(url)
    if wanted.startswith("npm:"):
        name = served or _split(wanted.removeprefix("npm:"), block.line)[0]
    entry = Entry(name, block.fields.get("version", ""), block.line)
    digests = sri(block.fields.get("integrity", ""))
    tarball = is_web(url) and url.endswith(_TARBALLS)
    if not digests and tarball:
        digests = hexadecimal("sha1", fragment)
    if url.startswith(_LOCAL) or (not url and wanted.startswith(_LOCAL)):
        found.unpinned(entry, LOCAL, local=True)
    elif not url:
        found.pin(entry, Held(digests), NO_DIGEST)
    elif not is_web(url) or (fragment and not digests and not tarball):
        found.commit(entry, f"{url}#{fragment}")
    else:
        hold_npm(entry, Held(digests, url=url), found)


def _split(key: str, line: int) -> tuple[str, str]:
    """Split `name@range`; a scope begins with another `@`."""
    at = key.find("@", 1)
    if at < 0:
        return key, ""
    if at == len(key) - 1:
        _refuse("a key ends in '@'", line)
    return key[:at], key[at + 1 :]
