import dataclasses
import errno
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from cleanroom.decide.model import Deny
from cleanroom.errors import Code
from cleanroom.gateway import flight
from cleanroom.gateway.cached import CachedSource
from cleanroom.gateway.shelf import Shelf
from tests.gateway.caches import World
from tests.gateway.shelves import room
from tests.gateway.upstreams import HOST, Reply, Taken, artifact, page, sha256, want

_PATH = "/ms/-/ms-2.1.3.tgz"
_BYTES = b"a package " * 1000
_LARGE = bytes(range(256)) * 80_000  # 20 MB: released before all of it is verified


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(flight, "_PAUSES_S", (0.01, 0.01, 0.01))
    with room(tmp_path / "cache") as made:
        yield World(made)


def _code(taken: Taken) -> Code:
    assert taken.deny is not None
    assert taken.answer is None, "nothing of it was released"
    return taken.deny.code


def test_a_miss_is_verified_kept_and_a_hit_for_another_sandbox(world: World) -> None:
    world.upstream.answers(_PATH, Reply(_BYTES, fields=(("content-type", "application/x"),)))
    first = world.get(want(artifact(_BYTES)))
    assert first.body == _BYTES
    assert first.served
    assert (first.served.cache, first.served.digest) == ("miss", sha256(_BYTES))
    world.settle()
    second = world.get(want(artifact(_BYTES), "sbx-b"))
    assert second.body == _BYTES
    assert second.served
    assert (second.served.cache, second.served.digest) == ("hit", sha256(_BYTES))
    assert second.answer
    assert second.answer.field("content-type") == "application/x"
    assert len(world.upstream.asked) == 1


def test_a_tampered_artifact_releases_nothing_and_is_not_kept(world: World) -> None:
    world.upstream.answers(_PATH, Reply(b"A" + _BYTES[1:]))
    taken = world.get(want(artifact(_BYTES)))
    assert _code(taken) is Code.INTEGRITY_MISMATCH
    assert taken.deny
    assert "package-lock.json:12" in taken.deny.reason
    world.settle()
    assert world.room.store.info().blobs == 0
    world.upstream.answers(_PATH, Reply(_BYTES))
    assert world.get(want(artifact(_BYTES))).body == _BYTES


def test_a_large_artifact_is_never_released_to_its_end_when_it_is_tampered(world: World) -> None:
    world.upstream.answers(_PATH, Reply(_LARGE[:-1] + b"!"))
    taken = world.get(want(artifact(_LARGE)))
    assert taken.deny
    assert taken.deny.code is Code.INTEGRITY_MISMATCH
    assert 0 < len(taken.body) < len(_LARGE)
    assert taken.answer
    assert taken.answer.length == len(_LARGE), "so that the client sees that it was cut"
    world.settle()
    assert world.room.store.info().blobs == 0


def test_a_large_artifact_arrives_whole_cold_and_warm(world: World) -> None:
    world.upstream.answers(_PATH, Reply(_LARGE))
    assert world.get(want(artifact(_LARGE))).body == _LARGE
    world.settle()
    assert world.get(want(artifact(_LARGE), offline=True)).body == _LARGE


def test_each_is_held_to_its_own_pin_though_they_share_a_flight(world: World) -> None:
    world.upstream.answers(_PATH, Reply(_BYTES))
    right, wrong = Taken(), Taken()
    world.cache.fetch(want(artifact(_BYTES)), right)
    world.cache.fetch(want(artifact(b"other"), "sbx-b"), wrong)
    world.room.turn_until(lambda: right.is_over and wrong.is_over)
    assert right.body == _BYTES
    assert _code(wrong) is Code.INTEGRITY_MISMATCH


def test_followers_share_one_request_and_read_while_it_grows(world: World) -> None:
    world.upstream.answers(_PATH, Reply(_LARGE, is_held=True))
    takers = [Taken() for _ in range(16)]
    for taken in takers:
        world.cache.fetch(want(artifact(_LARGE)), taken)
    world.room.turn_until(lambda: all(taken.body for taken in takers))
    late = Taken()
    world.cache.fetch(want(artifact(_LARGE), "sbx-b"), late)
    world.room.turn_until(lambda: late.body)
    world.upstream.asked[0].finish()
    world.room.turn_until(lambda: all(taken.is_over for taken in (*takers, late)))
    assert all(taken.body == _LARGE for taken in (*takers, late))
    assert len(world.upstream.asked) == 1


