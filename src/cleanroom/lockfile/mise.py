"""mise.lock: tools, by the addresses and digests of their archives.

In: text. Out: a Reading. Never: a tool that comes from a package registry as more than first-seen:
mise.lock has its version only, and nothing of what it depends on.
"""

from collections.abc import Iterator
from typing import Final

from cleanroom.lockfile import trees
from cleanroom.lockfile.collector import NO_DIGEST, Collector, Entry, Held
from cleanroom.lockfile.digests import strong
from cleanroom.lockfile.model import (
    LIMITS,
    Ecosystem,
    LockfileError,
    Pin,
    Reading,
    Strength,
    Unpinned,
)
from cleanroom.lockfile.names import file_of

FORMAT: Final = "mise.lock"
_REGISTRIES: Final = {
    "npm": Ecosystem.NPM,
    "pipx": Ecosystem.PYPI,
    "cargo": Ecosystem.CARGO,
    "go": Ecosystem.GO,
}


def read(text: str) -> Reading:
    """Return what the file pins. Raises LockfileError."""
    root = trees.read_toml(text)
    collectors = {each: Collector(FORMAT, each) for each in Ecosystem}
    for name, value in trees.part(root, "tools").items():
        line = _line(text, name)
        versions = value if isinstance(value, list) else [value]
        for each in versions:
            _add(name, trees.table(each, f"'{name[:80]}'", line), line, collectors)
    pins: list[Pin] = []
    unpinned: list[Unpinned] = []
    for collector in collectors.values():
        reading = collector.reading("")
        pins += reading.pins
        unpinned += reading.unpinned
    if len(pins) + len(unpinned) > LIMITS.entries:
        message = f"cannot read it: it has more than {LIMITS.entries} entries"
        raise LockfileError(message)
    return Reading(FORMAT, "", tuple(pins), tuple(unpinned))


def _line(text: str, name: str) -> int:
    quoted = f'"{name}"'
    for word in (
        f"[[tools.{name}]]",
        f"[[tools.{quoted}]]",
        f"[tools.{name}]",
        f"[tools.{quoted}]",
    ):
        at = text.find(word)
        if at >= 0:
            return text.count("\n", 0, at) + 1
    return 1


def _add(name: str, tool: trees.Table, line: int, collectors: dict[Ecosystem, Collector]) -> None:
    backend = trees.word(tool, "backend", line) or name
    version = trees.word(tool, "version", line)
    kind, _, package = backend.partition(":")
    ecosystem = _REGISTRIES.get(kind, Ecosystem.MISE) if package else Ecosystem.MISE
    found = collectors[ecosystem]
    if ecosystem is not Ecosystem.MISE:
        package = package.partition("[")[0]
        found.pin(Entry(package, version, line), Held(strength=Strength.FIRST_SEEN))
        return
    entry = Entry(name, version, line)
    archives = list(_archives(tool, line))
    if not archives:
        found.unpinned(entry, NO_DIGEST)
    for archive in archives:
        found.pin(entry, archive)


def _archives(tool: trees.Table, line: int) -> Iterator[Held]:
    """Yield the archive of each platform; older files have a table of checksums by file name."""
    platforms = dict(trees.part(tool, "platforms", line))
    platforms |= {key: value for key, value in tool.items() if key.startswith("platforms.")}
    for platform, value in platforms.items():
        archive = trees.table(value, f"'{platform[:80]}'", line)
        url = trees.word(archive, "url", line)
        yield Held(strong([trees.word(archive, "checksum", line)]), file_of(url), url)
    checksums = trees.part(tool, "checksums", line)
    for file in checksums:
        yield Held(strong([trees.word(checksums, file, line)]), file)
