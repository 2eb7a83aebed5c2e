"""The cache before a registry that wants credentials: each of them has its own of everything."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from cleanroom.decide.echo import Echoes, Sieve, Word
from cleanroom.decide.model import Deny
from cleanroom.errors import Code
from cleanroom.gateway import flight
from cleanroom.gateway.cached import CachedSource
from cleanroom.gateway.memory import HOLD_S
from cleanroom.gateway.source import Credential, Want
from tests.gateway.shelves import Room, room
from tests.gateway.upstreams import Reply, Taken, Upstream, artifact, page, want

_PATH = "/ms/-/ms-2.1.3.tgz"
_BYTES = b"a package " * 1000
_VALUE = b"real-Value_0123456789"
_DAY_S = 86_400


@dataclass
class Told:
    """Implements Credential."""

    identity: str

    def lines(self, host: str, path: str) -> tuple[bytes, ...] | Deny:
        return (f"{host}{path}{self.identity}".encode(),)

    def sieve(self) -> Sieve:
        return Sieve(lambda: Echoes([Word(_VALUE, b"cleanroom_placeholder")]))


ONE, TWO = Told("1" * 64), Told("2" * 64)


class World:
    """A cache before a scripted upstream."""

    def __init__(self, made: Room) -> None:
        self.room = made
        self.upstream = Upstream(made.reactor)
        self.cache = CachedSource(made.reactor, made.shelf, self.upstream)

    def get(self, asked: Want, credential: Credential | None = ONE) -> Taken:
        """Fetch, wait for the end and until the store has it."""
        taken = Taken()
        self.cache.fetch(replace(asked, credential=credential), taken)
        self.room.turn_until(lambda: taken.is_over and not self.cache._flights)
        return taken


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(flight, "_PAUSES_S", (0.01, 0.01, 0.01))
    with room(tmp_path / "cache") as made:
        yield World(made)


def _are_begun(world: World) -> bool:
    """Tell whether all bytes of three requests have come, which then wait for their end."""
    bodies = [shared.body.size for shared in world.cache._flights.values()]
    return bodies == [len(_BYTES)] * 3


def _code(taken: Taken) -> Code | None:
    return taken.deny.code if taken.deny else None


@pytest.mark.parametrize("grant", [artifact(_BYTES), page()])
def test_what_one_got_is_a_hit_for_the_same_one_in_any_sandbox_only(
    world: World, grant: object
) -> None:
    asked = replace(want(page()), grant=grant)  # type: ignore[arg-type]
    world.upstream.answers(asked.grant.path, Reply(_BYTES))
    assert world.get(asked).body == _BYTES
    same = world.get(replace(asked, sandbox_id="sbx-b", credential=None), Told("1" * 64))
    assert same.served
    assert same.served.cache == "hit"
    assert len(world.upstream.asked) == 1
    for credential in (TWO, None):
        assert _code(world.get(replace(asked, offline=True), credential)) is Code.OFFLINE_MISS
        taken = world.get(asked, credential)
        assert taken.served
        assert taken.served.cache == "miss"
        assert world.upstream.asked[-1].want.credential == credential
    assert len(world.upstream.asked) == 3


def test_a_flight_is_of_one_credential(world: World) -> None:
    world.upstream.answers(_PATH, Reply(_BYTES, is_held=True))
    takers = {"a": ONE, "b": ONE, "c": TWO, "d": None}
    taken = {sandbox: Taken() for sandbox in takers}
    for sandbox, credential in takers.items():
        wanted = replace(want(artifact(_BYTES), sandbox), credential=credential)
        world.cache.fetch(wanted, taken[sandbox])
    world.room.turn_until(lambda: len(world.cache._flights) == 3 and _are_begun(world))
    for asked in world.upstream.asked:
        asked.finish()
    world.room.turn_until(lambda: all(each.is_over for each in taken.values()))
    assert all(each.body == _BYTES for each in taken.values())
    assert len(world.upstream.asked) == 3


def test_a_flight_held_to_what_is_seen_first_is_of_one_credential(world: World) -> None:
    world.upstream.answers(_PATH, Reply(b"one"), Reply(b"two"))
    assert world.get(want(artifact(None))).body == b"one"
    assert world.get(want(artifact(None)), TWO).body == b"two"
    world.upstream.answers(_PATH, Reply(b"two"))
    assert world.get(want(artifact(None))).body == b"one"
    for blob in list(world.room.store._index.blobs()):
        world.room.store.discard(blob)
    world.room.clock.now += HOLD_S
    assert _code(world.get(want(artifact(None)))) is Code.INTEGRITY_MISMATCH
    assert world.get(want(artifact(None)), TWO).body == b"two"


def test_an_old_page_is_confirmed_and_stale_for_its_own_credential(world: World) -> None:
    world.upstream.answers("/ms", Reply(b"{}", fields=(("etag", '"1"'),)))
    world.get(want(page()))
    world.room.clock.now += 120
    world.upstream.answers("/ms", Reply(b"no", 401))
    assert world.get(want(page()), TWO).body == b"no"
    assert world.upstream.asked[-1].want.if_none_match == ""
    world.upstream.answers("/ms", Reply(b"", 304))
    assert world.get(want(page())).body == b"{}"
    assert world.upstream.asked[-1].want.if_none_match == '"1"'
    world.room.clock.now += 120
    world.upstream.answers("/ms", Reply(down=True))
    assert world.get(want(page())).body == b"{}"
    assert _code(world.get(want(page()), TWO)) is Code.UPSTREAM_UNREACHABLE


def test_a_date_is_of_the_credential_that_was_told_it(world: World) -> None:
    times = b'{"versions": {"2.1.3": {}}, "time": {"2.1.3": "2020-01-01T00:00:00.000Z"}}'
    world.upstream.answers(_PATH, Reply(b"x"))
    world.upstream.answers("/ms", Reply(times), Reply(b"no", 401))
    grant = artifact(b"x", cooldown_s=7 * _DAY_S)
    assert world.get(want(grant)).body == b"x"
    assert [asked.want.credential for asked in world.upstream.asked] == [ONE, ONE]
    assert _code(world.get(want(grant), TWO)) is Code.COOLDOWN_ACTIVE


@pytest.mark.parametrize("at", [0, 30, len(_BYTES)])
def test_what_repeats_a_value_is_not_kept(world: World, at: int) -> None:
    echo = _BYTES[:at] + _VALUE + _BYTES[at:]
    world.upstream.answers("/ms", Reply(echo))
    assert world.get(want(page())).body == echo  # the conversation searches it
    world.upstream.answers(_PATH, Reply(echo))
    for grant in (artifact(echo), artifact(None)):
        assert _code(world.get(want(grant))) is Code.SECRET_SCOPE_VIOLATION
    assert world.room.store.info().blobs == 0


def test_nor_what_ends_with_the_rest_of_a_value(world: World) -> None:
    echo = b"x\n" + _VALUE  # in two pieces, the last one shorter than a value
    world.upstream.answers(_PATH, Reply(echo))
    assert _code(world.get(want(artifact(echo)))) is Code.SECRET_SCOPE_VIOLATION
    assert world.room.store.info().blobs == 0


@pytest.mark.parametrize("name", ["etag", "content-type", "last-modified"])
def test_a_head_that_repeats_a_value_is_not_kept_either(world: World, name: str) -> None:
    fields = ((name, f"x{_VALUE.decode()}"),)
    world.upstream.answers("/ms", Reply(b"{}", fields=fields))
    assert world.get(want(page())).body == b"{}"
    world.upstream.answers(_PATH, Reply(_BYTES, fields=fields))
    assert _code(world.get(want(artifact(_BYTES)))) is Code.SECRET_SCOPE_VIOLATION
    assert world.room.store.info().blobs == 0