def test_a_pin_that_the_store_does_not_meet_is_asked_for_upstream(world: World) -> None:
    world.room.put(HOST, _PATH, b"what somebody else was pinned to")
    world.upstream.answers(_PATH, Reply(_BYTES))
    assert world.get(want(artifact(_BYTES))).body == _BYTES


@pytest.mark.parametrize("reply", [Reply(_BYTES, length=len(_BYTES) + 1), Reply(_BYTES, cut=True)])
def test_a_body_that_was_cut_is_no_answer_and_not_kept(world: World, reply: Reply) -> None:
    world.upstream.answers(_PATH, reply)
    assert _code(world.get(want(artifact(_BYTES)))) is Code.UPSTREAM_UNREACHABLE
    world.settle()
    assert world.room.store.info().blobs == 0


def test_tries_towards_the_upstream_are_ours(world: World) -> None:
    world.upstream.answers(_PATH, Reply(down=True), Reply(b"busy", 503), Reply(_BYTES))
    assert world.get(want(artifact(_BYTES))).body == _BYTES
    assert len(world.upstream.asked) == 3


def test_an_upstream_that_stays_down_is_said(world: World) -> None:
    world.upstream.answers(_PATH, Reply(b"busy", 503))
    taken = world.get(want(artifact(_BYTES)))
    assert _code(taken) is Code.UPSTREAM_UNREACHABLE
    assert taken.deny
    assert "answers 503" in taken.deny.reason


def test_offline_a_miss_says_what_is_missing_and_asks_nobody(world: World) -> None:
    taken = world.get(want(artifact(_BYTES), offline=True))
    assert _code(taken) is Code.OFFLINE_MISS
    assert taken.deny
    assert "ms 2.1.3 of npm.example is not in the content cache" in taken.deny.reason
    assert world.upstream.asked == []


def test_a_range_and_a_head_are_answered_from_the_store(world: World) -> None:
    world.upstream.answers(_PATH, Reply(_BYTES))
    for cached in range(2):
        part = world.get(want(artifact(_BYTES), range="bytes=10-19"))
        assert part.body == _BYTES[10:20]
        assert part.answer
        assert (part.answer.status, part.answer.length) == (206, 10)
        assert part.answer.field("content-range") == f"bytes 10-19/{len(_BYTES)}"
        head = world.get(want(artifact(_BYTES), method="HEAD"))
        assert head.body == b""
        assert head.answer
        assert head.answer.length == len(_BYTES)
        world.settle()
        assert len(world.upstream.asked) == 1, cached
    late = world.get(want(artifact(_BYTES), range="bytes=99999-"))
    assert late.answer
    assert late.answer.status == 416


def test_metadata_is_asked_for_again_when_it_is_old_and_not_sent_again_when_it_is_the_same(
    world: World,
) -> None:
    world.upstream.answers("/ms", Reply(b"{}", fields=(("etag", '"1"'),)), Reply(b"", 304))
    first = world.get(want(page()))
    assert first.answer
    world.settle()
    assert world.get(want(page())).served
    assert len(world.upstream.asked) == 1
    world.room.clock.now += 120
    again = world.get(want(page()))
    assert again.body == b"{}"
    assert world.upstream.asked[1].want.if_none_match == '"1"'
    world.settle()
    assert world.get(want(page())).body == b"{}"
    assert len(world.upstream.asked) == 2
    same = world.get(want(page(), if_none_match=first.answer.field("etag")))
    assert same.answer
    assert (same.answer.status, same.body) == (304, b"")


def test_metadata_that_changed_replaces_the_old(world: World) -> None:
    world.upstream.answers("/ms", Reply(b"old"), Reply(b"new"))
    assert world.get(want(page())).body == b"old"
    world.settle()
    world.room.clock.now += 120
    assert world.get(want(page())).body == b"new"
    world.settle()
    assert world.get(want(page(), offline=True)).body == b"new"


def test_stale_metadata_is_better_than_none_while_the_upstream_is_down(world: World) -> None:
    world.upstream.answers("/ms", Reply(b"{}"), Reply(down=True))
    world.get(want(page()))
    world.settle()
    world.room.clock.now += 120
    taken = world.get(want(page()))
    assert taken.body == b"{}"
    assert taken.served
    assert taken.served.cache == "stale"


