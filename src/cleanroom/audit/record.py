"""One line of the audit log, values to bytes and back; pure.

In: a Record, its place in the chain. Out: one JSON object in one line of ASCII, with its hash.
Never: a control character, a query string, or a text of unbounded length.

A line is an object whose last member is `hash`: SHA-256, as hexadecimal digits, of the line's
bytes without that member. `prev` is the hash of the line before. So a line can be checked without
knowing how JSON was written, and nothing before it can change unnoticed.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple, assert_never

from cleanroom.events import Event, LifecycleEvent, NetworkEvent

GENESIS: Final = "0" * 64  # `prev` of the first line
MAX_TEXT: Final = 2048  # characters of one value; longer ones are cut and end in an ellipsis
MAX_DETAILS: Final = 64  # members of a lifecycle event's detail

_ENCODE: Final = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"), check_circular=False)
_SEAL: Final = re.compile(rb',"hash":"([0-9a-f]{64})"\}')
_SEAL_LENGTH: Final = len(',"hash":""}') + 64

Json = str | int | bool | dict[str, str]


class Kind(StrEnum):
    """What a line is about."""

    NETWORK = "network"
    LIFECYCLE = "lifecycle"
    RECOVERED = "recovered"  # the log itself: bytes of a line that was never finished
    PRUNED = "pruned"  # the log itself: its oldest files were removed, up to a line


@dataclass(frozen=True, slots=True)
class Record:
    """An event and whose it is. `who` is e.g. "uid:1000"; an id is "" where there is none."""

    event: Event
    who: str = ""
    sandbox_id: str = ""
    execution_id: str = ""
    run_id: str = ""


class Sealed(NamedTuple):
    """What a line proves of itself: its own hash is right, and these are its place and ties."""

    seq: int
    prev: str
    hash: str
    members: dict[str, Json]


def encode_record(record: Record, seq: int, time: str, prev: str) -> tuple[bytes, str]:
    """Return the line, with its newline, and its hash. `time` is RFC 3339, UTC."""
    members: dict[str, Json] = {}
    members["who"] = record.who
    members["sandbox_id"] = record.sandbox_id
    members["execution_id"] = record.execution_id
    members["run_id"] = record.run_id
    match record.event:
        case NetworkEvent() as event:
            kind = Kind.NETWORK
            _network(event, members)
        case LifecycleEvent(event_kind, detail):
            kind = Kind.LIFECYCLE
            members["kind"] = event_kind
            members["detail"] = {_cut(key): _cut(value) for key, value in detail[:MAX_DETAILS]}
        case _:
            assert_never(record.event)
    return encode_line(kind, members, seq, time, prev)


def encode_line(
    kind: Kind, members: dict[str, Json], seq: int, time: str, prev: str
) -> tuple[bytes, str]:
    """Return a sealed line and its hash. Members that are empty texts or zeros are left out."""
    line: dict[str, Json] = {"seq": seq, "time": time, "prev": prev, "type": kind.value}
    for key, value in members.items():
        if value is False or value:
            line[key] = _cut(value) if type(value) is str else value
    body = _ENCODE.encode(line).encode("ascii")
    digest = hashlib.sha256(body).hexdigest()
    return b'%b,"hash":"%b"}\n' % (body[:-1], digest.encode("ascii")), digest


def unseal(line: bytes) -> Sealed | None:
    """Return what a line (without its newline) says if its own hash is right, else None."""
    seal = has_seal(line)
    if seal is None:
        return None
    body = line[:-_SEAL_LENGTH] + b"}"
    if hashlib.sha256(body).hexdigest() != seal:
        return None
    try:
        members = json.loads(body)
    except (ValueError, RecursionError):
        return None
    # What ends in a brace and is JSON is an object.
    seq, prev = members.get("seq"), members.get("prev")
    if type(seq) is not int or type(prev) is not str:
        return None
    return Sealed(seq, prev, seal, members)


def has_seal(line: bytes) -> str | None:
    """Return the hash a line claims; None if it does not end like a whole line."""
    seal = _SEAL.fullmatch(line, max(0, len(line) - _SEAL_LENGTH))
    return seal[1].decode("ascii") if seal else None


def _network(event: NetworkEvent, members: dict[str, Json]) -> None:
    members["phase"] = event.phase
    members["allowed"] = event.allowed
    members["protocol"] = event.protocol.value
    members["name"] = event.name
    members["address"] = event.address
    members["port"] = event.port
    members["code"] = str(event.code)
    members["reason"] = event.reason
    members["rule"] = event.rule
    members["rule_line"] = event.rule_line
    members["connection_id"] = event.connection_id
    members["method"] = event.method
    # A query can hold a secret. The event has none by contract; here it could not be taken back.
    members["path"] = event.path.partition("?")[0].partition("#")[0]
    members["bytes_in"] = event.bytes_in
    members["bytes_out"] = event.bytes_out
    members["repeated"] = event.repeated
    members["registry"] = event.registry
    members["artifact"] = event.artifact
    members["strength"] = event.strength
    members["pin"] = event.pin
    members["cache"] = event.cache
    members["digest"] = event.digest
    members["mirror"] = event.mirror
    members["storage"] = event.storage
    if event.ends_sandbox:
        members["ends_sandbox"] = True
    if event.through_proxy:
        members["through_proxy"] = True


def _cut(text: str) -> str:
    if not text.isascii():  # a file name's undecodable bytes are no Unicode, and no reader's JSON
        text = text.encode("utf-8", "replace").decode("utf-8")
    return text if len(text) <= MAX_TEXT else text[:MAX_TEXT] + "\u2026"
