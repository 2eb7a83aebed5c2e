"""A search of everything that a run leaves, but for the gateway and the provider's own file.

In: a World, a value. Out: the places that hold it. Never: a place that is passed over in silence
but what is gone by then.
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tests.escape.egress_world import World


class Searched:
    """The files of a world, every process of the machine, and the memory of its daemon."""

    def __init__(self, world: World, value: bytes, provider: Path | None = None) -> None:
        self._world = world
        self._value = value
        self._folder = world.home.home.parent
        self._provider = provider

    def found(self, needle: bytes = b"") -> list[str]:
        """Return the places that hold the value, or something else."""
        needle = needle or self._value
        return [*self._files(needle), *self._processes(needle), *self._memory(needle)]

    def _files(self, needle: bytes) -> Iterator[str]:
        for path in self._folder.rglob("*"):
            if path != self._provider and path.is_file() and not path.is_symlink():
                with suppress(OSError):
                    if needle in path.read_bytes():
                        yield str(path)

    def _processes(self, needle: bytes) -> Iterator[str]:
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != self._world.gateway_pid:
                for kind in ("environ", "cmdline"):
                    with suppress(OSError):
                        if needle in (entry / kind).read_bytes():
                            yield f"{entry}/{kind}"

    def _memory(self, needle: bytes) -> Iterator[str]:
        if in_memory(self._world.daemon.pid, needle):
            yield "the daemon's memory"


def in_memory(pid: int, needle: bytes) -> bool:
    """Tell whether writable memory of a process holds it."""
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            span, rights = line.split()[:2]
            first, last = (int(word, 16) for word in span.split("-"))
            if rights.startswith("rw"):
                with suppress(OSError):
                    memory.seek(first)
                    if needle in memory.read(last - first):
                        return True
    return False