def test_what_the_registry_does_not_have_is_said_by_itself_and_not_kept(world: World) -> None:
    taken = world.get(want(page()))
    assert taken.answer
    assert (taken.answer.status, taken.body) == (404, b"none")
    world.settle()
    assert world.room.store.info().blobs == 0


def test_forms_of_a_page_are_kept_apart_and_the_clients_words_are_not_passed_on(
    world: World,
) -> None:
    short = "application/vnd.npm.install-v1+json; q=1.0, x-poison/everything"
    world.upstream.answers("/ms", Reply(b"short"), Reply(b"long"))
    assert world.get(want(page(), accept=short)).body == b"short"
    assert world.get(want(page(), "sbx-b", accept="*/*")).body == b"long"
    assert "poison" not in world.upstream.asked[0].want.accept
    world.settle()
    assert world.get(want(page(), "sbx-b", accept=short)).body == b"short"


def test_what_was_first_seen_binds(world: World) -> None:
    world.upstream.answers(_PATH, Reply(_BYTES))
    assert world.get(want(artifact(None))).body == _BYTES
    world.settle()
    world.room.store.discard(sha256(_BYTES).removeprefix("sha256:"))
    world.upstream.answers(_PATH, Reply(b"something else"))
    taken = world.get(want(artifact(None), "sbx-b"))
    assert _code(taken) is Code.INTEGRITY_MISMATCH
    assert taken.deny
    assert "was seen first" in taken.deny.reason


def test_a_damaged_blob_is_not_served_but_healed(world: World, tmp_path: Path) -> None:
    world.upstream.answers(_PATH, Reply(_BYTES))
    world.get(want(artifact(_BYTES)))
    world.settle()
    [blob] = (tmp_path / "cache" / "cas" / "sha256").glob("*/*")
    blob.write_bytes(b"A" + _BYTES[1:])
    taken = world.get(want(artifact(_BYTES)))
    assert taken.body == _BYTES
    assert taken.served
    assert taken.served.cache == "miss"
    world.settle()
    blob.write_bytes(b"A" + _BYTES[1:])
    assert _code(world.get(want(artifact(_BYTES), offline=True))) is Code.OFFLINE_MISS


def test_a_store_that_is_gone_is_a_refusal_unless_the_policy_has_a_fallback(world: World) -> None:
    world.cache = CachedSource(world.room.reactor, Shelf(world.room.reactor, None), world.upstream)
    world.upstream.answers(_PATH, Reply(_BYTES))
    assert _code(world.get(want(artifact(_BYTES)))) is Code.RESOURCE_LIMIT
    assert world.upstream.asked == []
    direct = world.get(want(artifact(_BYTES, fallback="direct")))
    assert direct.body == _BYTES
    assert direct.served
    assert direct.served.cache == "direct"
    assert world.get(want(artifact(None, fallback="direct"))).body == _BYTES
    world.upstream.answers(_PATH, Reply(b"tampered"))
    tampered = world.get(want(artifact(_BYTES, fallback="direct")))
    assert _code(tampered) is Code.INTEGRITY_MISMATCH


def test_without_a_descriptor_for_the_memory_one_fetch_is_refused(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_args: object) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    world.cache = CachedSource(world.room.reactor, Shelf(world.room.reactor, None), world.upstream)
    world.upstream.answers(_PATH, Reply(_BYTES))
    with monkeypatch.context() as patch:
        patch.setattr(os, "memfd_create", fails)
        taken = world.get(want(artifact(_BYTES, fallback="direct")))
    assert _code(taken) is Code.RESOURCE_LIMIT
    assert taken.deny
    assert "memory: Too many open files" in taken.deny.reason
    assert world.get(want(artifact(_BYTES, fallback="direct"))).body == _BYTES


def test_one_sandbox_has_only_so_many_flights_and_others_wait_for_theirs(world: World) -> None:
    taken = [Taken() for _ in range(70)]
    fetched = []
    for number, taker in enumerate(taken):
        asked = want(dataclasses.replace(page(), path=f"/ms{number}"))
        world.upstream.answers(f"/ms{number}", Reply(b"{}", is_held=True))
        fetched.append(world.cache.fetch(asked, taker))
    world.room.turn_until(lambda: len(world.upstream.asked) == 64)
    fetched[69].cancel()  # it waits in line, and is passed over
    for each in list(world.upstream.asked):
        each.finish()
    world.room.turn_until(lambda: len(world.upstream.asked) == 69)
    for each in world.upstream.asked[64:]:
        each.finish()
    world.room.turn_until(lambda: all(taker.is_over for taker in taken[:69]))
    assert all(taker.body == b"{}" for taker in taken[:69])


