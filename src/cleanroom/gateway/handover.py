"""A compiled policy on its way from the daemon to the gateway, its pins ready to be looked up.

In: a policy, or a descriptor that came with a message. Out: a sealed file in memory, or what
requests are judged by. Never: a file that could still change, a name on a disk; a look of the
gateway at all pins, of which a repository may write very many: they stay in the file.

The file is the tables (tables.py), behind them JSON of the rest, and its length in 4 bytes. Making
one takes as long as there are pins; that is no work for a loop.
"""

import errno
import fcntl
import mmap
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from operator import itemgetter
from typing import Final, NamedTuple, TypeVar

import msgspec

from cleanroom.decide.commits import Commit, Named
from cleanroom.decide.grammar import GRAMMARS
from cleanroom.decide.locked import Hold, Locked
from cleanroom.decide.registries import Index, Judged, index_registry, judge_by
from cleanroom.gateway.control import ControlError
from cleanroom.gateway.tables import (
    PAIR,
    TEXT,
    Codec,
    Spot,
    Stored,
    StoredNames,
    Table,
    TooLargeError,
    Writer,
)
from cleanroom.policy.model import CompiledPolicy, RegistryPolicy, UnpinnedArtifact

MAX_POLICY_BYTES: Final = 256 * 1024 * 1024
_SEALS: Final = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
_LENGTH_BYTES: Final = 4

K = TypeVar("K")


class _Tables(NamedTuple):
    """Where the parts of one registry's index are."""

    digest: str
    holds: Spot
    names: Spot
    versions: Spot
    unpinned: Spot
    repositories: Spot
    commits: Spot


class _Repository(NamedTuple):
    """Which of the commits are of one repository."""

    digest: str
    first: int
    commits: int


class _Rest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The policy without its pins; the tables of each of its registries."""

    policy: CompiledPolicy
    registries: tuple[_Tables | None, ...]


_encode: Final = msgspec.json.Encoder().encode
_REST: Final[msgspec.json.Decoder[_Rest]] = msgspec.json.Decoder(_Rest)
_HOLD: Final[msgspec.json.Decoder[Hold]] = msgspec.json.Decoder(Hold)
_UNPINNED: Final[msgspec.json.Decoder[UnpinnedArtifact]] = msgspec.json.Decoder(UnpinnedArtifact)
_REPOSITORY: Final[msgspec.json.Decoder[_Repository]] = msgspec.json.Decoder(_Repository)
_COMMIT: Final[msgspec.json.Decoder[Commit]] = msgspec.json.Decoder(Commit)


def policy_file(policy: CompiledPolicy) -> int:
    """Return a descriptor of a sealed file that holds the policy; the caller's.

    Raises OSError; its number is EFBIG if the gateway would not read so long a policy.
    """
    descriptor = os.memfd_create("policy", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        writer = Writer(lambda data: _write(descriptor, data), MAX_POLICY_BYTES)
        tables = tuple(_put(writer, each) for each in policy.registries)
        rest = _encode(_Rest(_without_pins(policy), tables))
        _write(descriptor, rest + len(rest).to_bytes(_LENGTH_BYTES, "big"))
        _check_size(descriptor)
        seal(descriptor)
    except TooLargeError as error:
        os.close(descriptor)
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG)) from error
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def seal(descriptor: int) -> None:
    """Let nobody change the file again. Raises OSError."""
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)


def read_policy(descriptor: int) -> Judged:
    """Return what requests are judged by, close the file. Raises ControlError."""
    try:
        if fcntl.fcntl(descriptor, fcntl.F_GET_SEALS) & _SEALS != _SEALS:
            error = "a policy came in a file that can still change"
            raise ControlError(error)
        size = os.fstat(descriptor).st_size
        if not _LENGTH_BYTES <= size <= MAX_POLICY_BYTES:
            error = f"cannot read a policy of {size} bytes"
            raise ControlError(error)
        # Private: older kernels map nothing else of a sealed file, and none is written to.
        data = mmap.mmap(descriptor, size, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ)
        end = size - _LENGTH_BYTES
        rest = _REST.decode(data[end - int.from_bytes(data[end:], "big") : end])
        return judge_by(rest.policy, list(_found(data, rest)))
    except (OSError, ValueError, TypeError, KeyError, msgspec.DecodeError, RecursionError) as error:
        raise ControlError(str(error)) from error
    finally:
        os.close(descriptor)


def _check_size(descriptor: int) -> None:
    # SECURITY: a gateway that is given what it does not read ends, and all doors with it.
    if os.fstat(descriptor).st_size > MAX_POLICY_BYTES:
        raise TooLargeError


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _without_pins(policy: CompiledPolicy) -> CompiledPolicy:
    bare = (replace(each, artifact_allowlist=(), unpinned=()) for each in policy.registries)
    return replace(policy, registries=tuple(bare))


def _put(writer: Writer, policy: RegistryPolicy) -> _Tables | None:
    index = index_registry(policy)
    if index is None:
        return None
    locked = index.locked
    names = dict.fromkeys(name for name, _ in locked.holds)
    repositories: dict[str, _Repository] = {}
    commits: list[Commit] = []
    for name, named in index.commits.items():
        repositories[name] = _Repository(named.digest, len(commits), len(named.by_name))
        commits += named.by_name.values()
    tables = _Tables(
        index.digest,
        holds=writer.add(_sorted(PAIR, locked.holds)),
        names=writer.add(_sorted(TEXT, names)),
        versions=writer.add(_sorted(PAIR, dict.fromkeys(locked.versions))),
        unpinned=writer.add(_sorted(PAIR, locked.unpinned)),
        repositories=writer.add(_sorted(TEXT, repositories)),
        commits=writer.add((TEXT.encode(each.name), _encode(each)) for each in commits),
    )
    for each in (locked.holds, locked.unpinned):
        if isinstance(each, dict):
            while each:  # all at once would be one step, in which no other thread goes on
                each.popitem()
    return tables


def _sorted(codec: Codec[K], found: Mapping[K, object]) -> Iterator[tuple[bytes, bytes]]:
    """Yield what a table takes; what has no value is only looked for."""
    pairs = [(codec.encode(key), value) for key, value in found.items()]
    pairs.sort(key=itemgetter(0), reverse=True)
    while pairs:
        key, value = pairs.pop()
        yield key, b"" if value is None else _encode(value)


def _found(data: mmap.mmap, rest: _Rest) -> Iterator[Index | None]:
    for policy, tables in zip(rest.policy.registries, rest.registries, strict=True):
        yield None if tables is None else _index(data, policy, tables)


def _index(data: mmap.mmap, policy: RegistryPolicy, tables: _Tables) -> Index:
    commits = Table(data, tables.commits)

    def named(value: bytes) -> Named:
        at = _REPOSITORY.decode(value)
        return Named(at.digest, Stored(commits.of(at.first, at.commits), TEXT, _COMMIT.decode))

    locked = Locked(
        GRAMMARS[policy.manager],
        Stored(Table(data, tables.holds), PAIR, _HOLD.decode),
        StoredNames(Table(data, tables.names)),
        Stored(Table(data, tables.versions), PAIR, _nothing),
        Stored(Table(data, tables.unpinned), PAIR, _UNPINNED.decode),
    )
    repositories = Stored(Table(data, tables.repositories), TEXT, named)
    return Index(locked, repositories, tables.digest)


def _nothing(_: bytes) -> None:
    """Read the value of what is only looked for."""
