"""Whatever cleanroom lets pass, llhttp and h11 take, and cut into the same messages.

A difference here is a smuggled request: one reader's body is another's next request. What they
refuse and we let pass is listed (`known_differences`): they are never stricter by chance.
"""

import shutil
from functools import cache

import pytest
from aiohttp.http_parser import HttpRequestParser

from tests.gateway.http1 import mutations
from tests.gateway.http1.node_oracle import node_methods, node_reads
from tests.gateway.http1.oracles import (
    Reading,
    h11_reads,
    llhttp_reads,
    ours,
)
from tests.seeds import NIGHTLY, chance

BATCHES = 100 if NIGHTLY else 1
BATCH = 10_000 if NIGHTLY else 4_000
METHODS = ("GET", "HEAD", "POST")


@cache
def methods() -> frozenset[str]:
    """The methods that llhttp knows, "" too: that of an answer."""
    return node_methods()


def streams(part: int, *, of_requests: bool) -> list[tuple[str, list[bytes]]]:
    """Return (method, pieces) of many streams; method "": these are requests."""
    random = chance(part)
    found = []
    for _ in range(BATCH):
        method = "" if of_requests else random.choice(METHODS)
        stream = mutations.answer(random) if method else mutations.requests(random)
        found.append((method, mutations.pieces(random, stream)))
    return found


def is_known(reader: str, reading: Reading) -> bool:
    """Tell whether this reader may refuse what cleanroom lets pass."""
    starts = [each.start for each in reading.messages]
    if reader == "h11":  # nobody asked to switch; the layer says the same
        return starts == ["101"]
    # A method may be any token (RFC 9110 section 9.1); llhttp has a list.
    return any(" " in start and start.split()[0] not in methods() for start in starts)


def differences(part: int, *, of_requests: bool) -> list[str]:
    """Return where a reader sees something else in what cleanroom let pass."""
    passed = []
    for method, pieces in streams(part, of_requests=of_requests):
        reading = ours(pieces, method)
        whole = ours([b"".join(pieces)], method)
        assert reading.refused == whole.refused, pieces
        assert reading.refused or reading == whole, pieces
        if reading.messages:
            passed.append((method, reading))
    assert BATCH // 5 < len(passed) < BATCH  # worth reading
    node = node_reads([(method, reading.passed) for method, reading in passed])
    found = []
    for (method, reading), by_node in zip(passed, node, strict=True):
        seen = {
            "node": by_node,
            "llhttp": llhttp_reads(reading.passed, method),
            "h11": h11_reads(reading.passed, method),
        }
        for reader, theirs in seen.items():
            wanted = None if is_known(reader, reading) else reading.messages
            if theirs != wanted:
                found.append(f"{reader} {theirs} of {reading}")
    return found


@pytest.mark.skipif(shutil.which("node") is None, reason="this machine lacks node")
@pytest.mark.timeout(0 if NIGHTLY else 180)
@pytest.mark.parametrize("of_requests", [True, False], ids=["requests", "answers"])
def test_what_passes_is_cut_as_others_cut_it(of_requests: bool) -> None:  # noqa: FBT001 -- pytest's
    for part in range(BATCHES):
        assert differences(part, of_requests=of_requests) == []


def test_the_oracle_is_llhttp_and_not_its_stand_in_in_python() -> None:
    assert HttpRequestParser.__module__ == "aiohttp._http_parser"


@pytest.mark.parametrize("framing", mutations.FRAMINGS)
@pytest.mark.parametrize("first", mutations.FIRSTS[:5])
def test_plain_requests_are_accepted_by_all(first: str, framing: str) -> None:
    body = mutations.FRAMINGS[framing][0]
    lines = [first, "Host: a.test", *([framing] if framing else []), "", body]
    one = "\r\n".join(lines).encode()
    found = ours([one * 2])
    assert (len(found.messages), found.passed) == (2, one * 2)
    assert llhttp_reads(one * 2, "") == found.messages
    assert h11_reads(one * 2, "") == found.messages