def is_in_line(world: World, waits: object) -> bool:
    return waits in world.cache._in_line.get("sbx-a", ())


def test_those_who_left_the_line_are_forgotten(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cleanroom.gateway.cached.MOST_FLIGHTS", 1)
    monkeypatch.setattr("cleanroom.gateway.cached.MOST_IN_LINE", 4)
    world.upstream.answers(_PATH, Reply(_BYTES, is_held=True))
    world.cache.fetch(want(artifact(_BYTES)), Taken())
    world.room.turn_until(lambda: len(world.upstream.asked) == 1)
    for number in range(20):
        asked = want(dataclasses.replace(page(), path=f"/ms{number}"))
        waits = world.cache.fetch(asked, Taken())
        world.room.turn_until(partial(is_in_line, world, waits))
        waits.cancel()
    assert len(world.cache._in_line["sbx-a"]) <= 4
    last = Taken()
    world.upstream.answers("/ms", Reply(b"{}"))
    waits = world.cache.fetch(want(page()), last)
    world.room.turn_until(lambda: is_in_line(world, waits))
    world.upstream.asked[0].finish()
    world.room.turn_until(lambda: last.is_over)
    assert last.body == b"{}"


def test_a_sandbox_that_has_its_flights_takes_none_of_anothers(world: World) -> None:
    fetched = []
    for number in range(70):
        asked = want(dataclasses.replace(page(), path=f"/ms{number}"))
        world.upstream.answers(f"/ms{number}", Reply(b"{}", is_held=True))
        fetched.append(world.cache.fetch(asked, Taken()))
    world.room.turn_until(lambda: len(world.upstream.asked) == 64)
    world.upstream.answers("/ms", Reply(b"{}", is_held=True))
    other = Taken()
    world.cache.fetch(want(page(), "sbx-b"), other)
    world.room.turn_until(lambda: other.answer)
    for each in fetched:
        each.cancel()
    assert all(asked.is_cancelled for asked in world.upstream.asked[:64])
    world.upstream.asked[-1].finish()
    world.room.turn_until(lambda: other.is_over)
    world.settle()
    assert not world.cache._flying
    assert not world.cache._spooled


def test_a_service_is_not_kept_and_not_there_offline(world: World) -> None:
    grant = type(page())("npm", "service", "/-/ping", sites=(HOST,))
    world.upstream.answers("/-/ping", Reply(b"{}"))
    for _ in range(2):
        assert world.get(want(grant)).body == b"{}"
    assert len(world.upstream.asked) == 2
    assert _code(world.get(want(grant, offline=True))) is Code.OFFLINE_MISS


@pytest.mark.parametrize(
    "reply",
    [
        Reply(b"x", 302, (("location", "https://evil.example/"),)),
        Reply(b"x", 206),
        Reply(b"x", fields=(("content-encoding", "gzip"),)),
        Reply(b"x", length=10**12),
    ],
)
def test_an_answer_that_nobody_asked_for_is_none(world: World, reply: Reply) -> None:
    world.upstream.answers(_PATH, reply)
    assert _code(world.get(want(artifact(_BYTES)))) is Code.UPSTREAM_UNREACHABLE


def test_endless_metadata_ends(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flight, "MOST_METADATA", 100)
    world.upstream.answers("/ms", Reply(b"x" * 101, length=None))
    taken = world.get(want(page()))
    assert taken.deny
    assert taken.deny.code is Code.RESOURCE_LIMIT


def test_who_pauses_gets_nothing_until_it_resumes(world: World) -> None:
    world.upstream.answers(_PATH, Reply(_BYTES))
    taken, other = Taken(), Taken()
    fetching = world.cache.fetch(want(artifact(_BYTES)), taken)
    fetching.pause()
    world.cache.fetch(want(artifact(_BYTES)), other)
    world.room.turn_until(lambda: other.is_over)
    assert taken.body == b""
    fetching.resume()
    world.room.turn_until(lambda: taken.is_over)
    assert taken.body == _BYTES
    fetching.cancel()
    assert not isinstance(taken.deny, Deny)
