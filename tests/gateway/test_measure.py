"""Modules of Go in the content cache: held to go.sum, which has no digest of their bytes."""

import base64
import dataclasses
import hashlib
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from cleanroom.decide.artifact import Grant
from cleanroom.decide.commits import NONE_NAMED, Commits
from cleanroom.decide.upload_pack import PACK, TALK
from cleanroom.errors import Code
from cleanroom.gateway import flight, measure
from cleanroom.gateway.cached import CachedSource
from cleanroom.gateway.measure import Measures, Turns
from cleanroom.gateway.source import Want
from cleanroom.gateway.spool import Body
from tests.decide.packs import BLOB, COMMIT, TREE, commit, entry, name, pack, tree
from tests.decide.test_upload_pack import pkt
from tests.gateway.shelves import Room, room
from tests.gateway.upstreams import Reply, Taken, Upstream, artifact, sha256, want

_BELOW = "/golang.org/x/text/@v/v0.3.0"
_FILES = {"go.mod": b"module golang.org/x/text\n", "a.go": b"package text\n" * 50_000}


def _zip(files: dict[str, bytes], level: int = 6) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as opened:
        for name, data in files.items():
            opened.writestr(f"golang.org/x/text@v0.3.0/{name}", data)
    return made.getvalue()


def _h1(files: dict[str, bytes]) -> str:
    lines = (
        f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(files.items())
    )
    listed = hashlib.sha256("".join(lines).encode()).digest()
    return f"h1:{base64.b64encode(listed).decode()}"


def _pin(files: dict[str, bytes]) -> str:
    return _h1({f"golang.org/x/text@v0.3.0/{name}": data for name, data in files.items()})


def _end_of(turns: Turns) -> str:
    while True:
        try:
            next(turns)
        except StopIteration as end:
            return str(end.value)


def _module(digest: str, kind: str = "zip") -> Grant:
    return dataclasses.replace(
        artifact(b""), manager="go", path=f"{_BELOW}.{kind}", name="golang.org/x/text",
        version="v0.3.0", file=f"v0.3.0.{kind}", digests=(digest,), pin="go.sum:1",
    )  # fmt: skip


_MOD, _ZIP = _FILES["go.mod"], _zip(_FILES)
_GRANT = _module(_pin(_FILES))


class World:
    """A cache before a scripted upstream."""

    def __init__(self, made: Room) -> None:
        self.room = made
        self.upstream = Upstream(made.reactor)
        self.cache = CachedSource(made.reactor, made.shelf, self.upstream)
        self.upstream.answers(f"{_BELOW}.zip", Reply(_ZIP))
        self.upstream.answers(f"{_BELOW}.mod", Reply(_MOD))

    def get(self, asked: Want) -> Taken:
        """Fetch, and wait until the store has it."""
        taken = Taken()
        self.cache.fetch(asked, taken)
        self.room.turn_until(lambda: taken.is_over and not self.cache._flights)
        return taken

    @property
    def blobs(self) -> int:
        """How many files the store has."""
        return self.room.store.info().blobs


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(flight, "_PAUSES_S", (0.01, 0.01, 0.01))
    with room(tmp_path / "cache") as made:
        yield World(made)


@pytest.mark.parametrize("grant", [_GRANT, _module(_h1({"go.mod": _MOD}), "mod")])
def test_a_module_is_compared_by_what_is_inside_cold_and_warm(world: World, grant: Grant) -> None:
    first = world.get(want(grant))
    assert first.body == (_ZIP if grant is _GRANT else _MOD)
    assert first.served
    assert (first.served.cache, first.served.digest) == ("miss", sha256(first.body))
    second = world.get(want(grant, "sbx-b", offline=True))
    assert second.body == first.body
    assert second.served
    assert second.served.cache == "hit"
    assert len(world.upstream.asked) == 1


def test_other_bytes_with_the_same_files_inside_are_the_same_module(world: World) -> None:
    other = _zip(_FILES, level=1)
    assert other != _ZIP
    world.upstream.answers(f"{_BELOW}.zip", Reply(other))
    assert world.get(want(_GRANT)).body == other


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (_zip({**_FILES, "a.go": b"package evil\n"}), "sent h1:"),
        (_zip({**_FILES, "b.go": b"package evil\n"}), "sent h1:"),
        (_ZIP[:-1], "sent no digest of Go's, since it does not end"),
        (b"", "sent no digest of Go's, since it is too short"),
        (b"#!" + _ZIP, "sent no digest of Go's, since its list"),
    ],
)
def test_a_module_that_was_changed_releases_nothing_and_is_not_kept(
    world: World, reply: bytes, words: str
) -> None:
    world.upstream.answers(f"{_BELOW}.zip", Reply(reply))
    taken = world.get(want(_GRANT))
    assert taken.answer is None
    assert taken.deny
    assert taken.deny.code is Code.INTEGRITY_MISMATCH
    assert words in taken.deny.reason
    assert "is pinned by go.sum:1" in taken.deny.reason
    assert world.blobs == 0


def test_a_go_mod_that_was_changed_is_refused(world: World) -> None:
    world.upstream.answers(f"{_BELOW}.mod", Reply(_MOD + b"replace a => evil v1.0.0\n"))
    taken = world.get(want(_module(_h1({"go.mod": _MOD}), "mod")))
    assert taken.deny
    assert taken.deny.code is Code.INTEGRITY_MISMATCH


