"""Lines of the audit log: what they hold, what they never hold, what they prove."""

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from cleanroom.audit.record import (
    GENESIS,
    MAX_DETAILS,
    MAX_TEXT,
    Json,
    Kind,
    Record,
    encode_line,
    encode_record,
    has_seal,
    unseal,
)
from cleanroom.events import LifecycleEvent
from tests.audit.worlds import lifecycle, network, record

TIME = "2025-11-25T12:00:00.000000Z"


def encode(what: Record) -> bytes:
    return encode_record(what, 1, TIME, GENESIS)[0]


def members(what: Record) -> dict[str, object]:
    found: dict[str, object] = json.loads(encode(what))
    return found


def test_a_line_says_who_asked_for_what_and_what_was_decided() -> None:
    event = replace(network("evil.test", allowed=False), rule="*.test:443", rule_line=7)
    line = members(Record(event, "uid:1000", "sbx_1", "exe_1", "run_1"))
    assert line.pop("hash")
    assert line == {
        "seq": 1,
        "time": TIME,
        "prev": GENESIS,
        "type": "network",
        "who": "uid:1000",
        "sandbox_id": "sbx_1",
        "execution_id": "exe_1",
        "run_id": "run_1",
        "phase": "verdict",
        "allowed": False,
        "protocol": "tls",
        "name": "evil.test",
        "address": "203.0.113.7",
        "port": 443,
        "code": "host_not_allowed",
        "reason": "no rule of the policy allows evil.test",
        "rule": "*.test:443",
        "rule_line": 7,
    }


def test_a_lifecycle_line_carries_its_detail() -> None:
    line = members(lifecycle("sandbox.ready", ("project", "demo")))
    assert line["type"] == "lifecycle"
    assert line["kind"] == "sandbox.ready"
    assert line["detail"] == {"project": "demo"}


def test_bytes_and_repeats_are_there_when_there_are_any() -> None:
    line = members(Record(replace(network(), phase="closed", bytes_in=5, repeated=3)))
    assert (line["bytes_in"], line["repeated"]) == (5, 3)
    assert "bytes_out" not in line


@pytest.mark.parametrize("path", ["/a?token=s3cr3t", "/a#s3cr3t", "/a?x#s3cr3t"])
def test_a_query_string_is_never_written(path: str) -> None:
    line = encode(Record(replace(network(), method="GET", path=path)))
    assert b"s3cr3t" not in line
    assert b'"path":"/a"' in line


@pytest.mark.parametrize(
    "hostile",
    ["a\nb", "a\r\nb", "\x1b[31mred", "\x7f", "\x9b31m", "\u202e", "\u2028", "\0", '"},'],
)
def test_a_hostile_name_stays_one_printable_line(hostile: str) -> None:
    line = encode(record(hostile))
    assert line.count(b"\n") == 1
    assert all(0x20 <= byte <= 0x7E for byte in line[:-1])
    assert json.loads(line)["name"] == hostile


def test_what_is_no_unicode_is_replaced() -> None:
    assert members(record("a\udcffb\ud800"))["name"] == "a?b?"


def test_a_long_text_is_cut_and_marked() -> None:
    name = members(record("x" * 100_000))["name"]
    assert name == "x" * MAX_TEXT + "\u2026"


def test_a_detail_of_many_long_members_is_bounded() -> None:
    detail = tuple((f"{n}", "v" * 100_000) for n in range(1000))
    line = encode(Record(LifecycleEvent("odd", detail)))
    assert len(line) < (MAX_DETAILS + 1) * (MAX_TEXT + 32)


def test_a_sealed_line_gives_back_its_place_in_the_chain() -> None:
    line, digest = encode_record(record(), 41, TIME, "ab" * 32)
    sealed = unseal(line[:-1])
    assert sealed is not None
    assert (sealed.seq, sealed.prev, sealed.hash) == (41, "ab" * 32, digest)
    assert has_seal(line[:-1]) == digest


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_any_changed_byte_breaks_the_seal(place: int, change: int) -> None:
    line = bytearray(encode(record())[:-1])
    line[place % len(line)] ^= change
    assert unseal(bytes(line)) is None


def sealed(body: bytes) -> bytes:
    """Seal what our own writer would never write."""
    digest = hashlib.sha256(body + b"}").hexdigest().encode()
    return body + b',"hash":"' + digest + b'"}'


@pytest.mark.parametrize(
    "body",
    [
        b'{"seq":1',  # no prev
        b'{"seq":"1","prev":""',
        b'{"seq":true,"prev":""',
        b'{"seq":1,"prev":2',
        b'{"seq":' + b"9" * 5000 + b',"prev":""',
        b'{"seq":1,"prev":"\xff"',
        b'{"seq":' + b"[" * 100_000,
        b"[1",
        b"",
    ],
)
def test_a_right_hash_around_nonsense_is_no_line(body: bytes) -> None:
    assert unseal(sealed(body)) is None


def test_a_line_without_its_seal_is_no_line() -> None:
    assert unseal(sealed(b'{"seq":1,"prev":""')) is not None  # the control: this way makes lines
    assert unseal(b"") is None
    assert has_seal(b'"hash":"short"}') is None


@given(
    st.dictionaries(
        st.sampled_from(["who", "name", "code", "port", "allowed"]),
        st.text(st.characters(exclude_categories=["Cs"]))
        | st.integers(-(2**63), 2**63)
        | st.booleans(),
    )
)
def test_what_is_written_is_read_back(values: dict[str, Json]) -> None:
    line, digest = encode_line(Kind.NETWORK, values, 2, TIME, GENESIS)
    found = unseal(line[:-1])
    assert found is not None
    assert found.hash == digest
    for key, value in values.items():
        if value or value is False:
            assert found.members[key] == (value[:MAX_TEXT] if isinstance(value, str) else value)
        else:
            assert key not in found.members