def test_a_wrong_pin_of_one_sandbox_takes_nothing_from_another(world: World) -> None:
    world.get(want(_GRANT))
    wrong = world.get(want(_module(_pin({"go.mod": b"another"})), "sbx-b"))
    assert wrong.deny
    assert wrong.deny.code is Code.INTEGRITY_MISMATCH
    assert world.blobs == 1
    assert world.get(want(_GRANT, offline=True)).body == _ZIP


def test_a_kept_module_that_was_damaged_is_fetched_anew(world: World, tmp_path: Path) -> None:
    world.get(want(_GRANT))
    (blob,) = (path for path in (tmp_path / "cache" / "cas").rglob("*") if path.is_file())
    blob.chmod(0o600)
    # A time inside the zip file: what Go's digest is of is as it was.
    blob.write_bytes(_ZIP[:10] + b"!" + _ZIP[11:])
    again = world.get(want(_GRANT))
    assert again.body == _ZIP
    assert len(world.upstream.asked) == 2
    assert world.get(want(_GRANT, offline=True)).body == _ZIP


def test_a_page_that_says_that_there_is_none_is_no_module(world: World) -> None:
    world.upstream.answers(f"{_BELOW}.zip", Reply(b"not found", 404))
    taken = world.get(want(_GRANT))
    assert taken.answer
    assert (taken.answer.status, taken.body) == (404, b"not found")


def test_a_digest_that_was_found_is_remembered_by_the_bytes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(measure, "_REMEMBERED", 1)
    measures = Measures()
    find = measures.of(_GRANT, "s1")
    assert find is not None
    assert measures.of(artifact(b"x"), "s1") is None
    body = Body.in_memory()
    body.write(_ZIP)
    body.finish()
    for sha in ("one", "two", "two", "one"):
        turns = find(body, sha)
        assert _end_of(turns) == _pin(_FILES)
        assert list(measures._known) == [sha]
    body.release()


_FILE = entry(BLOB, b"a file\n")
_FOLDER = tree(("100644 a", name(BLOB, b"a file\n")))
_TOP = commit(name(TREE, _FOLDER))
_PACK = pack(entry(COMMIT, _TOP), entry(TREE, _FOLDER), _FILE)
_HELD = dataclasses.replace(
    artifact(b""), manager="git", name="team/lib.git", digests=(PACK, TALK),
    commits=Commits(NONE_NAMED, None, "a.lock"),
    body=pkt("command=fetch", 1, f"want {name(COMMIT, _TOP).hex()}\n", "done\n", 0),
)  # fmt: skip


@pytest.fixture
def answer() -> Iterator[Body]:
    """What a git host says to one who is held to a commit."""
    body = Body.in_memory()
    body.write(pkt("packfile\n", b"\x01" + _PACK, 0))
    body.finish()
    yield body
    body.release()


def _reading(measures: Measures, body: Body, sha256: str, sandbox: str = "s1") -> Turns:
    find = measures.of(_HELD, sandbox)
    assert find is not None
    return find(body, sha256)


def test_one_pack_of_a_sandbox_is_read_at_a_time(answer: Body) -> None:
    measures = Measures()
    first, second, other = (_reading(measures, answer, each) for each in ("one", "two", "three"))
    assert next(first) is None
    told: list[str] = []
    for turns, who in ((second, "second"), (other, "other")):
        wait = next(turns)
        assert wait is not None
        wait(lambda who=who: told.append(who))  # type: ignore[misc]
    assert next(_reading(measures, answer, "one", "s2")) is None
    assert _end_of(first) == PACK
    assert told == ["second", "other"]
    assert next(second) is None
    assert next(other) is not None
    second.close()  # its client went away
    assert _end_of(other) == PACK


def test_who_waits_for_the_same_pack_has_what_was_found(answer: Body) -> None:
    measures = Measures()
    first, second = (_reading(measures, answer, "one") for _ in range(2))
    assert (next(first), next(second) is None) == (None, False)
    assert _end_of(first) == PACK
    with pytest.raises(StopIteration, match=PACK):
        next(second)


def test_many_packs_of_a_sandbox_come_in_turn_also_when_some_are_left(world: World) -> None:
    said = pkt("packfile\n", b"\x01" + _PACK, 0)
    taken = [Taken() for _ in range(6)]
    fetching = []
    for each, to in enumerate(taken):
        notes = pkt(*[b"\x02" + b"x" * (1000 + each)] * 9)  # each of them is another answer
        world.upstream.answers(f"/{each}", Reply(notes + said))
        grant = dataclasses.replace(_HELD, path=f"/{each}", form=f"git {each}")
        fetching.append(world.cache.fetch(want(grant), to))
    turns = world.cache.measures._turns
    world.room.turn_until(lambda: any(turn.is_taken for turn in turns.values()))
    for gone in (0, 3):
        fetching[gone].cancel()
    left = [each for at, each in enumerate(taken) if at not in (0, 3)]
    world.room.turn_until(lambda: all(each.is_over for each in left))
    assert all(each.body.endswith(said) for each in left)
    world.room.turn_until(lambda: not any(turn.is_taken for turn in turns.values()))


def test_a_zip_file_is_read_in_its_turn_too(answer: Body) -> None:
    measures, body = Measures(), Body.in_memory()
    body.write(_ZIP)
    body.finish()
    find = measures.of(_GRANT, "s1")
    assert find is not None
    pack_of_it = _reading(measures, answer, "one")
    assert next(pack_of_it) is None
    turns = find(body, "two")
    assert next(turns) is not None
    pack_of_it.close()
    assert _end_of(turns) == _pin(_FILES)
    body.release()
